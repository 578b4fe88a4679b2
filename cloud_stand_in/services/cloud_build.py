"""Cloud Build: private worker pools, and builds that were there before."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json, in_use, precondition
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Call, Service

from .compute import find_network
from .service_networking import connection_key

SERVICE = Service("cloudbuild")


class WorkerPools(Collection):
    service = SERVICE
    template = "projects/{project}/locations/{location}/workerPools/{pool}"
    id_in_query = "workerPoolId"
    permissions = "cloudbuild.workerpools"

    def complete(self, call: Call, name: str, resource: Json) -> None:
        resource["state"] = "RUNNING"
        resource.setdefault("uid", str(call.cloud.next_number()))
        resource["etag"] = f"etag-{call.cloud.next_number()}"

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        """Refuse a network that has no private connection, or one that is not known yet.

        https://cloud.google.com/build/docs/private-pools/set-up-private-pool-environment
        """
        reference = new["privatePoolV1Config"].get("networkConfig", {}).get("peeredNetwork")
        if not reference or old:
            return
        network = find_network(call.cloud, reference)
        key = connection_key(network)
        if key not in call.cloud.resources or not call.cloud.has_spread(key):
            raise precondition(f"network {network} is not peered with servicenetworking")

    def check_delete(self, call: Call, name: str, old: Json) -> None:
        for key, each in call.cloud.below("cloudfunctions/").items():
            pool = each["buildConfig"].get("workerPool", "")
            if call.cloud.canonical(pool) == name:
                raise in_use(name, key)


WorkerPools()


@SERVICE.route(
    "GET", "projects/{project}/locations/{location}/builds/{build}", "cloudbuild.builds.get"
)
def read_build(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, call.name)


def find_pool(cloud: Cloud, reference: str) -> Json | None:
    return cloud.find(SERVICE.name, reference)
