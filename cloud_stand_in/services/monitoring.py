"""Cloud Monitoring: notification channels, and the alert policies that use them."""

from __future__ import annotations

import re

from cloud_stand_in.errors import Json, invalid
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

    def listed(self, call: Call) -> list[Json]:
        """Return those of the type that a filter names, the only filter that is known here.

        https://cloud.google.com/monitoring/api/v3/sorting-and-filtering
        """
        filter_ = call.query.get("filter", "")
        wanted = re.fullmatch(r'(?:type="(\w+)")?', filter_)
        if not wanted:
            raise invalid(f"The stand-in does not know the filter {filter_}")
        return [each for each in super().listed(call) if wanted[1] in {None, each["type"]}]


class AlertPolicies(Collection):
    service = SERVICE
    template = "projects/{project}/alertPolicies/{policy}"
    slow = slow_change = timed = False


Channels()
AlertPolicies()
