"""Deliver Pub/Sub messages in each form in which they can arrive."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cloudevents.http import CloudEvent

from framework_client import create_client, log_lines, post, post_binary, push
from pubsub_message import PoisonMessageError, published

if TYPE_CHECKING:
    from werkzeug.test import Client

FUNCTION = """
import functions_framework
from pubsub_message import PoisonMessageError, drop_message_without_data, published
from structured_log import log

functions_framework.errorhandler(400)(drop_message_without_data)

@functions_framework.cloud_event
def handle(event):
    try:
        log("INFO", "Message received", content=published(event))
    except PoisonMessageError as error:
        log("ERROR", f"Message dropped: {error}", event_id=event["id"])
"""
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "13284501711111111",
    "source": "//pubsub.googleapis.com/projects/my-project-id/topics/my-topic",
    "type": "google.cloud.pubsub.topic.v1.messagePublished",
}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    source = tmp_path / "handle.py"
    source.write_text(FUNCTION, encoding="utf-8")
    return create_client(source, "handle")


def message(data: object) -> dict[str, Any]:
    """Return a message with this data: bytes are encoded first."""
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return {"data": encoded, "messageId": ATTRIBUTES["id"], "publishTime": "2026-11-23T09:00:00Z"}


def test_a_message_is_the_same_in_a_push_and_in_both_modes_of_an_event(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = message('{"customer": "株式会社サンプル"}'.encode())
    event = ATTRIBUTES | {"data": {"message": sent}}
    responses = [push(client, sent), post(client, event), post_binary(client, event)]
    assert [response.status_code for response in responses] == [200] * 3
    lines = log_lines(capsys)
    assert [line["content"] for line in lines] == [{"customer": "株式会社サンプル"}] * 3


@pytest.mark.parametrize(
    ("content", "value"), [(b"{}", {}), (b"[1]", [1]), (b"null", None), (b'"\\u0000"', "\0")]
)
def test_any_json_is_a_value(content: bytes, value: object) -> None:
    assert published(CloudEvent(ATTRIBUTES, {"message": message(content)})) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(None, "no Pub/Sub message data", id="null event"),
        pytest.param([], "no Pub/Sub message data", id="a list"),
        pytest.param({"message": None}, "no Pub/Sub message data", id="null message"),
        pytest.param({"message": {"messageId": "1"}}, "no Pub/Sub message data", id="no data"),
        pytest.param({"message": message("%%%")}, "not base64", id="not base64"),
        pytest.param({"message": message(5)}, "not base64", id="a number for base64"),
        pytest.param({"message": message(b"order")}, "not JSON", id="not JSON"),
        pytest.param({"message": message(b'{"a": "\xff"}')}, "not JSON", id="invalid UTF-8"),
        pytest.param({"message": message(b"[" * 100_000)}, "not JSON", id="too deep"),
    ],
)
def test_a_poison_message_is_refused_with_the_reason(data: object, reason: str) -> None:
    with pytest.raises(PoisonMessageError, match=reason):
        published(CloudEvent(ATTRIBUTES, data))


@pytest.mark.parametrize("without_data", [{}, {"data": ""}, {"data": None}], ids=str)
def test_a_pushed_message_with_only_attributes_is_logged_and_acknowledged(
    client: Client, capsys: pytest.CaptureFixture[str], without_data: dict[str, Any]
) -> None:
    sent = message(b"{}")
    del sent["data"]
    assert push(client, sent | without_data).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"].startswith("Message dropped: ")
    assert line["event_id"] == ATTRIBUTES["id"]


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
    capsys: pytest.CaptureFixture[str],
    method: str,
    content_type: str | None,
    body: str,
    status: int,
    reason: str,
) -> None:
    response = client.open("/", method=method, data=body, content_type=content_type)
    assert response.status_code == status
    assert reason in html.unescape(response.text)
    assert log_lines(capsys) == []
