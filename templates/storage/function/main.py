"""Handle each object that is written to a Cloud Storage bucket; events can arrive twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import functions_framework

from structured_log import log, log_exception

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

FINALIZED = "google.cloud.storage.object.v1.finalized"


class PoisonEventError(ValueError):
    """An event that redelivery cannot fix; the text is the reason."""


@dataclass(frozen=True)
class StoredObject:
    """One generation of an object; `size` is in bytes, `content_type` is empty when unset."""

    bucket: str
    name: str
    generation: int
    size: int
    content_type: str


def process(stored: StoredObject) -> None:
    """Process one new object: replace this sample, which logs the object.

    Return when the work is done, and accept the same generation again: an event can be delivered
    twice. Raise PoisonEventError to drop an event, such as when the object no longer exists. Any
    other exception makes Eventarc deliver the event again. Writing to the same bucket calls this
    function again.
    """
    log("INFO", f"Object received: gs://{stored.bucket}/{stored.name}", size=stored.size)


@functions_framework.cloud_event
def handle_object(event: CloudEvent) -> None:
    """Process the object of a Cloud Storage event.

    A poison event is logged and acknowledged. Any other failure is logged and raised, so that
    Eventarc delivers again.
    """
    try:
        process(decode(event))
    except PoisonEventError as error:
        log("ERROR", f"Event dropped: {error}", event_id=event["id"])
    except Exception as error:
        log_exception(f"Object not processed: {error}", event_id=event["id"])
        raise


def decode(event: CloudEvent) -> StoredObject:
    """Return the object that an event is about, or raise PoisonEventError."""
    if event["type"] != FINALIZED:
        reason = f"its type is {event['type']}, not {FINALIZED}"
        raise PoisonEventError(reason)
    data = event.data if isinstance(event.data, dict) else {}
    needed = ("bucket", "name", "generation", "size")
    if missing := [name for name in needed if data.get(name) in (None, "")]:
        reason = f"its data lacks {', '.join(missing)}"
        raise PoisonEventError(reason)
    try:
        return StoredObject(
            bucket=data["bucket"],
            name=data["name"],
            generation=int(data["generation"]),  # A 64-bit number, which JSON carries as text.
            size=int(data["size"]),
            content_type=data.get("contentType") or "",
        )
    except (TypeError, ValueError, OverflowError) as error:
        reason = f"its generation or size is not a number: {error}"
        raise PoisonEventError(reason) from error
