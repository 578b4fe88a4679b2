"""Cloud Run: the service behind a function, and who may invoke it."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json, denied, not_found
from cloud_stand_in.policies import add_policy_routes, may, project_key
from cloud_stand_in.routing import Call, Service

SERVICE = Service("run")
TEMPLATE = "projects/{project}/locations/{location}/services/{service}"

add_policy_routes(SERVICE, TEMPLATE)


@SERVICE.route("GET", TEMPLATE)
def read_service(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, call.name)


def url(function: str, number: str) -> str:
    """Return the address that is known before the service exists.

    https://cloud.google.com/run/docs/triggering/https-request#deterministic
    """
    _, _, _, location, _, id_ = function.split("/")
    return f"https://{id_}-{number}.{location}.run.app"


def check_invoker(cloud: Cloud, member: str, address: str) -> None:
    """Refuse a call of the service at `address` by a member who may not invoke it.

    https://cloud.google.com/run/docs/securing/managing-access
    """
    services = cloud.below(f"{SERVICE.name}/projects/").items()
    key = next((key for key, each in services if each["uri"] == address), "")
    if not key:
        raise not_found(address)
    project = key.split("/")[2]
    if not may(cloud, member, {"roles/run.invoker", "roles/run.admin"}, key, project_key(project)):
        raise denied(f"{member} may not invoke {address} (run.routes.invoke)")


def service_name(function: str) -> str:
    return function.replace("/functions/", "/services/")


def write_service(cloud: Cloud, function: str, content: Json) -> None:
    cloud.add(SERVICE.name, service_name(function), **content)


def delete_service(cloud: Cloud, function: str) -> None:
    cloud.delete(f"{SERVICE.name}/{service_name(function)}")
