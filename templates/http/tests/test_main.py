"""Send requests to the functions framework."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from framework_client import TRACE, TRACEPARENT, create_client, log_lines, replace_process
from real_parts import ROOT

if TYPE_CHECKING:
    from werkzeug.test import Client

REQUEST = (ROOT / "events/request.json").read_bytes()


@pytest.fixture
def client() -> Client:
    return create_client()


@pytest.fixture
def process(client: Client, monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Replace your code by a mock."""
    assert client
    return replace_process(monkeypatch, {"done": True})


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_the_body_reaches_your_code_and_its_result_the_sender(
    client: Client, process: mock.Mock, content_type: str
) -> None:
    response = client.post("/", data=REQUEST, content_type=content_type)
    assert (response.status_code, response.json) == (200, {"done": True})
    process.assert_called_once_with(
        {"order_id": "A-1001", "customer": "株式会社サンプル", "quantity": 3}
    )


def test_the_sample_answers_the_keys(client: Client) -> None:
    response = client.post("/", data=REQUEST, content_type="application/json")
    assert response.status_code == 200
    assert response.json == {"keys": ["customer", "order_id", "quantity"]}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_another_method_is_refused_with_the_one_allowed(
    client: Client, process: mock.Mock, method: str
) -> None:
    response = client.open("/", method=method, data=REQUEST, content_type="application/json")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.json == {"error": f"use POST, not {method}"}
    process.assert_not_called()


@pytest.mark.parametrize(
    ("content_type", "named"),
    [
        ("text/plain", "text/plain"),
        ("application/merge-patch+json", "application/merge-patch+json"),
        (None, "missing"),
    ],
)
def test_another_content_type_is_refused_and_named(
    client: Client, process: mock.Mock, content_type: str | None, named: str
) -> None:
    response = client.post("/", data=REQUEST, content_type=content_type)
    assert response.status_code == 415
    assert response.json == {"error": f"the content type is {named}; send application/json"}
    process.assert_not_called()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "the body is not JSON: Expecting value", id="empty"),
        pytest.param(b"{'a': 1}", "the body is not JSON: Expecting property", id="not JSON"),
        pytest.param(b'{"a": "\xff"}', "the body is not JSON: 'utf-8'", id="invalid UTF-8"),
        pytest.param(b"[" * 100_000, "the body is not JSON: ", id="too deep"),
        pytest.param(b"[1]", "the body is JSON, but not an object", id="a list"),
        pytest.param(b"null", "the body is JSON, but not an object", id="null"),
    ],
)
def test_a_bad_body_is_refused_with_the_reason(
    client: Client, process: mock.Mock, body: bytes, reason: str
) -> None:
    response = client.post("/", data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["error"].startswith(reason)
    process.assert_not_called()


def test_your_code_can_refuse_a_body(client: Client, process: mock.Mock) -> None:
    process.side_effect = sys.modules["main"].RequestError("the quantity is negative")
    response = client.post("/", data=REQUEST, content_type="application/json")
    assert (response.status_code, response.json) == (400, {"error": "the quantity is negative"})


def test_a_failure_of_your_code_is_logged_with_its_trace_and_hidden_from_the_sender(
    client: Client,
    process: mock.Mock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project-id")
    process.side_effect = ConnectionError("the database is away")
    headers = {"traceparent": TRACEPARENT}
    response = client.post("/", data=REQUEST, content_type="application/json", headers=headers)
    assert response.status_code == 500
    assert "database" not in response.text
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"] == "Request not answered: the database is away"
    assert line["stack_trace"].endswith("ConnectionError: the database is away\n")
    assert line["logging.googleapis.com/trace"] == f"projects/my-project-id/traces/{TRACE}"
