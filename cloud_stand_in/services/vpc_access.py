"""Serverless VPC Access: connectors."""

from __future__ import annotations

from cloud_stand_in.errors import Json, in_use
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Call, Service

from .compute import find_network

SERVICE = Service("vpcaccess")


class Connectors(Collection):
    service = SERVICE
    template = "projects/{project}/locations/{location}/connectors/{connector}"
    id_in_query = "connectorId"

    def complete(self, call: Call, name: str, resource: Json) -> None:
        resource.update(state="READY")
        resource.setdefault("connectedProjects", [call.project])

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        network = new["network"]
        find_network(call.cloud, f"projects/{call.project}/global/networks/{network}")

    def check_delete(self, call: Call, name: str, old: Json) -> None:
        """Refuse to delete a connector that a function uses.

        https://cloud.google.com/vpc/docs/configure-serverless-vpc-access#delete
        """
        for key, each in call.cloud.below("cloudfunctions/").items():
            if each["serviceConfig"].get("vpcConnector") == name:
                raise in_use(name, key)


Connectors()
