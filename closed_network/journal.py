"""The gate's record of every request, one JSON object a line, and how the stages read it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


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


class Journal:
    """A file of requests, appended to by the gate and read by the stages."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, request: Request) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(request)) + "\n")

    def read(self, since: int = 0) -> list[Request]:
        """The requests from number `since` on, the first being 0."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return [Request(**json.loads(line)) for line in lines[since:]]


def requests_by_host(requests: Iterable[Request]) -> dict[str, int]:
    """How many of `requests` went to each host, most first."""
    return dict(Counter(request.host for request in requests).most_common())
