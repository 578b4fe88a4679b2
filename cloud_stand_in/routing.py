"""From a request to the function that answers it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from .cloud import Cloud
from .errors import Json


@dataclass(frozen=True)
class Call:
    """A request. `name` is its path without version and verb, with project IDs."""

    cloud: Cloud
    method: str
    name: str
    parts: Mapping[str, str]
    query: MultiDict[str, str]
    body: Json
    headers: Mapping[str, str]
    content: bytes
    root: str  # the stand-in's own address

    @property
    def project(self) -> str:
        return self.parts.get("project", self.query.get("project", ""))


@dataclass(frozen=True)
class Raw:
    """An answer that is not JSON."""

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Json | Raw
Handler = Callable[[Call], Answer]
Found = TypeVar("Found", bound=Callable[..., Answer])


@dataclass
class Route:
    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    # What the caller needs; https://cloud.google.com/iam/docs/permissions-reference
    permission: str = ""

    def name(self, parts: Mapping[str, str]) -> str:
        """Return the resource's name, from the template, with these parts."""
        path = re.sub(r":\w+$", "", self.template.replace("**}", "}"))
        return path.format_map(dict(parts))


@dataclass
class Service:
    """One API, such as `pubsub` for pubsub.googleapis.com."""

    name: str
    # What precedes names in paths, such as `compute/`; versions are matched by themselves.
    prefix: str = ""
    routes: list[Route] = field(default_factory=list)

    def route(self, method: str, template: str, permission: str = "") -> Callable[[Found], Found]:
        """Register a function for `method` and a path such as `projects/{project}/topics/{topic}`.

        A part matches to the next slash or colon, `{part**}` also beyond.
        """

        def register(handler: Found) -> Found:
            self.add(method, template, handler, permission)
            return handler

        return register

    def add(self, method: str, template: str, handler: Handler, permission: str = "") -> None:
        escaped = re.sub(r"\\([{}])", r"\1", re.escape(template)).replace(r"\*\*", "**")
        path = re.sub(r"{(\w+)\*\*}", r"(?P<\1>.+?)", escaped)
        path = re.sub(r"{(\w+)}", r"(?P<\1>[^/:]+)", path)
        pattern = re.compile(rf"{self.prefix}(?:v\d\w*/)?{path}")
        self.routes.append(Route(method, template, pattern, handler, permission))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self.routes:
            found = route.pattern.fullmatch(path)
            if found and route.method == method:
                return route, found.groupdict()
        return None


def page(call: Call, key: str, items: list[Json]) -> Json:
    """Return a page of a list, without the field if it is empty.

    https://google.aip.dev/158 and https://protobuf.dev/programming-guides/json/
    """
    size = min(int(call.query.get("pageSize", call.cloud.page_size)), call.cloud.page_size)
    start = int(call.query.get("pageToken", "").removesuffix("==") or 0)
    more = {"nextPageToken": f"{start + size}=="} if start + size < len(items) else {}
    listed = items[start : start + size]
    return {**({key: listed} if listed else {}), **more}
