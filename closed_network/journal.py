"""The gate's record of every request, and how it reaches those who read it.

The gate reports each request, before it answers, into one end of a socket pair; the reader keeps
what arrives in its memory. No file holds it that a client could write.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Request:
    """One request that reached the gate.

    `status` is the answer's; `size` its body in bytes; `refused` says that the gate itself answered
    because the host is not part of Artifact Registry; `agent` is the User-Agent header; `sha256` is
    that of the body as it was sent; `time` is when the request came, in seconds since 1970.
    """

    host: str
    method: str
    path: str
    status: int
    size: int
    refused: bool
    agent: str
    sha256: str = ""
    time: float = 0.0


def report_request(request: Request, records: socket.socket) -> None:
    """Report `request` to the journal at the other end of `records`, one JSON object a line."""
    records.sendall(json.dumps(asdict(request)).encode() + b"\n")


class Journal:
    """The requests that were reported into the other end of `records`; without one there are none.

    A request is in the journal when the client gets its answer.
    """

    def __init__(self, records: socket.socket | None = None) -> None:
        self.requests: list[Request] = []
        self.rest = b""
        self.records = records
        self.lock = threading.Lock()
        if records:
            records.settimeout(0)
            threading.Thread(target=self.keep_reading, args=(records,), daemon=True).start()

    def keep_reading(self, records: socket.socket) -> None:
        """Read all the time, so that the gate never waits."""
        with contextlib.suppress(OSError, ValueError):  # it was closed here
            while select.select([records], [], [])[0] and self.drain(records):
                pass

    def drain(self, records: socket.socket) -> bool:
        """Take in what has arrived; return whether more can."""
        with self.lock:
            try:
                while received := records.recv(1 << 16):
                    *lines, self.rest = (self.rest + received).split(b"\n")
                    self.requests += [Request(**json.loads(line)) for line in lines]
            except BlockingIOError:
                return True
            return False

    def read(self, since: int = 0) -> list[Request]:
        """The requests from number `since` on, the first being 0."""
        if self.records:
            self.drain(self.records)
        return self.requests[since:]


def requests_by_host(requests: Iterable[Request]) -> dict[str, int]:
    """How many of `requests` went to each host, most first."""
    return dict(Counter(request.host for request in requests).most_common())
