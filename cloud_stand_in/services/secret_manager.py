"""Secret Manager: secrets that exist already, and who may read them."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json
from cloud_stand_in.policies import add_policy_routes
from cloud_stand_in.routing import Call, Service

SERVICE = Service("secretmanager")
SECRET = "projects/{project}/secrets/{secret}"  # noqa: S105 - a path

add_policy_routes(SERVICE, SECRET)


@SERVICE.route("GET", SECRET)
def read_secret(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, call.name)


def add_secret(cloud: Cloud, name: str) -> None:
    """Create a secret with one version, as its owner did before."""
    cloud.resources[f"{SERVICE.name}/{name}"] = {"name": name, "replication": {"automatic": {}}}
    version = f"{name}/versions/1"
    cloud.resources[f"{SERVICE.name}/{version}"] = {"name": version, "state": "ENABLED"}
