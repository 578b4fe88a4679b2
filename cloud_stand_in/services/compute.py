"""Compute Engine: networks and what is in them."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from cloud_stand_in.cloud import Cloud, now
from cloud_stand_in.errors import Json, in_use, not_found
from cloud_stand_in.policies import read_policy, write_policy
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Answer, Call, Service

SERVICE = Service("compute", prefix="compute/")
ROOT = "https://www.googleapis.com/compute/v1/"
REFERENCE = re.compile(r"(https?://.*/)?projects/[^/]+/(global|regions|zones)/.+")


def with_urls(cloud: Cloud, value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a value with its references as URLs, the form in which the service returns them."""
    if isinstance(value, str) and REFERENCE.fullmatch(value):
        return ROOT + cloud.canonical(value)
    if isinstance(value, dict):
        return {key: with_urls(cloud, each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_urls(cloud, each) for each in value]
    return value


def find_network(cloud: Cloud, reference: str) -> str:
    """Return a network's name; one that does not exist is refused."""
    name = cloud.canonical(reference)
    if f"{SERVICE.name}/{name}" not in cloud.resources:
        raise not_found(name)
    return name


class ComputeCollection(Collection):
    service = SERVICE
    timed = False  # it has a creationTimestamp
    defaults: ClassVar[Json] = {}

    def __init__(self) -> None:
        super().__init__()
        self.list_key = "items"

    def complete(self, call: Call, name: str, resource: Json) -> None:
        parts = name.split("/")
        complete = {**self.defaults, **with_urls(call.cloud, resource)}
        resource.clear()
        resource.update(complete)
        resource.setdefault("id", str(call.cloud.next_number()))
        resource.setdefault("creationTimestamp", now())
        resource.update(name=parts[-1], selfLink=ROOT + name)
        if parts[2] == "regions":
            resource["region"] = ROOT + "/".join(parts[:4])

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        if "network" in new:
            find_network(call.cloud, new["network"])

    def create(self, call: Call) -> Answer:
        created = super().create(call)
        assert isinstance(created, dict)  # noqa: S101 - for the type checker
        return compute_operation(call, f"{call.name}/{call.body['name']}")

    def change(self, call: Call) -> Answer:
        super().change(call)
        return compute_operation(call, call.name)

    def delete(self, call: Call) -> Answer:
        super().delete(call)
        return compute_operation(call, call.name)

    def check_delete(self, call: Call, name: str, old: Json) -> None:
        """Refuse what others use: "The … resource … is already being used by …"."""
        for key, user in users(call.cloud, name):
            if user:
                raise in_use(name, key)


def users(cloud: Cloud, name: str) -> list[tuple[str, bool]]:
    """Return every other resource, and whether it uses the network or subnetwork `name`."""
    names = {name, ROOT + name}
    found = []
    for key, each in cloud.resources.items():
        interfaces = each.get("serviceConfig", {}).get("directVpcNetworkInterface") or []
        pool = each.get("privatePoolV1Config", {}).get("networkConfig", {})
        used = {
            each.get("network"),
            cloud.canonical(pool.get("peeredNetwork", "")),
            *(in_vpc(each["name"], one, kind) for one in interfaces for kind in KINDS),
        }
        found.append((key, bool(names & used)))
    return found


KINDS = {"network": "global/networks", "subnetwork": "regions/{region}/subnetworks"}


def in_vpc(function: str, interface: Json, kind: str) -> str:
    """Return the full name of an interface's network or subnetwork, which may be given shortly."""
    given: str = interface.get(kind, "")
    _, project, _, region, *_ = function.split("/")
    above = KINDS[kind].format(region=region)
    return given if "/" in given or not given else f"projects/{project}/{above}/{given}"


class Networks(ComputeCollection):
    template = "projects/{project}/global/networks/{network}"
    defaults: ClassVar[Json] = {
        "autoCreateSubnetworks": False,
        "routingConfig": {"routingMode": "REGIONAL"},
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
    }

    def create(self, call: Call) -> Answer:
        """Create it with its default route, which the provider then deletes.

        https://cloud.google.com/vpc/docs/routes#routingpacketsinternet
        """
        operation = super().create(call)
        name = f"{call.name}/{call.body['name']}"
        route = f"projects/{call.project}/global/routes/default-route-{call.cloud.next_number()}"
        content: Json = {
            "network": name,
            "destRange": "0.0.0.0/0",
            "nextHopGateway": f"projects/{call.project}/global/gateways/default-internet-gateway",
        }
        ROUTES.complete(call, route, content)
        call.cloud.resources[f"{SERVICE.name}/{route}"] = content
        return operation

    def delete(self, call: Call) -> Answer:
        for key, each in list(
            call.cloud.below(f"compute/projects/{call.project}/global/r").items()
        ):
            if "/routes/default-route-" in key and each["network"] == ROOT + call.name:
                call.cloud.delete(key)
        return super().delete(call)


class Subnetworks(ComputeCollection):
    template = "projects/{project}/regions/{region}/subnetworks/{subnetwork}"
    defaults: ClassVar[Json] = {
        "purpose": "PRIVATE",
        "stackType": "IPV4_ONLY",
        "privateIpGoogleAccess": False,
        "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
        "fingerprint": "Zg==",
    }

    def complete(self, call: Call, name: str, resource: Json) -> None:
        super().complete(call, name, resource)
        address = re.sub(r"\d+/\d+$", "1", resource["ipCidrRange"])
        resource.setdefault("gatewayAddress", address)


class Firewalls(ComputeCollection):
    template = "projects/{project}/global/firewalls/{firewall}"
    defaults: ClassVar[Json] = {"priority": 1000, "direction": "INGRESS", "disabled": False}


class Routes(ComputeCollection):
    template = "projects/{project}/global/routes/{route}"
    defaults: ClassVar[Json] = {"priority": 1000, "routeType": "STATIC"}

    def listed(self, call: Call) -> list[Json]:
        """Return those that a filter of the provider's selects by network and destination."""
        wanted = dict(re.findall(r'\(?(\w+)="([^"]+)"\)?', call.query.get("filter", "")))
        return [
            each
            for each in super().listed(call)
            if each["destRange"] == wanted.get("destRange", each["destRange"])
            and each["network"].endswith(wanted.get("network", "").rpartition("projects/")[2])
        ]


class Addresses(ComputeCollection):
    template = "projects/{project}/global/addresses/{address}"
    permissions = "compute.globalAddresses"
    defaults: ClassVar[Json] = {
        "status": "RESERVED",
        "addressType": "EXTERNAL",
        "labelFingerprint": "Zg==",
    }

    def check_delete(self, call: Call, name: str, old: Json) -> None:
        """Refuse nothing: a range may go before the connection that reserves it.

        https://cloud.google.com/vpc/docs/configure-private-services-access#delete-allocation
        """


Networks()
Subnetworks()
Firewalls()
ROUTES = Routes()
Addresses()


def compute_operation(call: Call, name: str) -> Json:
    """Return an operation that is done, in Compute Engine's own form."""
    number = call.cloud.next_number()
    above = re.match(r"projects/[^/]+/(global|regions/[^/]+)", name)
    scope = above[0] if above else ""
    operation: Json = {
        "kind": "compute#operation",
        "id": str(number),
        "name": f"operation-{number}",
        "status": "DONE",
        "progress": 100,
        "targetLink": ROOT + name,
        "selfLink": f"{ROOT}{scope}/operations/operation-{number}",
    }
    return operation | ({"region": ROOT + scope} if "/regions/" in scope else {})


@SERVICE.route("GET", "projects/{project}")
def read_project(call: Call) -> Json:
    """Return a project's ID for its number, for which the provider asks here."""
    return {"name": call.project, "id": call.cloud.number(call.project)}


@SERVICE.route("GET", "projects/{project}/{scope**}/operations/{operation}")
def read_operation(call: Call) -> Json:
    return {"name": call.parts["operation"], "status": "DONE", "progress": 100}


@SERVICE.route("POST", Addresses.template + "/setLabels")
def set_labels(call: Call) -> Json:
    name = call.name.removesuffix("/setLabels")
    call.cloud.existing(SERVICE.name, name)["labels"] = call.body.get("labels", {})
    return compute_operation(call, name)


@SERVICE.route("GET", Subnetworks.template + "/getIamPolicy")
def read_subnetwork_policy(call: Call) -> Json:
    return read_policy(call.cloud, f"{SERVICE.name}/{call.name.removesuffix('/getIamPolicy')}")


@SERVICE.route("POST", Subnetworks.template + "/setIamPolicy")
def write_subnetwork_policy(call: Call) -> Json:
    key = f"{SERVICE.name}/{call.name.removesuffix('/setIamPolicy')}"
    return write_policy(call.cloud, key, call.body["policy"])
