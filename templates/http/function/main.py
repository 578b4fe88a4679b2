"""Answer HTTP requests: a JSON object in, a JSON object out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import functions_framework

from structured_log import log, log_exception

if TYPE_CHECKING:
    import flask
    from flask.typing import ResponseReturnValue


class RequestError(ValueError):
    """A request with an error; the text explains it to the sender."""


def process(body: dict[str, Any]) -> dict[str, Any]:
    """Process one request: replace this sample, which returns the keys.

    `body` is the JSON object of the request, the result that of the answer. Raise RequestError for
    a body that you cannot accept (400); any other exception becomes a 500 whose details are only in
    the log.
    """
    log("INFO", "Request received")
    return {"keys": sorted(body)}


@functions_framework.http
def handle_request(request: flask.Request) -> ResponseReturnValue:
    """Answer a POST of a JSON object; refuse everything else with a JSON object with the error."""
    if request.method != "POST":
        return {"error": f"use POST, not {request.method}"}, 405, {"Allow": "POST"}
    if request.mimetype != "application/json":
        content_type = request.mimetype or "missing"
        return {"error": f"the content type is {content_type}; send application/json"}, 415
    try:
        return process(decode(request.get_data()))
    except RequestError as error:
        return {"error": str(error)}, 400
    except Exception as error:
        log_exception(f"Request not answered: {error}")
        raise


def decode(content: bytes) -> dict[str, Any]:
    """Return the JSON object in `content`, or raise RequestError."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = f"the body is not JSON: {error}"
        raise RequestError(reason) from error
    if not isinstance(body, dict):
        reason = "the body is JSON, but not an object"
        raise RequestError(reason)
    return body
