"""Handle each message of a Pub/Sub topic; Pub/Sub delivers at least once and in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import functions_framework

from pubsub_message import PoisonMessageError, drop_message_without_data, published
from structured_log import log, log_exception

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

functions_framework.errorhandler(400)(drop_message_without_data)


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


def decode(event: CloudEvent) -> dict[str, Any]:
    """Return the JSON object that was published, or raise PoisonMessageError."""
    message = published(event)
    if not isinstance(message, dict):
        reason = "the data is JSON, but not an object"
        raise PoisonMessageError(reason)
    return message
