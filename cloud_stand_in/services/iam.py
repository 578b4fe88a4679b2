"""IAM: service accounts, who may use them, and roles that are defined already."""

from __future__ import annotations

from typing import ClassVar

from cloud_stand_in.errors import Json
from cloud_stand_in.policies import add_policy_routes, mark_deleted
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Answer, Call, Service

SERVICE = Service("iam")


class ServiceAccounts(Collection):
    service = SERVICE
    template = "projects/{project}/serviceAccounts/{account}"
    slow = slow_change = timed = False
    by_unique_id: ClassVar[str] = "uniqueId"

    def new_name(self, call: Call) -> str:
        return f"{call.name}/{call.body['accountId']}@{call.project}.iam.gserviceaccount.com"

    def content(self, call: Call) -> Json:
        wanted: Json = call.body.get("serviceAccount", {})
        return wanted

    def complete(self, call: Call, name: str, resource: Json) -> None:
        email = name.rpartition("/")[2]
        if "uniqueId" not in resource:
            resource["uniqueId"] = f"1{call.cloud.next_number():0>20}"
            call.cloud.spread(email, call.cloud.delays.identities)
        resource.update(email=email, projectId=call.project, etag="MDEwMjE5MjA=")

    def read(self, call: Call) -> Answer:
        """Return an account; for `-` instead of the project, the one that its e-mail names.

        https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/get
        """
        account = call.parts["account"]
        project = account.rpartition("@")[2].partition(".")[0]
        name = call.name.replace("projects/-/", f"projects/{project}/")
        return call.cloud.existing(SERVICE.name, name)

    def delete(self, call: Call) -> Answer:
        account = call.cloud.existing(SERVICE.name, call.name)
        mark_deleted(call.cloud, account["email"], account["uniqueId"])
        return super().delete(call)


ServiceAccounts()
add_policy_routes(SERVICE, ServiceAccounts.template, read_method="POST")


@SERVICE.route("GET", "roles/{role}", "iam.roles.get")
@SERVICE.route("GET", "projects/{project}/roles/{role}", "iam.roles.get")
def read_role(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, call.name)
