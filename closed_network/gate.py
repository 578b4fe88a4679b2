"""The gate: a proxy that lets nothing through but Artifact Registry and records every request.

It runs as a process of its own, outside the closed network. Its standard input begins with the
access token that it accepts; when the input ends, so does the gate.
mitmproxy ends the clients' TLS with an authority made for this run; nothing it receives is ever
sent on to the host that was asked for: the stand-in answers, or the gate refuses.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import cast

from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from closed_function.index import Index

from .journal import Request, report_request
from .stand_in import Answer, ArtifactRegistry

REFUSAL = Answer(403, b"the closed network refuses this host\n", {"content-type": "text/plain"})


class Gate:
    """The mitmproxy addon: refuse, or let the stand-in answer, and record either."""

    def __init__(self, registry: ArtifactRegistry, records: socket.socket) -> None:
        self.registry, self.records = registry, records

    def http_connect(self, flow: http.HTTPFlow) -> None:
        if not self.registry.serves(flow.request.host):
            self.reply(flow, REFUSAL, refused=True)

    async def request(self, flow: http.HTTPFlow) -> None:
        request = flow.request
        if not self.registry.serves(request.host) or request.scheme != "https":
            self.reply(flow, REFUSAL, refused=True)
            return
        headers = {name.lower(): request.headers[name] for name in request.headers}
        path = request.path.partition("?")[0]
        answer = await asyncio.to_thread(
            self.registry.answer,
            request.method,
            request.host,
            path,
            headers,
            request.content or b"",
        )
        self.reply(flow, answer, refused=False)

    def reply(self, flow: http.HTTPFlow, answer: Answer, *, refused: bool) -> None:
        flow.response = http.Response.make(answer.status, answer.body, answer.headers)
        request = Request(
            host=flow.request.host,
            method=flow.request.method,
            path=flow.request.path.partition("?")[0],
            status=answer.status,
            size=len(answer.body),
            refused=refused,
            agent=flow.request.headers.get("user-agent", ""),
            sha256=hashlib.sha256(answer.body).hexdigest(),
            time=round(flow.request.timestamp_start, 3),
        )
        report_request(request, self.records)


async def relay(listener: socket.socket, port: int) -> asyncio.Server:
    """Carry every connection that `listener` accepts to 127.0.0.1:`port`.

    The listener was made inside the closed network and handed out of it; a socket belongs to the
    network in which it was made, so this is the one way through.
    """

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gate_reader, gate_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, gate_writer), carry(gate_reader, writer))

    return await asyncio.start_server(accept, sock=listener)


def receive_listener(door: int) -> socket.socket:
    """Wait for the closed network to hand over its listening socket through `door`."""
    with socket.socket(fileno=door) as end:
        _, descriptors, _, _ = socket.recv_fds(end, 1, 1)
    return socket.socket(fileno=descriptors[0])


async def serve(
    folder: Path, registry: ArtifactRegistry, records: socket.socket, door: int | None
) -> None:
    """Serve until standard input ends. `folder` gets the authority, `records` every request."""
    master = DumpMaster(
        Options(
            listen_host="127.0.0.1",
            listen_port=0,
            confdir=str(folder),
        ),
        with_termlog=False,
        with_dumper=False,
    )
    # Never open a connection to the host that a client names, not even to copy its certificate.
    master.options.update(  # type: ignore[no-untyped-call]
        connection_strategy="lazy", upstream_cert=False
    )
    master.addons.add(Gate(registry, records))  # type: ignore[no-untyped-call]
    running = asyncio.create_task(master.run())
    proxy = cast(Proxyserver, master.addons.get("proxyserver"))  # type: ignore[no-untyped-call]
    while not (addresses := proxy.listen_addrs()):
        if running.done():
            await running
        await asyncio.sleep(0.01)
    port = int(addresses[0][1])
    print(json.dumps({"port": port}), flush=True)

    end = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.read))
    servers = []
    if door is not None:
        handed = asyncio.create_task(asyncio.to_thread(receive_listener, door))
        await asyncio.wait({end, handed}, return_when=asyncio.FIRST_COMPLETED)
        if handed.done():
            servers.append(await relay(handed.result(), port))
    await end
    # Nothing is worth an orderly end: the folder goes with the run, and threads may still wait.
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="closed_network.gate")
    parser.add_argument("folder", type=Path)
    for name in Index._fields:
        parser.add_argument(name)
    parser.add_argument("--policy", choices=("ALLOW", "DENY"), default="DENY")
    parser.add_argument("--records", type=int, required=True, help="descriptor for the requests")
    parser.add_argument("--door", type=int, help="descriptor that brings the network's listener")
    options = parser.parse_args()
    token = sys.stdin.readline().strip()
    index = Index(options.location, options.project, options.repository)
    registry = ArtifactRegistry(index, token, options.policy)
    with socket.socket(fileno=options.records) as records:
        asyncio.run(serve(options.folder, registry, records, options.door))


if __name__ == "__main__":
    main()
