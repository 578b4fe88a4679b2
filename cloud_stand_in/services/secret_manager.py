"""Secret Manager: secrets and versions that exist already, and who may read them."""

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


@SERVICE.route("GET", f"{SECRET}/versions/{{version}}", "secretmanager.versions.get")
def read_version(call: Call) -> Json:
    """Return a version; `latest` is the one that was created last.

    https://cloud.google.com/secret-manager/docs/access-secret-version
    """
    above, _, version = call.name.rpartition("/")
    if version == "latest":
        versions = call.cloud.below(f"{SERVICE.name}/{above}/").values()
        newest = max((int(each["name"].rpartition("/")[2]) for each in versions), default=0)
        return call.cloud.existing(SERVICE.name, f"{above}/{newest}")
    return call.cloud.existing(SERVICE.name, call.name)


def add_secret(cloud: Cloud, name: str) -> None:
    """Create a secret with one version."""
    cloud.add(SERVICE.name, name, replication={"automatic": {}})
    cloud.add(SERVICE.name, f"{name}/versions/1", state="ENABLED")
