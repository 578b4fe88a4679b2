"""Cloud Billing: that a project has an account."""

from __future__ import annotations

from cloud_stand_in.errors import Json
from cloud_stand_in.routing import Call, Service

SERVICE = Service("cloudbilling")


@SERVICE.route("GET", "projects/{project}/billingInfo")
def read_billing(call: Call) -> Json:
    return {"name": call.name, "projectId": call.project, "billingEnabled": True}
