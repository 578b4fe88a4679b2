"""Secret Manager: secrets with their versions, and who may read them."""

from __future__ import annotations

from base64 import urlsafe_b64decode

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json, exists
from cloud_stand_in.policies import add_policy_routes
from cloud_stand_in.routing import Call, Service

SERVICE = Service("secretmanager")
SECRET = "projects/{project}/secrets/{secret}"  # noqa: S105 - a path

add_policy_routes(SERVICE, SECRET)


@SERVICE.route("GET", SECRET)
def read_secret(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, call.name)


@SERVICE.route("POST", "projects/{project}/secrets")
def create_secret(call: Call) -> Json:
    name = f"{call.name}/{call.query['secretId']}"
    if call.cloud.find(SERVICE.name, name):
        raise exists(name)
    secret = {"name": name, "replication": call.body["replication"]}
    call.cloud.resources[f"{SERVICE.name}/{name}"] = secret
    return secret


@SERVICE.route("POST", f"{SECRET}:addVersion")
def add_version(call: Call) -> Json:
    call.cloud.existing(SERVICE.name, call.name)
    number = 1 + len(call.cloud.below(f"{SERVICE.name}/{call.name}/versions/"))
    version = {"name": f"{call.name}/versions/{number}", "state": "ENABLED"}
    call.cloud.resources[f"{SERVICE.name}/{version['name']}"] = version
    payload = call.body["payload"]
    call.cloud.blobs[version["name"]] = urlsafe_b64decode(payload["data"])
    # gcloud takes an answer without this as a sign of corruption.
    return version | {"clientSpecifiedPayloadChecksum": "dataCrc32c" in payload}


@SERVICE.route("GET", f"{SECRET}/versions/{{version}}")
def read_version(call: Call) -> Json:
    name = call.name
    if call.parts["version"] == "latest":
        versions = call.cloud.below(f"{SERVICE.name}/{name.removesuffix('latest')}")
        name = max(each["name"] for each in versions.values()) if versions else name
    return call.cloud.existing(SERVICE.name, name)


def add_secret(cloud: Cloud, name: str) -> None:
    """Create a secret with one version, as its owner did before."""
    cloud.resources[f"{SERVICE.name}/{name}"] = {"name": name, "replication": {"automatic": {}}}
    version = f"{name}/versions/1"
    cloud.resources[f"{SERVICE.name}/{version}"] = {"name": version, "state": "ENABLED"}
