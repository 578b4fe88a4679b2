"""Service Usage: a project's APIs and its service agents."""

from __future__ import annotations

from cloud_stand_in.errors import Json, precondition
from cloud_stand_in.resources import finished
from cloud_stand_in.routing import Call, Service, page

SERVICE = Service("serviceusage")
# https://cloud.google.com/iam/docs/service-agents
DOMAINS = {
    "cloudfunctions": "gcf-admin-robot",
    "run": "serverless-robot-prod",
}


def representation(call: Call, api: str) -> Json:
    parent = f"projects/{call.cloud.number(call.project)}"
    on = call.cloud.enabled(call.project, api)
    name = f"{api}.googleapis.com"
    return {
        "name": f"{parent}/services/{name}",
        "parent": parent,
        "config": {"name": name},
        "state": "ENABLED" if on else "DISABLED",
    }


def enable(call: Call, apis: list[str]) -> None:
    enabled = call.cloud.apis[call.project]
    enabled += [api for api in apis if api not in enabled]


@SERVICE.route("GET", "projects/{project}/services", "serviceusage.services.list")
def list_services(call: Call) -> Json:
    listed = [representation(call, api) for api in sorted(call.cloud.apis[call.project])]
    return page(call, "services", listed)


@SERVICE.route("GET", "projects/{project}/services:batchGet", "serviceusage.services.get")
def read_services(call: Call) -> Json:
    names = [each.rpartition("/")[2] for each in call.query.getlist("names")]
    apis = [each.removesuffix(".googleapis.com") for each in names]
    return {"services": [representation(call, api) for api in apis]}


@SERVICE.route(
    "GET", "projects/{project}/services/{api}.googleapis.com", "serviceusage.services.get"
)
def read_service(call: Call) -> Json:
    return representation(call, call.parts["api"])


@SERVICE.route("POST", "projects/{project}/services/{api}.googleapis.com:enable")
def enable_one(call: Call) -> Json:
    enable(call, [call.parts["api"]])
    return finished(call.cloud, "", {"service": representation(call, call.parts["api"])})


@SERVICE.route("POST", "projects/{project}/services:batchEnable")
def enable_many(call: Call) -> Json:
    apis = [name.removesuffix(".googleapis.com") for name in call.body["serviceIds"]]
    enable(call, apis)
    return finished(call.cloud, "", {"services": [representation(call, api) for api in apis]})


@SERVICE.route("POST", "projects/{project}/services/{api}.googleapis.com:generateServiceIdentity")
def generate_identity(call: Call) -> Json:
    """Create the service agent, which is otherwise created when it is first needed.

    https://cloud.google.com/iam/docs/create-service-agents
    """
    api = call.parts["api"]
    if not call.cloud.enabled(call.project, api):
        raise precondition(f"{api}.googleapis.com is not enabled in {call.project}")
    email = call.cloud.create_agent(call.project, DOMAINS.get(api, f"gcp-sa-{api}"))
    number = call.cloud.number(call.project)
    return finished(call.cloud, "", {"email": email, "uniqueId": f"1{number:0>20}"})
