"""Deliver event files to the function that `make run` serves.

A file that is a CloudEvent (it has `specversion`) is posted as one; any other JSON is posted as the
body of a request. The status is 1 when one is not answered with 2xx, or by nobody.
"""

import argparse
import json
import urllib.request
from http.client import HTTPException
from pathlib import Path

from closed_function.command_line import not_empty
from closed_function.errors import CommandError, ExitStatus
from closed_function.paths import EVENTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=lambda text: Path(not_empty(text)),
        help="event files (default: events/*.json)",
    )
    parser.add_argument("--port", type=int, default=8080)


def run(options: argparse.Namespace) -> int:
    """Deliver the files one by one; print what each is answered."""
    succeeded = True
    for file in options.files or sorted(EVENTS.glob("*.json")):
        try:
            body = file.read_bytes()
            kind = content_type(json.loads(body))
        except (OSError, ValueError, RecursionError) as error:
            raise CommandError(
                f"{file}: cannot be read as JSON ({error})", ExitStatus.WRONG
            ) from None
        try:
            status, answer = post(body, kind, options.port)
        except KeyboardInterrupt:
            raise CommandError(
                f"{file.name}: interrupted before the function had answered", ExitStatus.INTERRUPTED
            ) from None
        except (OSError, HTTPException) as error:
            raise CommandError(
                f"{file.name}: not delivered ({error}); is `make run` running?", ExitStatus.WRONG
            ) from None
        print(f"{file.name}: {status} {answer.strip()[:300]}")
        succeeded = succeeded and 200 <= status < 300
    return ExitStatus.DONE if succeeded else ExitStatus.WRONG


def content_type(event: object) -> str:
    """Return the media type under which `event`, a decoded event file, is delivered."""
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
