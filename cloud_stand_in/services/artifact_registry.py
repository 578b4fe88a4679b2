"""Artifact Registry: repositories, who may use them, and the switch of the remote ones."""

from __future__ import annotations

from cloud_stand_in.errors import Json, invalid, precondition
from cloud_stand_in.policies import add_policy_routes
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Call, Service

from .access_context_manager import perimeter_of
from .kms import check_key

SERVICE = Service("artifactregistry")
SWITCH = "projects/{project}/locations/{location}/vpcscConfig"


class Repositories(Collection):
    service = SERVICE
    template = "projects/{project}/locations/{location}/repositories/{repository}"
    id_in_query = "repositoryId"
    slow_change = False

    def new_name(self, call: Call) -> str:
        return f"{call.name}/{call.query.get('repository_id') or call.query[self.id_in_query]}"

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        check_key(call.cloud, new.get("kmsKeyName"), call.project, "gcp-sa-artifactregistry")
        for each in new.get("virtualRepositoryConfig", {}).get("upstreamPolicies", []):
            upstream = call.cloud.required(SERVICE.name, each["repository"], "upstream repository")
            # https://cloud.google.com/artifact-registry/docs/repositories/virtual-overview
            if upstream["format"] != new["format"]:
                raise invalid(f"{each['repository']} has another format than {name}")

    def check_delete(self, call: Call, name: str, old: Json) -> None:
        """Refuse to delete an upstream of a virtual repository.

        https://cloud.google.com/artifact-registry/docs/repositories/delete-repo
        """
        for key, each in call.cloud.below(f"{SERVICE.name}/projects/").items():
            for policy in each.get("virtualRepositoryConfig", {}).get("upstreamPolicies", []):
                if policy["repository"] == name:
                    raise precondition(f"{name} is an upstream of {key}")

    def complete(self, call: Call, name: str, resource: Json) -> None:
        _, project, _, location, _, id_ = name.split("/")
        host = f"{location}-{resource['format'].lower()}.pkg.dev"
        resource.update(registryUri=f"{host}/{project}/{id_}")
        resource.setdefault("mode", "STANDARD_REPOSITORY")
        resource.setdefault("sizeBytes", "0")
        scanning = resource.setdefault("vulnerabilityScanningConfig", {})
        scanning["enablementState"] = "SCANNING_DISABLED"
        scanning["enablementStateReason"] = "API is not enabled."


Repositories()
add_policy_routes(SERVICE, Repositories.template)


@SERVICE.route("GET", SWITCH, "artifactregistry.vpcscconfigs.get")
def read_switch(call: Call) -> Json:
    """Return the switch; unset it has no policy, which denies.

    https://cloud.google.com/artifact-registry/docs/reference/rest/v1/VPCSCConfig
    """
    return call.cloud.resources.get(f"{SERVICE.name}/{call.name}", {"name": call.name})


@SERVICE.route("PATCH", SWITCH, "artifactregistry.vpcscconfigs.update")
def write_switch(call: Call) -> Json:
    """Refuse it outside an enforced perimeter.

    `gcloud artifacts vpcsc-config allow --help` names this as a cause; the text is not published.
    """
    policy = call.body["vpcscPolicy"]
    found = perimeter_of(call.cloud, call.project)
    if policy == "ALLOW" and (found is None or not call.cloud.has_spread(found)):
        raise precondition(f"The project {call.project} is outside of the VPC SC perimeter.")
    call.cloud.resources[f"{SERVICE.name}/{call.name}"] = {
        "name": call.name,
        "vpcscPolicy": policy,
    }
    return read_switch(call)
