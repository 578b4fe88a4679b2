"""Cloud KMS: keys that exist already, and who may use them."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json, denied
from cloud_stand_in.policies import add_policy_routes, may
from cloud_stand_in.routing import Call, Service

SERVICE = Service("cloudkms")
KEY = "projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{key}"

add_policy_routes(SERVICE, KEY)


@SERVICE.route("GET", KEY)
def read_key(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, call.name)


def add_key(cloud: Cloud, name: str) -> None:
    """Create a key, as its owner did before."""
    cloud.add(SERVICE.name, name, purpose="ENCRYPT_DECRYPT")


def check_key(cloud: Cloud, key: str | None, project: str, *domains: str) -> None:
    """Refuse a key that one of the project's service agents may not use.

    Each service documents its agent: https://cloud.google.com/kms/docs/compatible-services
    """
    if not key:
        return
    cloud.existing(SERVICE.name, key)
    for domain in domains:
        agent = f"service-{cloud.number(project)}@{domain}.iam.gserviceaccount.com"
        roles = {"roles/cloudkms.cryptoKeyEncrypterDecrypter"}
        if not may(cloud, f"serviceAccount:{agent}", roles, f"{SERVICE.name}/{key}"):
            raise denied(
                f"Permission denied on Cloud KMS key {key}. Please ensure that {agent} has been "
                "authorized to use this key."
            )
