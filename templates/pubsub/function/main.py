"""Handle each message of a Pub/Sub topic; Pub/Sub delivers at least once and in any order."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import flask
import functions_framework

from structured_log import log, log_exception

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent
    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException


class PoisonMessageError(ValueError):
    """A message that redelivery cannot fix; the text is the reason."""


def process(message: dict[str, Any]) -> None:
    """Process one message: replace this sample, which logs the keys.

    `message` is the JSON object that was published. Return when the work is done, and accept the
    same message again: a message can be delivered twice. Raise PoisonMessageError to drop it;
    any other exception makes Pub/Sub deliver it again.
    """
    log("INFO", "Message received", keys=sorted(message))


@functions_framework.cloud_event
def handle_message(event: CloudEvent) -> None:
    """Process the message of a Pub/Sub event.

    A poison message is logged and acknowledged. Any other failure is logged and raised, so that
    Pub/Sub delivers again.
    """
    try:
        process(decode(event))
    except PoisonMessageError as error:
        log("ERROR", f"Message dropped: {error}", event_id=event["id"])
    except Exception as error:
        log_exception(f"Message not processed: {error}", event_id=event["id"])
        raise


@functions_framework.errorhandler(400)  # type: ignore[untyped-decorator]
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


def decode(event: CloudEvent) -> dict[str, Any]:
    """Return the JSON object that was published, or raise PoisonMessageError."""
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
        message = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = f"the data is not JSON: {error}"
        raise PoisonMessageError(reason) from error
    if not isinstance(message, dict):
        reason = "the data is JSON, but not an object"
        raise PoisonMessageError(reason)
    return message
