"""Write log lines that Cloud Logging understands: one JSON object a line on standard output.

The functions framework adds the execution id to each of these lines when LOG_EXECUTION_ID is true.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback

import flask

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}.*")
_CLOUD_TRACE = re.compile(r"([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;.*)?")


def log(severity: str, message: str, /, **fields: object) -> None:
    """Write one log line.

    `severity` is a Cloud Logging severity such as "INFO" or "ERROR". `fields` become fields of the
    entry, but none replaces its severity, message or trace; a value that JSON cannot hold is
    written as its str. Inside a request, the entry belongs to the trace of that request.
    """
    entry = {**fields, "severity": severity, "message": message, **_trace()}
    try:
        line = json.dumps(entry, default=str, allow_nan=False)
    except (TypeError, ValueError):  # What `default` is not asked about: keys, NaN, cycles.
        line = json.dumps({name: str(value) for name, value in entry.items()})
    # One write, because the lines of two threads must not mix; print() would make it two.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def log_exception(message: str, /, **fields: object) -> None:
    """Write the exception being handled as an ERROR with its stack, so that it can be grouped."""
    log("ERROR", message, **{**fields, "stack_trace": traceback.format_exc()})


def _trace() -> dict[str, str]:
    """Return the fields that tie an entry to the current request's trace; none outside a request.

    The span of X-Cloud-Trace-Context is decimal; Cloud Logging wants 16 hexadecimal digits.
    """
    if not flask.has_request_context():
        return {}
    headers = flask.request.headers
    if match := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        trace, span = match.groups()
    elif match := _CLOUD_TRACE.fullmatch(headers.get("X-Cloud-Trace-Context", "")):
        trace, span = match[1], f"{int(match[2]):016x}" if match[2] else None
    else:
        return {}
    if project := os.environ.get("GOOGLE_CLOUD_PROJECT"):
        trace = f"projects/{project}/traces/{trace}"
    fields = {"logging.googleapis.com/trace": trace, "logging.googleapis.com/spanId": span}
    return {name: value for name, value in fields.items() if value}
