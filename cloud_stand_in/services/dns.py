"""Cloud DNS: private zones and their records."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud, now
from cloud_stand_in.errors import ApiError, Json, exists, invalid, not_found
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Call, Service

from .compute import find_network

SERVICE = Service("dns", prefix="dns/")
ZONE = "projects/{project}/managedZones/{zone}"


class Zones(Collection):
    service = SERVICE
    template = ZONE
    slow = slow_change = False

    def complete(self, call: Call, name: str, resource: Json) -> None:
        resource.pop("updateTime", None)
        resource["creationTime"] = resource.pop("createTime", now())
        resource.update(name=name.rpartition("/")[2], kind="dns#managedZone")
        resource.setdefault("id", str(call.cloud.next_number()))
        resource["nameServers"] = ["ns-gcp-private.googledomains.com."]
        for type_ in ("NS", "SOA"):
            record = {"name": resource["dnsName"], "type": type_, "ttl": 21600, "rrdatas": ["-"]}
            call.cloud.resources[record_key(name, record)] = record

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        for each in new.get("privateVisibilityConfig", {}).get("networks", []):
            find_network(call.cloud, each["networkUrl"])

    def check_delete(self, call: Call, name: str, old: Json) -> None:
        """Refuse to delete a zone that has records.

        https://cloud.google.com/dns/docs/zones#delete-zone
        """
        if [each for each in records(call.cloud, name) if each["type"] not in {"NS", "SOA"}]:
            raise ApiError(
                400,
                "FAILED_PRECONDITION",
                f"The resource '{name}' cannot be deleted because it contains one or more "
                "'resource records'.",
                "containerNotEmpty",
            )


Zones()


def record_key(zone: str, record: Json) -> str:
    return f"{SERVICE.name}/{zone}/rrsets/{record['name']}/{record['type']}"


def records(cloud: Cloud, zone: str) -> list[Json]:
    return list(cloud.below(f"{SERVICE.name}/{zone}/rrsets/").values())


@SERVICE.route("GET", f"{ZONE}/rrsets")
def list_records(call: Call) -> Json:
    zone = call.name.removesuffix("/rrsets")
    call.cloud.existing(SERVICE.name, zone)
    wanted = {field: call.query[field] for field in ("name", "type") if field in call.query}
    found = [each for each in records(call.cloud, zone) if wanted.items() <= each.items()]
    return {"rrsets": found}


@SERVICE.route("POST", f"{ZONE}/changes")
def change_records(call: Call) -> Json:
    """Change records all at once. https://cloud.google.com/dns/docs/reference/rest/v1/changes"""
    zone = call.name.removesuffix("/changes")
    domain = call.cloud.existing(SERVICE.name, zone)["dnsName"]
    resources = call.cloud.resources
    removed = {record_key(zone, each): each for each in call.body.get("deletions", [])}
    added = {record_key(zone, each): each for each in call.body.get("additions", [])}
    for key, each in removed.items():
        if key not in resources:
            raise not_found(each["name"])
    for key, each in added.items():
        if key in resources and key not in removed:
            raise exists(each["name"])
        if not f".{each['name']}".endswith(f".{domain}"):
            raise invalid(f"{each['name']} is not in the zone {domain}")
        if each["type"] == "CNAME" and each["name"] == domain:
            raise invalid(f"A CNAME record is not permitted at the zone's apex {domain}")
    for key in removed:
        del resources[key]
    resources.update(added)
    return {**call.body, "id": str(call.cloud.next_number()), "status": "done"}


@SERVICE.route("GET", f"{ZONE}/changes/{{change}}")
def read_change(call: Call) -> Json:
    return {"id": call.parts["change"], "status": "done"}
