"""The replayed providers, served on Unix sockets to any number of Terraform processes at once.

Terraform attaches to a provider that runs already when TF_REATTACH_PROVIDERS names its socket.
It then asks no registry, starts no program and checks no version and no lock file.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tf.gen import tfplugin_pb2 as protocol

from . import effects, values
from .schemas import FOLDER, Schema, recorded, schema_response

# Terraform applies ten things at once, and several Terraforms may be attached.
WORKERS = 64


@dataclass(frozen=True)
class Change:
    """One applied change. Terraform tells a provider the type of a resource, not its address.

    `action` is create, update or delete; `values` the configuration, or before a deletion the
    state. `started` and `ended` are moments in one count: `a.ended < b.started` if b waited for a.
    """

    provider: str
    type: str
    action: str
    values: dict[str, Any]
    started: int
    ended: int


@dataclass
class Replay:
    """Running stand-ins: the environment that attaches Terraform to them, and what was applied.

    Every change takes `delay` seconds, so that one which should have waited for another and did
    not can be seen to overlap it.
    """

    environment: dict[str, str]
    delay: float
    _moments: Iterator[int] = field(default_factory=itertools.count)
    _changes: list[Change] = field(default_factory=list)
    _taken_away: dict[effects.Identity, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def changes(self) -> list[Change]:
        """What was applied so far, in the order in which it started."""
        with self._lock:
            return sorted(self._changes, key=lambda change: change.started)

    @contextlib.contextmanager
    def changing(
        self, provider: str, kind: str, action: str, values: dict[str, Any]
    ) -> Iterator[int]:
        """Record the change that is made meanwhile; give the moment in which it started."""
        with self._lock:
            started = next(self._moments)
        self._ended.wait(self.delay)
        yield started
        with self._lock:
            ended = next(self._moments)
            self._changes.append(Change(provider, kind, action, values, started, ended))
            identity = effects.identity(kind, values)
            if action == "delete" and identity:
                self._taken_away[identity] = ended

    def is_gone(self, kind: str, state: dict[str, Any], made: int) -> bool:
        """Tell whether what was made in that moment, or what it is on, was deleted since."""
        identities = (effects.identity(kind, state), effects.holder(kind, state))
        with self._lock:
            return any(self._taken_away.get(each, made) > made for each in identities if each)

    def end(self) -> None:
        """Delay nothing any more."""
        self._ended.set()


@contextlib.contextmanager
def replay(delay: float = 0, schemas: Path = FOLDER) -> Iterator[Replay]:
    """Serve the providers recorded in `schemas` until the block is left; nothing remains of them.

    `delay` is that of Replay.
    """
    running = Replay({}, delay)
    # Where the system keeps such things: the path of a socket must not be longer than 100 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="replay-") as folder,
        futures.ThreadPoolExecutor(WORKERS) as executor,
        contextlib.ExitStack() as servers,
    ):
        attachments = {}
        for file in schemas.glob("*.json"):
            provider, socket = file.stem, Path(folder, file.stem)
            handlers = Provider(provider, schemas, running).handlers()
            server = grpc.server(executor, handlers=[handlers])
            server.add_insecure_port(f"unix:{socket}")
            server.start()
            servers.callback(stop, server)
            attachments[f"hashicorp/{provider}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": os.getpid(),
                "Test": True,  # Terraform must not end this process
                "Addr": {"Network": "unix", "String": str(socket)},
            }
        servers.callback(running.end)
        running.environment["TF_REATTACH_PROVIDERS"] = json.dumps(attachments)
        yield running


def stop(server: grpc.Server) -> None:
    server.stop(grace=None).wait()


class Provider:
    """A recorded provider's answers to Terraform's calls."""

    def __init__(self, name: str, schemas: Path, running: Replay) -> None:
        self.name = name
        self.legacy = name in effects.LEGACY
        self.running = running
        schema = recorded(name, schemas)
        self.resources = schema["resource_schemas"]
        self.data_sources = schema["data_source_schemas"]
        self.response = schema_response(schema)

    def handlers(self) -> grpc.GenericRpcHandler:
        """The calls as gRPC knows them; whatever is not in this list is refused as unknown."""
        answers: dict[str, Callable[[Message], Message]] = {
            "GetMetadata": lambda _: self.metadata(),
            "GetProviderSchema": lambda _: self.response,
            "GetFunctions": lambda _: protocol.GetFunctions.Response(),
            "ValidateProviderConfig": lambda _: protocol.ValidateProviderConfig.Response(),
            "ValidateResourceConfig": self.validate_resource,
            "ValidateDataResourceConfig": self.validate_data_source,
            "ConfigureProvider": lambda _: protocol.ConfigureProvider.Response(),
            "UpgradeResourceState": self.upgrade,
            "ReadResource": self.read,
            "ReadDataSource": self.read_data_source,
            "PlanResourceChange": self.plan,
            "ApplyResourceChange": self.apply,
            "StopProvider": lambda _: protocol.StopProvider.Response(),
        }
        service = protocol.DESCRIPTOR.services_by_name["Provider"]
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                lambda request, _, answer=answer: answer(request),
                GetMessageClass(service.methods_by_name[name].input_type).FromString,
                lambda response: response.SerializeToString(),
            )
            for name, answer in answers.items()
        }
        return grpc.method_handlers_generic_handler(service.full_name, handlers)

    def metadata(self) -> Message:
        return protocol.GetMetadata.Response(
            server_capabilities=self.response.server_capabilities,
            resources=[{"type_name": name} for name in self.resources],
            data_sources=[{"type_name": name} for name in self.data_sources],
        )

    def validate_resource(self, request: Message) -> Message:
        block = self.resources[request.type_name]["block"]
        found = refusals(block, values.decode(request.config))
        return protocol.ValidateResourceConfig.Response(diagnostics=found)

    def validate_data_source(self, request: Message) -> Message:
        block = self.data_sources[request.type_name]["block"]
        found = refusals(block, values.decode(request.config))
        return protocol.ValidateDataResourceConfig.Response(diagnostics=found)

    def upgrade(self, request: Message) -> Message:
        state = protocol.DynamicValue(json=request.raw_state.json)
        return protocol.UpgradeResourceState.Response(upgraded_state=state)

    def read(self, request: Message) -> Message:
        """Answer with the state as it is, or with nothing when it was deleted from elsewhere."""
        state = values.decode(request.current_state)
        made = int(request.private or 0)
        if state is not None and self.running.is_gone(request.type_name, state, made):
            return protocol.ReadResource.Response(new_state=values.encode(None))
        return protocol.ReadResource.Response(
            new_state=request.current_state, private=request.private
        )

    def read_data_source(self, request: Message) -> Message:
        block = self.data_sources[request.type_name]["block"]
        planned = values.plan(block, values.decode(request.config))
        state = values.complete(block, planned, request.config.msgpack)
        return protocol.ReadDataSource.Response(state=values.encode(state))

    def plan(self, request: Message) -> Message:
        block = self.resources[request.type_name]["block"]
        proposed, prior = map(values.decode, (request.proposed_new_state, request.prior_state))
        if self.legacy:
            proposed = effects.unwritten(request.type_name, block, proposed, prior)
        return protocol.PlanResourceChange.Response(
            planned_state=values.encode(values.plan(block, proposed)),
            planned_private=request.prior_private,
            legacy_type_system=self.legacy,
        )

    def apply(self, request: Message) -> Message:
        block = self.resources[request.type_name]["block"]
        prior, planned = values.decode(request.prior_state), values.decode(request.planned_state)
        action = "create" if prior is None else "delete" if planned is None else "update"
        configuration = prior if planned is None else values.decode(request.config)
        with self.running.changing(self.name, request.type_name, action, configuration) as started:
            seed = request.type_name.encode() + request.planned_state.msgpack
            state = values.complete(block, planned, seed)
            if self.legacy:
                state = effects.written(request.type_name, block, state)
        made = str(started).encode() if action == "create" else request.planned_private
        return protocol.ApplyResourceChange.Response(
            new_state=values.encode(state), private=made, legacy_type_system=self.legacy
        )


def refusals(block: Schema, configuration: values.Value) -> list[Message]:
    """Return what providers say about a value for an attribute that only they can set."""
    return [
        protocol.Diagnostic(
            severity=protocol.Diagnostic.ERROR,
            summary="Value for unconfigurable attribute",
            detail=f'Can\'t configure a value for "{".".join(map(str, path))}": its value will be '
            "decided automatically based on the result of applying this configuration.",
            attribute=protocol.AttributePath(steps=[step(part) for part in path]),
        )
        for path in values.unconfigurable(block, configuration)
    ]


def step(part: str | int) -> Message:
    if isinstance(part, int):
        return protocol.AttributePath.Step(element_key_int=part)
    return protocol.AttributePath.Step(attribute_name=part)
