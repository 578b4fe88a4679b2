"""Cloud Run: the service behind a function, and who may invoke it."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json
from cloud_stand_in.policies import add_policy_routes
from cloud_stand_in.routing import Call, Service

SERVICE = Service("run")
TEMPLATE = "projects/{project}/locations/{location}/services/{service}"

add_policy_routes(SERVICE, TEMPLATE)


@SERVICE.route("GET", TEMPLATE)
def read_service(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, call.name)


def service_name(function: str) -> str:
    return function.replace("/functions/", "/services/")


def write_service(cloud: Cloud, function: str, content: Json) -> None:
    cloud.add(SERVICE.name, service_name(function), **content)


def delete_service(cloud: Cloud, function: str) -> None:
    cloud.delete(f"{SERVICE.name}/{service_name(function)}")
