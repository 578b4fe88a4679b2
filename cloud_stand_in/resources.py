"""What most resources have in common: create, read, list, change, delete."""

from __future__ import annotations

import copy
import re

from .cloud import Cloud, now
from .errors import Json, exists, invalid
from .routing import Answer, Call, Service, page


def camel_case(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def permissions_of(service: Service, template: str) -> str:
    """Return what most permissions for the resources of `template` begin with."""
    return f"{service.name}.{template.split('/')[-2]}"


def merged(old: Json, change: Json, mask: str | None) -> Json:
    """Return `old` with the fields of `change` that the update mask lists, or with all of them."""
    new = copy.deepcopy(old)
    if mask is None:
        return new | change
    for path in filter(None, mask.split(",")):
        *above, last = map(camel_case, path.strip().split("."))
        target, source = new, change
        for part in above:
            if not isinstance(target.get(part), dict):
                target[part] = {}
            target, source = target[part], source.get(part) or {}
        target.pop(last, None)
        if last in source:
            target[last] = source[last]
    return new


def finished(cloud: Cloud, name: str, response: Json) -> Json:
    """Return an operation that is done. https://google.aip.dev/151"""
    place = re.match(r"projects/[^/]+/locations/[^/]+/", name)
    return {
        "name": f"{place[0] if place else ''}operations/op-{cloud.next_number()}",
        "done": True,
        "metadata": {"target": name},
        "response": {"@type": "type.googleapis.com/google.protobuf.Struct", **response},
    }


class Collection:
    """The resources of one kind. Subclasses say what the kind's own rules are."""

    service: Service
    template: str  # of one resource's name
    id_in_query: str = ""  # which parameter names a new resource; else the body's `name`
    slow_change = True  # whether a change is an operation
    slow = True  # whether create and delete are
    timed = True  # whether it has createTime and updateTime
    create_method = "POST"  # PUT: to the name itself
    permissions: str = ""  # what they begin with, unless with the service and the list's name

    def __init__(self) -> None:
        above, _, _ = self.template.rpartition("/")
        self.list_key = above.rpartition("/")[2]
        creates = above if self.create_method == "POST" else self.template
        permissions = self.permissions or permissions_of(self.service, self.template)
        for method, template, handler, verb in (
            (self.create_method, creates, self.create, "create"),
            ("GET", above, self.list_all, "list"),
            ("GET", self.template, self.read, "get"),
            ("PATCH", self.template, self.change, "update"),
            ("PUT", self.template, self.change, "update"),
            ("DELETE", self.template, self.delete, "delete"),
        ):
            self.service.add(method, template, handler, f"{permissions}.{verb}")

    # For subclasses.

    def new_name(self, call: Call) -> str:
        """Return the full name of the resource that the call creates."""
        if self.create_method == "PUT":
            return call.name
        id_ = call.query.get(self.id_in_query) or str(call.body.get("name", "")).split("/")[-1]
        if not id_:
            raise invalid(f"{self.id_in_query or 'name'} is missing")
        return f"{call.name}/{id_}"

    def content(self, call: Call) -> Json:
        """Return the resource in the body of a call."""
        return call.body

    def complete(self, call: Call, name: str, resource: Json) -> None:
        """Add what the service adds to a new or changed resource."""

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        """Refuse a resource that the service refuses."""

    def check_delete(self, call: Call, name: str, old: Json) -> None:
        """Refuse to delete a resource that is needed."""

    def listed(self, call: Call) -> list[Json]:
        """Return the resources that a list has."""
        prefix = f"{self.key(call.name)}/"
        found = call.cloud.below(prefix).items()
        return [each for key, each in found if "/" not in key[len(prefix) :]]

    # The calls.

    def key(self, name: str) -> str:
        return f"{self.service.name}/{name}"

    def answer(self, call: Call, name: str, resource: Json, *, slow: bool) -> Json:
        return finished(call.cloud, name, resource) if slow else resource

    def create(self, call: Call) -> Answer:
        cloud, name = call.cloud, self.new_name(call)
        if self.key(name) in cloud.resources:
            if self.create_method == "PUT":
                return self.change(call)
            raise exists(name)
        resource = {**copy.deepcopy(self.content(call)), "name": name}
        self.check(call, name, resource, None)
        if self.timed:
            resource["createTime"] = resource["updateTime"] = now()
        self.complete(call, name, resource)
        cloud.resources[self.key(name)] = resource
        return self.answer(call, name, resource, slow=self.slow)

    def read(self, call: Call) -> Answer:
        return call.cloud.existing(self.service.name, call.name)

    def list_all(self, call: Call) -> Answer:
        return page(call, self.list_key, self.listed(call))

    def change(self, call: Call) -> Answer:
        cloud, name = call.cloud, call.name
        old = cloud.existing(self.service.name, name)
        mask = call.query.get("updateMask", call.body.get("updateMask"))
        change = {key: value for key, value in self.content(call).items() if key != "name"}
        new = merged(old, change, mask)
        self.check(call, name, new, old)
        if self.timed:
            new["updateTime"] = now()
        self.complete(call, name, new)
        cloud.resources[self.key(name)] = new
        return self.answer(call, name, new, slow=self.slow_change)

    def delete(self, call: Call) -> Answer:
        cloud, name = call.cloud, call.name
        old = cloud.existing(self.service.name, name)
        self.check_delete(call, name, old)
        cloud.delete(self.key(name))
        return finished(cloud, name, {}) if self.slow else {}
