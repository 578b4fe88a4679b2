"""The function behind the server that it has on Cloud Run."""

from __future__ import annotations

import json
from pathlib import Path

import real_parts

ROOT = Path(__file__).parents[1]
CLOUD_EVENT = "application/cloudevents+json"


def event_about(name: str) -> bytes:
    """Return object-finalized.json about the object `name`."""
    event = json.loads((ROOT / "events/object-finalized.json").read_text(encoding="utf-8"))
    event["data"]["name"] = name
    return json.dumps(event).encode()


def test_two_objects_at_once_do_not_mix(tmp_path: Path) -> None:
    events = {name: event_about(name) for name in ("first.csv", "second.csv")}
    real_parts.assert_two_at_once_do_not_mix(tmp_path, events, CLOUD_EVENT)


def test_an_object_is_processed_before_the_server_ends(tmp_path: Path) -> None:
    event = event_about("only.csv")
    real_parts.assert_a_request_is_answered_before_the_end(tmp_path, event, CLOUD_EVENT)
