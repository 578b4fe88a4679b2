"""Send events to the functions framework, as Pub/Sub delivers them."""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from framework_client import (
    TRACE,
    TRACEPARENT,
    create_client,
    load,
    log_lines,
    post,
    push,
    replace_process,
)

if TYPE_CHECKING:
    from werkzeug.test import Client


@pytest.fixture
def client() -> Client:
    return create_client()


@pytest.fixture
def process(client: Client, monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Replace your code by a mock."""
    assert client
    return replace_process(monkeypatch)


def event_with(data: object) -> dict[str, Any]:
    """Return message.json with other data: bytes are encoded first."""
    event = load("message.json")
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    event["data"]["message"]["data"] = encoded
    return event


def test_the_message_reaches_your_code(client: Client, process: mock.Mock) -> None:
    assert post(client, load("message.json")).status_code == 200
    process.assert_called_once_with(
        {"order_id": "A-1001", "customer": "株式会社サンプル", "quantity": 3}
    )


def test_the_sample_logs_the_message(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert post(client, load("message.json")).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "INFO"
    assert line["keys"] == ["customer", "order_id", "quantity"]


def test_a_pushed_message_is_the_same_message(
    client: Client, process: mock.Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    message = load("message.json")["data"]["message"]
    assert push(client, message).status_code == 200
    process.assert_called_once_with(
        {"order_id": "A-1001", "customer": "株式会社サンプル", "quantity": 3}
    )
    process.side_effect = ConnectionError("the database is away")
    assert push(client, message).status_code == 500
    assert log_lines(capsys)[0]["event_id"] == message["messageId"]


def test_the_largest_message_reaches_your_code(client: Client, process: mock.Mock) -> None:
    published = {"notes": "x" * (10_000_000 - len('{"notes": ""}'))}
    content = json.dumps(published).encode()
    assert len(content) == 10_000_000
    message = load("message.json")["data"]["message"] | {"data": base64.b64encode(content).decode()}
    assert push(client, message).status_code == 200
    # Not assert_called_once_with, which would print all of it.
    assert [call.args == (published,) for call in process.call_args_list] == [True]


def test_a_pushed_message_with_only_attributes_is_a_poison_message(
    client: Client, process: mock.Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    message = load("message.json")["data"]["message"]
    del message["data"]
    assert push(client, message).status_code == 200
    process.assert_not_called()
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"].startswith("Message dropped: ")
    assert line["event_id"] == "13284501711111111"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(event_with(b"order"), "not JSON", id="not JSON"),
        pytest.param(event_with(b"[1]"), "not an object", id="a list"),
    ],
)
def test_a_poison_message_is_logged_and_acknowledged_without_your_code(
    client: Client,
    process: mock.Mock,
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    reason: str,
) -> None:
    assert post(client, event).status_code == 200
    process.assert_not_called()
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert reason in line["message"]
    assert line["event_id"] == "13284501711111111"


def test_your_code_can_drop_a_message(
    client: Client, process: mock.Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    process.side_effect = sys.modules["main"].PoisonMessageError("the quantity is negative")
    assert post(client, load("message.json")).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"] == "Message dropped: the quantity is negative"


def test_a_failure_of_your_code_is_logged_with_its_trace_and_delivered_again(
    client: Client,
    process: mock.Mock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project-id")
    process.side_effect = ConnectionError("the database is away")
    response = post(client, load("message.json"), traceparent=TRACEPARENT)
    assert response.status_code == 500
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"] == "Message not processed: the database is away"
    assert line["stack_trace"].endswith("ConnectionError: the database is away\n")
    assert line["logging.googleapis.com/trace"] == f"projects/my-project-id/traces/{TRACE}"
