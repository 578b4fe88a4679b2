"""Send events to the functions framework, as Pub/Sub delivers them."""

from __future__ import annotations

import base64
import html
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import functions_framework
import pytest

if TYPE_CHECKING:
    from werkzeug.test import Client, TestResponse

ROOT = Path(__file__).parents[1]
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def client() -> Client:
    client: Client = functions_framework.create_app(  # type: ignore[no-untyped-call]
        target="handle_message", source=str(ROOT / "function/main.py")
    ).test_client()
    return client


@pytest.fixture
def process(client: Client, monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Replace your code by a mock."""
    assert client
    module = sys.modules["main"]
    process: mock.Mock = mock.create_autospec(module.process, return_value=None)
    monkeypatch.setattr(module, "process", process)
    return process


def post(client: Client, event: dict[str, Any], **headers: str) -> TestResponse:
    return client.post(
        "/",
        data=json.dumps(event),
        content_type="application/cloudevents+json",
        headers=headers,
    )


def load() -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events/message.json").read_text(encoding="utf-8"))
    return event


def event_with(data: object) -> dict[str, Any]:
    """Return message.json with other data: bytes are encoded first."""
    event = load()
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    event["data"]["message"]["data"] = encoded
    return event


def push(client: Client, message: dict[str, Any]) -> TestResponse:
    """Post a message as the deployed subscription does, without a CloudEvent around it."""
    body = {"message": message, "subscription": "projects/my-project-id/subscriptions/orders"}
    return client.post("/", json=body)


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_message_reaches_your_code(client: Client, process: mock.Mock) -> None:
    assert post(client, load()).status_code == 200
    process.assert_called_once_with(
        {"order_id": "A-1001", "customer": "株式会社サンプル", "quantity": 3}
    )


def test_the_sample_logs_the_message(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert post(client, load()).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "INFO"
    assert line["keys"] == ["customer", "order_id", "quantity"]


def test_an_event_in_binary_mode_is_the_same_event(client: Client, process: mock.Mock) -> None:
    event = load()
    headers = {f"ce-{name}": event[name] for name in ("specversion", "id", "source", "type")}
    assert client.post("/", json=event["data"], headers=headers).status_code == 200
    process.assert_called_once_with(
        {"order_id": "A-1001", "customer": "株式会社サンプル", "quantity": 3}
    )


def test_a_pushed_message_is_the_same_message(
    client: Client, process: mock.Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    message = load()["data"]["message"]
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
    message = load()["data"]["message"] | {"data": base64.b64encode(content).decode()}
    assert push(client, message).status_code == 200
    # Not assert_called_once_with, which would print all of it.
    assert [call.args == (published,) for call in process.call_args_list] == [True]


@pytest.mark.parametrize("without_data", [{}, {"data": ""}, {"data": None}], ids=str)
def test_a_pushed_message_with_only_attributes_is_a_poison_message(
    client: Client,
    process: mock.Mock,
    capsys: pytest.CaptureFixture[str],
    without_data: dict[str, Any],
) -> None:
    message = load()["data"]["message"]
    del message["data"]
    assert push(client, message | without_data).status_code == 200
    process.assert_not_called()
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"].startswith("Message dropped: ")
    assert line["event_id"] == "13284501711111111"


@pytest.mark.parametrize(
    ("method", "content_type", "body", "status", "reason"),
    [
        pytest.param("GET", None, "", 405, "The method is not allowed", id="GET"),
        pytest.param("PUT", "application/json", "{}", 405, "The method is not allowed", id="PUT"),
        pytest.param("POST", "text/plain", "{}", 415, "Content-Type was not", id="text"),
        pytest.param("POST", None, "{}", 415, "Content-Type was not", id="no content type"),
        pytest.param("POST", "application/json", "", 400, "could not understand", id="empty"),
        pytest.param("POST", "application/json", "{", 400, "could not understand", id="not JSON"),
        pytest.param("POST", "application/json", "{}", 400, "Failed to find specversion", id="{}"),
        pytest.param(
            "POST",
            "application/json",
            '{"message": {}, "subscription": "s"}',
            400,
            "Failed to find specversion",
            id="no message",
        ),
        pytest.param(
            "POST",
            "application/cloudevents+json",
            '{"specversion": "1.0", "id": "1", "type": "t"}',
            400,
            "Missing required attributes: {'source'}",
            id="no source",
        ),
    ],
)
def test_a_request_without_an_event_is_refused_with_the_reason(
    client: Client,
    process: mock.Mock,
    method: str,
    content_type: str | None,
    body: str,
    status: int,
    reason: str,
) -> None:
    response = client.open("/", method=method, data=body, content_type=content_type)
    assert response.status_code == status
    assert reason in html.unescape(response.text)
    process.assert_not_called()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(load() | {"data": None}, "no Pub/Sub message data", id="null event"),
        pytest.param(load() | {"data": {"message": {}}}, "no Pub/Sub message", id="no data"),
        pytest.param(event_with("%%%"), "not base64", id="not base64"),
        pytest.param(event_with(5), "not base64", id="a number for base64"),
        pytest.param(event_with(b"order"), "not JSON", id="not JSON"),
        pytest.param(event_with(b'{"customer": "\xff"}'), "not JSON", id="invalid UTF-8"),
        pytest.param(event_with(b"[" * 100_000), "not JSON", id="too deep"),
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
    assert post(client, load()).status_code == 200
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
    response = post(client, load(), traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    assert response.status_code == 500
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"] == "Message not processed: the database is away"
    assert line["stack_trace"].endswith("ConnectionError: the database is away\n")
    assert line["logging.googleapis.com/trace"] == f"projects/my-project-id/traces/{TRACE}"
