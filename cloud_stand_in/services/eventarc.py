"""Eventarc: the triggers that a function creates."""

from __future__ import annotations

from cloud_stand_in.errors import Json
from cloud_stand_in.routing import Call, Service

SERVICE = Service("eventarc")


@SERVICE.route("GET", "projects/{project}/locations/{location}/triggers")
def list_triggers(call: Call) -> Json:
    return {"triggers": list(call.cloud.below(f"{SERVICE.name}/{call.name}/").values())}
