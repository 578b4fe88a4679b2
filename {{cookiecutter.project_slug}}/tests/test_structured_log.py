"""What Cloud Logging would read of each line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import flask
import functions_framework
import pytest

from structured_log import log, log_exception

if TYPE_CHECKING:
    from pathlib import Path

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    entry: dict[str, Any] = json.loads(line)
    return entry


def test_an_entry_is_one_line_and_keeps_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    log("INFO", "障害\nが発生", receiver="監視")
    assert written(capsys) == {"severity": "INFO", "message": "障害\nが発生", "receiver": "監視"}


def test_no_field_replaces_the_severity_or_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    log("ERROR", "true", severity="INFO", message="false")
    assert written(capsys) == {"severity": "ERROR", "message": "true"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23 00:00:00+00:00"),
        ([datetime(2026, 11, 23, tzinfo=UTC)], ["2026-11-23 00:00:00+00:00"]),
        ({("a", 1): 2}, "{('a', 1): 2}"),
        (float("nan"), "nan"),
        ({"plain": [1, None, True]}, {"plain": [1, None, True]}),
    ],
)
def test_a_value_that_json_cannot_hold_is_its_str(
    capsys: pytest.CaptureFixture[str], value: object, expected: object
) -> None:
    log("INFO", "value", value=value)
    assert written(capsys)["value"] == expected


def test_an_exception_carries_its_stack(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        json.loads("{")
    except ValueError:
        log_exception("not read", path="a")
    entry = written(capsys)
    assert (entry["severity"], entry["message"], entry["path"]) == ("ERROR", "not read", "a")
    assert entry["stack_trace"].startswith("Traceback (most recent call last):")
    assert "JSONDecodeError" in entry["stack_trace"]


@pytest.mark.parametrize(
    ("headers", "trace", "span"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, TRACE, SPAN),
        ({"traceparent": f"cc-{TRACE}-{SPAN}-01-more"}, TRACE, SPAN),
        ({"X-Cloud-Trace-Context": f"{TRACE}/255;o=1"}, TRACE, "00000000000000ff"),
        ({"X-Cloud-Trace-Context": f"{TRACE}/255"}, TRACE, "00000000000000ff"),
        ({"X-Cloud-Trace-Context": TRACE}, TRACE, None),
        ({"traceparent": "nonsense", "X-Cloud-Trace-Context": TRACE}, TRACE, None),
        ({"traceparent": f"00-{TRACE}-{SPAN}"}, None, None),
        ({"X-Cloud-Trace-Context": "short/1"}, None, None),
        ({}, None, None),
    ],
)
@pytest.mark.parametrize("project", [None, "my-project-id"])
def test_an_entry_belongs_to_the_trace_of_its_request(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    trace: str | None,
    span: str | None,
    project: str | None,
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    if project:
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    with flask.Flask("test").test_request_context(headers=headers):
        log("INFO", "inside")
    entry = written(capsys)
    full = f"projects/{project}/traces/{trace}" if project and trace else trace
    assert entry.get("logging.googleapis.com/trace") == full
    assert entry.get("logging.googleapis.com/spanId") == span


def test_the_framework_adds_the_execution_id(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOG_EXECUTION_ID", "true")
    source = tmp_path / "logging_function.py"
    source.write_text(
        "import functions_framework, structured_log\n"
        "@functions_framework.http\n"
        "def answer(request):\n"
        "    structured_log.log('INFO', '障害', field=1)\n"
        "    return 'OK'\n",
        encoding="utf-8",
    )
    app = functions_framework.create_app(  # type: ignore[no-untyped-call]
        target="answer", source=str(source)
    )
    app.test_client().get("/", headers={"Function-Execution-Id": "abc123"})
    assert written(capsys) == {
        "severity": "INFO",
        "message": "障害",
        "field": 1,
        "logging.googleapis.com/labels": {"execution_id": "abc123"},
    }
