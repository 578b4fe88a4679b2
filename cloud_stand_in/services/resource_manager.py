"""Resource Manager: projects and their policies."""

from __future__ import annotations

from cloud_stand_in.errors import Json
from cloud_stand_in.policies import add_policy_routes
from cloud_stand_in.routing import Call, Service

SERVICE = Service("cloudresourcemanager")
ORGANIZATION = "987654321098"

add_policy_routes(SERVICE, "projects/{project}", read_method="POST")


@SERVICE.route("GET", "projects/{project}")
def read_project(call: Call) -> Json:
    return {
        "projectId": call.project,
        "projectNumber": call.cloud.number(call.project),
        "name": call.project,
        "lifecycleState": "ACTIVE",
        "createTime": "2026-01-01T00:00:00Z",
        "parent": {"type": "organization", "id": ORGANIZATION},
    }


@SERVICE.route("POST", "projects/{project}:getAncestry")
def read_ancestry(call: Call) -> Json:
    above = [("project", call.project), ("organization", ORGANIZATION)]
    return {"ancestor": [{"resourceId": {"type": kind, "id": id_}} for kind, id_ in above]}
