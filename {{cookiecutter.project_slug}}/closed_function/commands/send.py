"""Deliver event files to the function that `make run` serves.

A CloudEvent (it has `specversion`) is posted as one; any other JSON is the body of a plain request.
The status is 1 when an answer is not 2xx, or when nothing answers.
"""

import argparse
import json
import urllib.request
from http.client import HTTPException
from pathlib import Path

from closed_function.command_line import not_empty
from closed_function.errors import CommandError, ExitStatus
from closed_function.paths import EVENTS
from closed_function.redaction import one_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=lambda text: Path(not_empty(text)),
        help="event files (default: events/*.json)",
    )
    parser.add_argument("--port", type=int, default=8080)


def run(options: argparse.Namespace) -> int:
    statuses = []
    for file in options.files or sorted(EVENTS.glob("*.json")):
        try:
            body = file.read_bytes()
            event = json.loads(body)
        except (OSError, ValueError, RecursionError) as error:
            why = f"{file}: cannot be read as JSON ({error})"
            raise CommandError(why, ExitStatus.WRONG) from None
        try:
            status, answer = post(body, content_type(event), options.port)
        except KeyboardInterrupt:
            why = f"{file.name}: interrupted before the function had answered"
            raise CommandError(why, ExitStatus.INTERRUPTED) from None
        except (OSError, HTTPException) as error:
            why = f"{file.name}: not delivered ({error}); is `make run` running?"
            raise CommandError(why, ExitStatus.WRONG) from None
        print(f"{file.name}: {status} {one_line(answer)[:300]}")
        statuses.append(status)
    succeeded = all(200 <= status < 300 for status in statuses)
    return ExitStatus.DONE if succeeded else ExitStatus.WRONG


def content_type(event: object) -> str:
    is_cloud_event = isinstance(event, dict) and "specversion" in event
    return "application/cloudevents+json" if is_cloud_event else "application/json"


def post(body: bytes, media_type: str, port: int) -> tuple[int, str]:
    """Post `body` to this machine; return status and answer, whatever the status is."""
    headers = {"Content-Type": media_type}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body, headers=headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=60) as response:
            return response.status, response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")
