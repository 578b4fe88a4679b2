"""Turn a Pub/Sub event into the texts of a notification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pubsub_message import PoisonMessageError, published
from snmp import NOTIFICATION_NUMBERS

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

# A packet above the network's MTU, 1,460 bytes in a VPC, is sent in fragments, which firewalls
# often drop. These limits leave room for the rest of a usual incident.
MAX_TEXT_BYTES = 255
MAX_SUMMARY_BYTES = 700

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def decode(event: CloudEvent) -> tuple[dict[str, Any], str]:
    """Return the incident and the Pub/Sub message id of an event, or raise PoisonMessageError."""
    notification = published(event)
    incident = notification.get("incident") if isinstance(notification, dict) else None
    if not isinstance(incident, dict):
        reason = "the data has no incident object"
        raise PoisonMessageError(reason)
    return incident, str(event.data["message"].get("messageId") or event["id"])


def describe(incident: Mapping[str, Any], message_id: str) -> dict[str, str]:
    """Return the texts of a notification by name; PoisonMessageError if the state is unknown.

    Each is one line of UTF-8, empty if the incident does not have it. Other fields are left out.
    The console's test notification passes: its state is in capitals and its times are 0.
    """
    state = _text(incident.get("state")).lower()
    if state not in NOTIFICATION_NUMBERS:
        reason = f"the incident's state is {state!r}, neither open nor closed"
        raise PoisonMessageError(reason)
    return {
        "incident_id": _text(incident.get("incident_id")),
        "state": state,
        "policy_name": _text(incident.get("policy_name")),
        "condition_name": _text(incident.get("condition_name")),
        "severity": _text(incident.get("severity") or "No Severity"),
        "summary": _text(incident.get("summary"), MAX_SUMMARY_BYTES),
        "resource": _text(incident.get("resource_display_name") or incident.get("resource_name")),
        "started": _rfc3339(incident.get("started_at")),
        "ended": _rfc3339(incident.get("ended_at")) if state == "closed" else "",
        "url": _text(incident.get("url")),
        "message_id": _text(message_id),
    }


def _text(value: object, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return a value as one line of at most `max_bytes` in UTF-8; None is empty."""
    line = _CONTROL_CHARACTERS.sub(" ", "" if value is None else str(value))
    return line.encode(errors="replace")[:max_bytes].decode(errors="ignore")


def _rfc3339(epoch_seconds: object) -> str:
    """Return a time such as 2026-11-23T09:00:00Z; empty when there is none."""
    try:
        time = datetime.fromtimestamp(float(str(epoch_seconds or None)), UTC)
    except (ValueError, OverflowError, OSError):
        return ""  # An alert without a time, or with an odd one, is still an alert.
    return time.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
