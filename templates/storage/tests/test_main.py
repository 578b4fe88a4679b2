"""Send events to the functions framework, as Eventarc delivers them."""

from __future__ import annotations

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
    post_binary,
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


def event_with(**changes: object) -> dict[str, Any]:
    """Return object-finalized.json with other data."""
    event = load("object-finalized.json")
    event["data"] |= changes
    return event


def test_the_object_reaches_your_code(client: Client, process: mock.Mock) -> None:
    assert post(client, load("object-finalized.json")).status_code == 200
    process.assert_called_once_with(
        sys.modules["main"].StoredObject(
            bucket="my-project-id-incoming",
            name="reports/2026-11-23/売上.csv",
            generation=1795424400123456,
            size=20480,
            content_type="text/csv",
        )
    )


def test_the_sample_logs_the_object(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert post(client, load("object-finalized.json")).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "INFO"
    assert line["message"].endswith("gs://my-project-id-incoming/reports/2026-11-23/売上.csv")
    assert line["size"] == 20480


def test_an_event_in_binary_mode_is_the_same_event(client: Client, process: mock.Mock) -> None:
    assert post_binary(client, load("object-finalized.json")).status_code == 200
    (stored,) = process.call_args.args
    assert stored.generation == 1795424400123456


def test_an_empty_object_without_a_content_type_is_an_object(
    client: Client, process: mock.Mock
) -> None:
    assert post(client, event_with(size="0", contentType=None)).status_code == 200
    (stored,) = process.call_args.args
    assert (stored.size, stored.content_type) == (0, "")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(event_with(name=None), "its data lacks name", id="null name"),
        pytest.param(event_with(name=""), "its data lacks name", id="empty name"),
        pytest.param(event_with(bucket="", size=None), "lacks bucket, size", id="two missing"),
        pytest.param(event_with(size=float("inf")), "not a number: ", id="infinite size"),
        pytest.param(event_with(generation="first"), "not a number: ", id="generation"),
        pytest.param(event_with(size=[]), "not a number: ", id="size"),
        pytest.param(
            load("object-finalized.json") | {"data": None},
            "lacks bucket, name, generation, size",
            id="null event",
        ),
        pytest.param(
            load("object-finalized.json") | {"type": "google.cloud.storage.object.v1.deleted"},
            "its type is google.cloud.storage.object.v1.deleted",
            id="another type",
        ),
    ],
)
def test_a_poison_event_is_logged_and_acknowledged_without_your_code(
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
    assert line["event_id"] == "13284501722222222"


def test_an_event_without_a_name_is_a_poison_event(
    client: Client, process: mock.Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    event = load("object-finalized.json")
    del event["data"]["name"]
    assert post(client, event).status_code == 200
    process.assert_not_called()
    assert "its data lacks name" in log_lines(capsys)[0]["message"]


def test_your_code_can_drop_an_event(
    client: Client, process: mock.Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    process.side_effect = sys.modules["main"].PoisonEventError("it is no report")
    assert post(client, load("object-finalized.json")).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"] == "Event dropped: it is no report"


def test_a_deleted_object_reaches_your_code_which_can_drop_its_event(
    client: Client, process: mock.Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    # Deleting an object does not remove its event.
    process.side_effect = sys.modules["main"].PoisonEventError("the object is gone")
    assert post(client, load("object-finalized.json")).status_code == 200
    (stored,) = process.call_args.args
    assert (stored.name, stored.generation) == ("reports/2026-11-23/売上.csv", 1795424400123456)
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"] == "Event dropped: the object is gone"
    assert line["event_id"] == "13284501722222222"


def test_a_failure_of_your_code_is_logged_with_its_trace_and_delivered_again(
    client: Client,
    process: mock.Mock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project-id")
    process.side_effect = ConnectionError("the database is away")
    response = post(client, load("object-finalized.json"), traceparent=TRACEPARENT)
    assert response.status_code == 500
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"] == "Object not processed: the database is away"
    assert line["stack_trace"].endswith("ConnectionError: the database is away\n")
    assert line["logging.googleapis.com/trace"] == f"projects/my-project-id/traces/{TRACE}"
