"""Resource Manager: projects, what is above them, and their policies."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json
from cloud_stand_in.policies import add_policy_routes
from cloud_stand_in.routing import Call, Service

SERVICE = Service("cloudresourcemanager")
PROJECT = "projects/{project}"
PERMISSIONS = "resourcemanager.projects"

add_policy_routes(SERVICE, PROJECT, read_method="POST", permissions=PERMISSIONS)


def resource_id(name: str) -> Json:
    """Return a name such as `folders/5` in the form of this API."""
    kind, _, id_ = name.partition("/")
    return {"type": kind.removesuffix("s"), "id": id_}


@SERVICE.route("GET", PROJECT, f"{PERMISSIONS}.get")
def read_project(call: Call) -> Json:
    project = {**call.cloud.existing(SERVICE.name, call.name)}
    if "parent" in project:
        project["parent"] = resource_id(project["parent"])
    return {
        **project,
        "projectId": call.project,
        "projectNumber": call.cloud.number(call.project),
        "name": call.project,
        "createTime": "2026-01-01T00:00:00Z",
    }


@SERVICE.route("POST", f"{PROJECT}:getAncestry", f"{PERMISSIONS}.get")
def read_ancestry(call: Call) -> Json:
    return {"ancestor": [{"resourceId": resource_id(each)} for each in line(call.cloud, call.name)]}


def line(cloud: Cloud, name: str) -> list[str]:
    """Return a resource and what is above it."""
    parent = (cloud.find(SERVICE.name, name) or {}).get("parent")
    return [name, *(line(cloud, parent) if parent else [])]
