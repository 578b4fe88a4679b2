"""Handle each message of a Pub/Sub topic; Pub/Sub delivers at least once and in any order."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import functions_framework

from structured_log import log, log_exception

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent


class PoisonMessageError(ValueError):
    """A message that no redelivery can mend; the text is the reason."""


def process(message: dict[str, Any]) -> None:
    """Do the work of one message: this is the place for your code; now it logs the keys.

    `message` is the JSON object that was published. Return when the work is done, and bear with
    the same message again: a message can be delivered twice. Raise PoisonMessageError to drop a
    message for good; any other exception makes Pub/Sub deliver it again.
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
        reason = "the data is JSON, but no object"
        raise PoisonMessageError(reason)
    return message
