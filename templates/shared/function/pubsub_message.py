"""Read Pub/Sub messages, and find those that redelivery cannot fix."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import flask

from structured_log import log

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent
    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException


class PoisonMessageError(ValueError):
    """A message that redelivery cannot fix; the text is the reason."""


def published(event: CloudEvent) -> Any:
    """Return the JSON value that was published, or raise PoisonMessageError."""
    try:
        encoded = event.data["message"]["data"]
    except (KeyError, TypeError):
        reason = "the event carries no Pub/Sub message data"
        raise PoisonMessageError(reason) from None
    try:
        content = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError) as error:
        reason = f"the data is not base64: {error}"
        raise PoisonMessageError(reason) from error
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = f"the data is not JSON: {error}"
        raise PoisonMessageError(reason) from error


def drop_message_without_data(refusal: HTTPException) -> ResponseReturnValue:
    """Acknowledge a pushed message that has only attributes; keep any other refusal.

    The framework refuses it as no event, and Pub/Sub would deliver it again and again.
    """
    body = flask.request.get_json(silent=True)
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, dict) or "messageId" not in message or "data" in message:
        return refusal
    log("ERROR", "Message dropped: it has no data", event_id=message["messageId"])
    return "OK"
