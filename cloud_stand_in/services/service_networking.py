"""Service Networking: a network's one private connection to Google's services."""

from __future__ import annotations

import json

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json, invalid, not_found, precondition
from cloud_stand_in.resources import finished
from cloud_stand_in.routing import Call, Service

from .compute import find_network

SERVICE = Service("servicenetworking")
PRODUCER = "services/{producer}"


def connection_key(network: str) -> str:
    return f"{SERVICE.name}/connections/{network}"


def switch_key(network: str) -> str:
    return f"{SERVICE.name}/vpcServiceControls/{network}"


def check_ranges(call: Call, network: str) -> list[str]:
    """Refuse a range that is not reserved for peerings in this network.

    https://cloud.google.com/vpc/docs/configure-private-services-access
    """
    ranges: list[str] = call.body.get("reservedPeeringRanges", [])
    project = network.split("/")[1]
    for name in ranges:
        found = call.cloud.find("compute", f"projects/{project}/global/addresses/{name}") or {}
        in_network = call.cloud.canonical(found.get("network", "")) == network
        if found.get("purpose") != "VPC_PEERING" or not in_network:
            raise invalid(f"Allocated IP range '{name}' not found in network.")
    return ranges


def write_connection(call: Call, network: str) -> Json:
    name = "servicenetworking-googleapis-com"
    connection = {
        "network": network,
        "peering": name,
        "service": f"services/{call.parts['producer']}",
        "reservedPeeringRanges": check_ranges(call, network),
    }
    if connection_key(network) not in call.cloud.resources:
        call.cloud.spread(connection_key(network), call.cloud.delays.peering)
    call.cloud.resources[connection_key(network)] = connection
    return finished(call.cloud, "", representation(call.cloud, connection))


def representation(cloud: Cloud, connection: Json) -> Json:
    _, project, rest = connection["network"].split("/", 2)
    return {**connection, "network": f"projects/{cloud.number(project)}/{rest}"}


@SERVICE.route("GET", f"{PRODUCER}/connections")
def list_connections(call: Call) -> Json:
    found = call.cloud.resources.get(connection_key(call.cloud.canonical(call.query["network"])))
    return {"connections": [representation(call.cloud, found)] if found else []}


@SERVICE.route("POST", f"{PRODUCER}/connections")
def create_connection(call: Call) -> Json:
    """Create the one connection of a network; `patch` changes its ranges.

    Public reports of "Cannot modify allocated ranges in CreateConnection".
    """
    network = find_network(call.cloud, call.body["network"])
    old = call.cloud.resources.get(connection_key(network))
    if old and set(old["reservedPeeringRanges"]) != set(call.body["reservedPeeringRanges"]):
        raise precondition(
            "Cannot modify allocated ranges in CreateConnection. Please use UpdateConnection."
        )
    return write_connection(call, network)


@SERVICE.route("PATCH", f"{PRODUCER}/connections/{{connection}}")
def change_connection(call: Call) -> Json:
    return write_connection(call, find_network(call.cloud, call.body["network"]))


@SERVICE.route("POST", f"{PRODUCER}/connections/{{connection}}")
@SERVICE.route("DELETE", f"{PRODUCER}/connections/{{connection}}")
def delete_connection(call: Call) -> Json:
    """Refuse while a producer's service uses it.

    https://cloud.google.com/vpc/docs/configure-private-services-access#removing-connection
    """
    network = call.cloud.canonical(call.body["consumerNetwork"])
    if connection_key(network) not in call.cloud.resources:
        raise not_found(network)
    pools = call.cloud.below("cloudbuild/projects/").values()
    if any(f'"{network}"' in json.dumps(pool) for pool in pools):
        raise precondition(
            "Failed to delete connection; Producer services (e.g. CloudSQL, Cloud Memstore, etc.) "
            "are still using this connection."
        )
    call.cloud.delete(connection_key(network))
    return finished(call.cloud, "", {})


SWITCH = f"{PRODUCER}/projects/{{project}}/global/networks/{{network}}/vpcServiceControls"


@SERVICE.route("GET", SWITCH)
def read_switch(call: Call) -> Json:
    network = f"projects/{call.project}/global/networks/{call.parts['network']}"
    return call.cloud.resources.get(switch_key(network), {"enabled": False})


@SERVICE.route("PATCH", f"{PRODUCER}:enableVpcServiceControls")
def enable_switch(call: Call) -> Json:
    """Use the restricted VIP in the network behind the peering.

    `gcloud services vpc-peerings enable-vpc-service-controls`
    """
    network = call.cloud.canonical(call.body["consumerNetwork"])
    if connection_key(network) not in call.cloud.resources:
        raise not_found(network)
    call.cloud.resources[switch_key(network)] = {"enabled": True}
    return finished(call.cloud, "", {})


def add_network(cloud: Cloud, project: str, name: str, *ranges: str) -> str:
    """Add a network, with a connection that has `ranges` if there are any; return its full name."""
    network = f"projects/{project}/global/networks/{name}"
    cloud.resources[f"compute/{network}"] = {"name": name}
    for each in ranges:
        address = f"compute/projects/{project}/global/addresses/{each}"
        cloud.resources[address] = {"purpose": "VPC_PEERING", "network": network}
    if ranges:
        cloud.resources[connection_key(network)] = {
            "network": network,
            "peering": "servicenetworking-googleapis-com",
            "service": "services/servicenetworking.googleapis.com",
            "reservedPeeringRanges": list(ranges),
        }
    return network
