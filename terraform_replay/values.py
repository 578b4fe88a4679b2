"""Values as Terraform sends them, and the three things that the replay does with them.

A block's value is a dict with a key for every attribute and nested block of its schema.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgpack
from google.protobuf.message import Message
from tf.gen import tfplugin_pb2 as protocol

from .schemas import Schema

# None, unknown, a scalar, a list or a dict.
Value = Any
Path = tuple[str | int, ...]
UNKNOWN = msgpack.ExtType(0, b"\0")


def decode(message: Message) -> Value:
    if message.msgpack:
        return msgpack.unpackb(message.msgpack, strict_map_key=False)
    return json.loads(message.json or "null")


def encode(value: Value) -> Message:
    return protocol.DynamicValue(msgpack=msgpack.packb(value))


def is_unknown(value: object) -> bool:
    return isinstance(value, msgpack.ExtType)


def transform(block: Schema, value: Value, change: Callable[[Path, Schema, Value], Value]) -> Value:
    """`value` with what `change(path, attribute's schema, its value)` returns for each attribute.

    The attributes of nested blocks and of nested attribute types are visited, too.
    """

    def visit(block: Schema, value: Value, path: Path) -> Value:
        if value is None or is_unknown(value):
            return value
        result = dict(value)
        for name, attribute in block.get("attributes", {}).items():
            changed = change((*path, name), attribute, value[name])
            nested = attribute.get("nested_type")
            result[name] = visit_all(nested, changed, (*path, name)) if nested else changed
        for name, kind in block.get("block_types", {}).items():
            inner = {**kind["block"], "nesting_mode": kind["nesting_mode"]}
            result[name] = visit_all(inner, value[name], (*path, name))
        return result

    def visit_all(nested: Schema, value: Value, path: Path) -> Value:
        if value is None or is_unknown(value):
            return value
        if nested["nesting_mode"] in {"single", "group"}:
            return visit(nested, value, path)
        if nested["nesting_mode"] == "map":
            return {key: visit(nested, item, (*path, key)) for key, item in value.items()}
        return [visit(nested, item, (*path, index)) for index, item in enumerate(value)]

    return visit(block, value, ())


def plan(block: Schema, proposed: Value) -> Value:
    """The planned state: what the provider computes is unknown until it has a value."""

    def change(_: Path, attribute: Schema, value: Value) -> Value:
        if attribute.get("write_only"):
            return None
        return UNKNOWN if attribute.get("computed") and value is None else value

    return transform(block, proposed, change)


def complete(block: Schema, planned: Value, seed: bytes) -> Value:
    """The state after an apply: a made-up value, the same for the same seed, for each unknown."""
    digest = hashlib.sha256(seed).hexdigest()

    def change(path: Path, attribute: Schema, value: Value) -> Value:
        return made_up(attribute, str(path[-1]), digest) if is_unknown(value) else value

    return transform(block, planned, change)


def made_up(attribute: Schema, name: str, digest: str) -> Value:
    """A value for the computed `attribute`."""
    if "nested_type" not in attribute:
        return made_up_of(attribute["type"], name, digest)
    nested = attribute["nested_type"]
    if nested["nesting_mode"] == "single":
        inner = nested["attributes"].items()
        return {key: made_up(item, key, digest) for key, item in inner}
    return {} if nested["nesting_mode"] == "map" else []


def made_up_of(kind: str | list[Any], name: str, digest: str) -> Value:
    """A value of a type that is written as in a schema, such as "string" or ["list", "string"]."""
    match kind:
        case str():
            return made_up_scalars(name, digest)[kind]
        case ["object", attributes, *_]:
            return {key: made_up_of(item, key, digest) for key, item in attributes.items()}
        case ["tuple", items]:
            return [made_up_of(item, name, digest) for item in items]
        case ["map", _]:
            return {}
        case _:
            return []


def made_up_scalars(name: str, digest: str) -> dict[str, Value]:
    """A value of each type that is not made of others; a dynamic one is sent with its type."""
    text = made_up_string(name, digest)
    return {"string": text, "number": 0, "bool": False, "dynamic": [b'"string"', text]}


def made_up_string(name: str, digest: str) -> str:
    email = f"replayed-{digest[:12]}@replayed.iam.gserviceaccount.com"
    match name:
        case "number":
            # As long as a project's number.
            return f"{100_000_000_000 + int(digest, 16) % 900_000_000_000}"
        case "email" | "email_address":
            return email
        case "member":
            return f"serviceAccount:{email}"
        case _:
            return f"replayed-{digest[:12]}"


def unconfigurable(block: Schema, configuration: Value) -> list[Path]:
    """The paths of the attributes that `configuration` sets and that only a provider can set."""
    found: list[Path] = []

    def look(path: Path, attribute: Schema, value: Value) -> Value:
        only_computed = attribute.get("computed") and not attribute.get("optional")
        if only_computed and value is not None:
            found.append(path)
        return value

    transform(block, configuration, look)
    return found
