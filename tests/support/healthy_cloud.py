"""A cloud in which a function can be built: its platform, and whatever else the doctor reads."""

from __future__ import annotations

from dataclasses import dataclass

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json
from cloud_stand_in.policies import project_key

# What the doctor wants enabled, and what else it asks.
APIS = (
    "artifactregistry cloudbuild cloudfunctions cloudresourcemanager iam logging run serviceusage "
    "storage"
).split()
ALSO_ASKED = ("accesscontextmanager", "secretmanager")
ORGANIZATION = "organizations/77"
ACCESS_POLICY = "accesscontextmanager/accessPolicies/900"


@dataclass
class HealthyCloud(Cloud):
    """A project that is all platform and function, or one for each of them.

    Attributes that name a resource are its key in `resources` and `policies`.
    """

    project: str = "a-project"
    function_project: str = "a-project"
    location: str = "asia-northeast1"

    def __post_init__(self) -> None:
        self.place = f"projects/{self.project}/locations/{self.location}"
        shared = self.function_project != self.project
        docker, account = "ar-builddocker", "cb-builder"
        if shared:
            docker, account = "alert-to-snmp", "alert-to-snmp-build"
        email = f"{account}@{self.function_project}.iam.gserviceaccount.com"
        self.python = f"artifactregistry/{self.place}/repositories/ar-buildpython"
        self.docker = (
            f"artifactregistry/projects/{self.function_project}/locations/{self.location}"
            f"/repositories/{docker}"
        )
        self.switch = f"artifactregistry/{self.place}/vpcscConfig"
        self.pool = f"cloudbuild/{self.place}/workerPools/cb-workerpool"
        self.account = f"iam/projects/{self.function_project}/serviceAccounts/{email}"
        self.own = project_key(self.project)

        numbers = {self.function_project: "222222222222", self.project: "111111111111"}
        self.add("cloudresourcemanager", "folders/5", parent=ORGANIZATION)
        for project, number in numbers.items():
            self.add_project(project, number, *APIS, *ALSO_ASKED, parent="folders/5")
        self.put(ACCESS_POLICY, parent=ORGANIZATION)
        self.add_perimeter("another", "projects/333333333333")
        self.closed = self.add_perimeter(
            "closed", *(f"projects/{each}" for each in numbers.values())
        )
        self.put(
            self.python,
            format="PYTHON",
            mode="REMOTE_REPOSITORY",
            remoteRepositoryConfig={"pythonRepository": {"publicRepository": "PYPI"}},
        )
        self.put(self.docker, format="DOCKER", mode="STANDARD_REPOSITORY")
        self.put(self.switch, vpcscPolicy="ALLOW")
        egress = {"networkConfig": {"egressOption": "NO_PUBLIC_EGRESS"}}
        self.put(self.pool, state="RUNNING", privatePoolV1Config=egress)
        self.put(self.account, email=email)

        member = f"serviceAccount:{email}"
        sources = 'resource.name.startsWith("projects/_/buckets/gcf-v2-sources-")'
        self.bind(self.python, grant("artifactregistry.reader", member))
        self.bind(self.docker, grant("artifactregistry.writer", member))
        self.bind(self.own, grant("owner", "user:owner@example.com"))
        self.bind_more(
            project_key(self.function_project),
            grant("logging.logWriter", member),
            grant("storage.objectViewer", member, condition("sources-of-functions", sources)),
        )

    def put(self, key: str, **content: object) -> Json:
        """Create a resource, or replace it."""
        return self.add(*key.split("/", 1), **content)  # type: ignore[arg-type]

    def add_perimeter(self, name: str, *members: str, policy: str = "900") -> str:
        """Add an enforced perimeter that lets the caller in; return its key."""
        everything = {"resources": ["*"], "operations": [{"serviceName": "*"}]}
        caller = {"identities": [self.caller]}
        full_name = f"accessPolicies/{policy}/servicePerimeters/{name}"
        status = {
            "resources": list(members),
            "restrictedServices": ["artifactregistry.googleapis.com"],
            "ingressPolicies": [{"ingressFrom": caller, "ingressTo": everything}],
        }
        self.add("accesscontextmanager", full_name, title=name, status=status)
        return f"accesscontextmanager/{full_name}"

    def keep_caller_out(self, *apis: str) -> None:
        """Let the perimeter refuse the caller these services."""
        status = self.resources[self.closed]["status"]
        status["restrictedServices"] = [f"{api}.googleapis.com" for api in apis]
        status["ingressPolicies"] = []

    def bindings(self, key: str) -> list[Json]:
        """Return the bindings of a policy, for a change."""
        found: list[Json] = self.policies.get(key, {}).get("bindings", [])
        return found

    def bind(self, key: str, *bindings: Json) -> None:
        """Replace a policy's bindings, whoever the members are."""
        self.policies[key] = {"version": 3, "etag": "BwXhqDVHTzs=", "bindings": list(bindings)}

    def bind_more(self, key: str, *bindings: Json) -> None:
        self.bind(key, *self.bindings(key), *bindings)


def grant(role: str, member: str, limit: Json | None = None) -> Json:
    """Return a binding of a policy; `role` without its prefix unless it is a custom one."""
    name = role if "/" in role else f"roles/{role}"
    return {"role": name, "members": [member], **({"condition": limit} if limit else {})}


def condition(title: str, expression: str) -> Json:
    return {"title": title, "expression": expression}
