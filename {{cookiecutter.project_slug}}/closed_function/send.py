"""Deliver event files to the function that `make run` serves.

A file that is a CloudEvent (it has `specversion`) is posted as one; any other JSON is posted as the
body of a request.

Exit status: 0 all answered with 2xx; 1 one was not, or nobody answered; 2 usage; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from closed_function.command_line import INTERRUPTED, Parser, not_empty

EVENTS = Path(__file__).resolve().parent.parent / "events"


def content_type(event: object) -> str:
    """The media type under which `event`, a decoded event file, is delivered."""
    is_cloud_event = isinstance(event, dict) and "specversion" in event
    return "application/cloudevents+json" if is_cloud_event else "application/json"


def post(body: bytes, kind: str, port: int) -> tuple[int, str]:
    """Post `body` as media type `kind` to 127.0.0.1:`port`; return status and answer.

    Raises OSError or HTTPException when nobody answers, or nobody who speaks HTTP.
    """
    headers = {"Content-Type": kind}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body, headers=headers)
    local = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with local.open(request, timeout=60) as response:
            return response.status, response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description="Deliver event files to the local function.")
    parser.add_argument(
        "files",
        nargs="*",
        type=lambda text: Path(not_empty(text)),
        help="event files (default: events/*.json)",
    )
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args(argv)
    succeeded = True
    for file in options.files or sorted(EVENTS.glob("*.json")):
        try:
            body = file.read_bytes()
            kind = content_type(json.loads(body))
        except (OSError, ValueError, RecursionError) as error:
            print(f"{file}: cannot be read as JSON ({error})", file=sys.stderr)
            return 1
        try:
            status, answer = post(body, kind, options.port)
        except KeyboardInterrupt:
            print(f"{file.name}: interrupted before the function had answered", file=sys.stderr)
            return INTERRUPTED
        except (OSError, HTTPException) as error:
            print(f"{file.name}: not delivered ({error}); is `make run` running?", file=sys.stderr)
            return 1
        print(f"{file.name}: {status} {answer.strip()[:300]}")
        succeeded = succeeded and 200 <= status < 300
    return 0 if succeeded else 1


if __name__ == "__main__":
    raise SystemExit(main())
