"""The function behind the test client of the functions framework: in this process, on no port."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import functions_framework

from real_parts import ROOT, entry_point

if TYPE_CHECKING:
    import pytest
    from werkzeug.test import Client, TestResponse

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def create_client(source: Path = ROOT / "function/main.py", target: str = "") -> Client:
    """Load the function anew; its target defaults to the entry point that is deployed."""
    client: Client = functions_framework.create_app(  # type: ignore[no-untyped-call]
        target=target or entry_point(), source=str(source)
    ).test_client()
    return client


def replace_process(monkeypatch: pytest.MonkeyPatch, result: object = None) -> mock.Mock:
    """Put a mock in the place of your code, in the function that was loaded last."""
    module = sys.modules["main"]
    process: mock.Mock = mock.create_autospec(module.process, return_value=result)
    monkeypatch.setattr(module, "process", process)
    return process


def load(name: str) -> dict[str, Any]:
    """Read an example from events/."""
    event: dict[str, Any] = json.loads((ROOT / "events" / name).read_text(encoding="utf-8"))
    return event


def post(client: Client, event: dict[str, Any], **headers: str) -> TestResponse:
    """Send an event in structured mode, which is all in the body."""
    return client.post(
        "/",
        data=json.dumps(event),
        content_type="application/cloudevents+json",
        headers=headers,
    )


def post_binary(client: Client, event: dict[str, Any]) -> TestResponse:
    """Send an event in binary mode, whose attributes are headers."""
    headers = {f"ce-{name}": event[name] for name in ("specversion", "id", "source", "type")}
    return client.post("/", json=event["data"], headers=headers)


def push(client: Client, message: dict[str, Any]) -> TestResponse:
    """Send a message as the deployed Pub/Sub subscription does, which wraps it in no CloudEvent."""
    subscription = "projects/my-project-id/subscriptions/my-subscription"
    return client.post("/", json={"message": message, "subscription": subscription})


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Take what was logged since the last look."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
