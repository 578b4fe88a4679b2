"""Cloud Monitoring: notification channels."""

from __future__ import annotations

from cloud_stand_in.errors import Json
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Call, Service

SERVICE = Service("monitoring")


class Channels(Collection):
    service = SERVICE
    template = "projects/{project}/notificationChannels/{channel}"
    slow = slow_change = timed = False

    def new_name(self, call: Call) -> str:
        return f"{call.name}/{call.cloud.next_number()}"

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        if new["type"] == "pubsub":
            call.cloud.required("pubsub", new["labels"]["topic"], "topic")

    def complete(self, call: Call, name: str, resource: Json) -> None:
        """Create the agent that publishes, with the first channel of this type.

        https://cloud.google.com/monitoring/support/notification-options#pubsub
        """
        resource.setdefault("enabled", True)
        if resource["type"] == "pubsub":
            call.cloud.create_agent(call.project, "gcp-sa-monitoring-notification")


Channels()
