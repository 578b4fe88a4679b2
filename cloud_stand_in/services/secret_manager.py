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


@SERVICE.route("POST", "projects/{project}/secrets", "secretmanager.secrets.create")
def create_secret(call: Call) -> Json:
    name = f"{call.name}/{call.query['secretId']}"
    if call.cloud.find(SERVICE.name, name):
        raise exists(name)
    secret = {"name": name, "replication": call.body["replication"]}
    call.cloud.resources[f"{SERVICE.name}/{name}"] = secret
    return secret


@SERVICE.route("POST", f"{SECRET}:addVersion", "secretmanager.versions.add")
def add_version(call: Call) -> Json:
    call.cloud.existing(SERVICE.name, call.name)
    number = 1 + len(call.cloud.below(f"{SERVICE.name}/{call.name}/versions/"))
    version = {"name": f"{call.name}/versions/{number}", "state": "ENABLED"}
    call.cloud.resources[f"{SERVICE.name}/{version['name']}"] = version
    payload = call.body["payload"]
    call.cloud.blobs[version["name"]] = urlsafe_b64decode(payload["data"])
    # gcloud takes an answer without this as a sign of corruption.
    return version | {"clientSpecifiedPayloadChecksum": "dataCrc32c" in payload}


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
