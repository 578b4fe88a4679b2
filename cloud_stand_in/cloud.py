"""What exists: projects, resources, policies, and since when each is propagated."""

from __future__ import annotations

import copy
import datetime as dt
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import ApiError, Json, build_failed, invalid, not_found

# https://cloud.google.com/service-usage/docs/enabled-service: what a new project has. Terraform's
# own prerequisites, Resource Manager and IAM, are not among them.
ENABLED_BY_DEFAULT = (
    "cloudapis logging monitoring servicemanagement serviceusage storage storage-api "
    "storage-component"
).split()


ORGANIZATION = "organizations/987654321098"


@dataclass(frozen=True)
class Delays:
    """Seconds until a change is propagated; the services document minutes.

    identities: a new account, or service agent, is accepted as a member.
    grants: a new role permits something.
    peering: Cloud Build sees a network's new peering.
    perimeter: an ingress rule permits, a member's switch can be set.
    """

    identities: float = 0
    grants: float = 0
    peering: float = 0
    perimeter: float = 0


# Builds and starts a function: takes the resource, its source as a zip archive, and why the index
# would refuse the build, or "". ApiError when the build or the start fails.
Builder = Callable[[Json, bytes, str], None]


def build_nothing(function: Json, source: bytes, refusal: str) -> None:  # noqa: ARG001 - a Builder
    """Fail if the index refuses the build."""
    if refusal:
        raise build_failed(refusal)


@dataclass
class Cloud:
    """Everything that Google would know.

    Keys of `resources` and `policies` are `SERVICE/NAME`, such as
    `pubsub/projects/a-project/topics/t`; names hold project IDs, never numbers.
    """

    delays: Delays = field(default_factory=Delays)
    builder: Builder = build_nothing
    caller: str = "user:taro@example.com"
    projects: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)
    apis: dict[str, list[str]] = field(default_factory=dict)
    agents: list[str] = field(default_factory=list)
    # The contents of objects, and the metadata of uploads that have begun.
    blobs: dict[str, bytes] = field(default_factory=dict)
    propagated: dict[str, float] = field(default_factory=dict)
    serial: int = 1000
    # How many items a page of a list has at most.
    page_size: int = 100
    # Locations that lists leave out because they do not answer.
    unreachable: list[str] = field(default_factory=list)

    def add_project(
        self, project: str, number: str, *apis: str, parent: str = ORGANIZATION
    ) -> None:
        self.projects[project] = number
        self.apis[project] = list(dict.fromkeys([*ENABLED_BY_DEFAULT, *apis]))
        name = f"projects/{project}"
        self.add("cloudresourcemanager", name, lifecycleState="ACTIVE", parent=parent)

    def add(self, service: str, name: str, **content: object) -> Json:
        """Create a resource as its owner did before: nothing is checked or added."""
        resource = {"name": name, **content}
        self.resources[f"{service}/{name}"] = resource
        return resource

    def snapshot(self) -> Json:
        """Return everything that lasts, for `restore` in another cloud; all of it is propagated."""
        lasting = (
            "projects", "resources", "policies", "apis", "agents", "serial",
        )  # fmt: skip
        return copy.deepcopy({name: getattr(self, name) for name in lasting})

    def restore(self, snapshot: Json) -> None:
        for name, value in copy.deepcopy(snapshot).items():
            setattr(self, name, value)
        self.propagated = {}

    # Names.

    def next_number(self) -> int:
        self.serial += 1
        return self.serial

    def project_id(self, reference: str) -> str:
        """Return the ID of the project with this ID or number."""
        return next((id_ for id_, n in self.projects.items() if n == reference), reference)

    def number(self, project: str) -> str:
        project = self.project_id(project)
        if project not in self.projects:
            raise ApiError(
                403,
                "PERMISSION_DENIED",
                f"Permission denied on resource project {project}.",
                "CONSUMER_INVALID",
                consumer=f"projects/{project}",
            )
        return self.projects[project]

    def canonical(self, reference: str) -> str:
        """Return the name in `reference`, a name or URL, with the project's ID."""
        name = re.sub(r"^(https?:)?//.*?/(?=projects/)", "", reference)
        return re.sub(
            r"^projects/([^/]+)", lambda found: f"projects/{self.project_id(found[1])}", name
        )

    # Resources.

    def find(self, service: str, reference: str) -> Json | None:
        return self.resources.get(f"{service}/{self.canonical(reference)}")

    def existing(self, service: str, reference: str) -> Json:
        """Return a resource that the call addresses: without it the answer is 404."""
        found = self.find(service, reference)
        if found is None:
            raise not_found(reference)
        return found

    def required(self, service: str, reference: str, what: str) -> Json:
        """Return a resource that the request names: without it the request is invalid."""
        found = self.find(service, reference)
        if found is None:
            raise invalid(f"The {what} '{reference}' was not found")
        return found

    def below(self, prefix: str) -> dict[str, Json]:
        """Return the resources whose keys start with `prefix`."""
        return {key: each for key, each in self.resources.items() if key.startswith(prefix)}

    def delete(self, key: str) -> None:
        """Delete a resource with what is in it; their policies are gone with them."""
        gone = [each for each in self.resources if each == key or each.startswith(f"{key}/")]
        for each in gone:
            del self.resources[each]
            self.blobs.pop(each, None)
        for each in [each for each in self.policies if each == key or each.startswith(f"{key}/")]:
            del self.policies[each]

    # Propagation.

    def spread(self, what: str, delay: float) -> None:
        """Note that `what` takes effect after `delay` seconds."""
        self.propagated[what] = time.monotonic() + delay

    def has_spread(self, what: str) -> bool:
        return time.monotonic() >= self.propagated.get(what, 0)

    # Projects' APIs and service agents.

    def enabled(self, project: str, api: str) -> bool:
        return api in self.apis.get(self.project_id(project), [])

    def create_agent(self, project: str, domain: str) -> str:
        """Return the e-mail of a service agent, which exists from now on."""
        email = f"service-{self.number(project)}@{domain}.iam.gserviceaccount.com"
        if email not in self.agents:
            self.agents.append(email)
            self.spread(email, self.delays.identities)
        return email


def now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
