"""What Google Cloud's own answers say about the things that a build needs."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from closed_function.findings import OK, PROBLEM, UNKNOWN, Result
from closed_function.google_cloud import Answer, Request, Session
from closed_function.repository_checks import Facts
from closed_function.upstreams import presentable

# What the stacks turn on or, the last two, need to be on before them.
APIS = (
    "artifactregistry cloudbuild cloudfunctions iam logging run storage "
    "cloudresourcemanager serviceusage"
).split()

FULL_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/(?:repositories|workerPools)/[^/]+")
WHOLE_POLICY = json.dumps({"options": {"requestedPolicyVersion": 3}})
NOT_YET = Answer({}, "not read yet")
# What reading a field raises that has another type than the API's documentation says.
UNKNOWN_FORM = (AttributeError, IndexError, KeyError, TypeError, ValueError)
EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
# Prefixes of members that may stand for an account; that of a domain does not.
SETS_OF_ACCOUNTS = ("group:", "principalSet:")

Said = TypeVar("Said")


class Need(NamedTuple):
    """Something that the build account must be allowed to do.

    `roles` are the usual ones that allow it, so that their definitions need not be read.
    """

    claim: str
    permission: str
    roles: frozenset[str]
    symptom: str


def roles(names: str) -> frozenset[str]:
    """The roles of these short names, and those that a build account has in most projects."""
    usual = "cloudbuild.builds.builder run.builder editor owner"
    return frozenset(f"roles/{name}" for name in f"{names} {usual}".split())


UPLOADERS = (
    "artifactregistry.writer artifactregistry.repoAdmin artifactregistry.admin "
    "artifactregistry.createOnPushWriter artifactregistry.createOnPushRepoAdmin"
)
READS_PYTHON = Need(
    "the build account may read the Python repository",
    "artifactregistry.repositories.downloadArtifacts",
    roles(f"artifactregistry.reader viewer {UPLOADERS}"),
    "reader-missing",
)
WRITES_DOCKER = Need(
    "the build account may write the Docker repository",
    "artifactregistry.repositories.uploadArtifacts",
    roles(UPLOADERS),
    "docker-writer-missing",
)
WRITES_LOGS = Need(
    "the build account may write logs",
    "logging.logEntries.create",
    roles("logging.logWriter logging.admin"),
    "log-writer-missing",
)
READS_SOURCES = Need(
    "the build account may read the function's source",
    "storage.objects.get",
    roles("storage.objectViewer storage.objectUser storage.objectAdmin storage.admin"),
    "build-sources-denied",
)
NEEDS = (READS_PYTHON, WRITES_DOCKER, WRITES_LOGS, READS_SOURCES)
# A role that is known for one need and not for another does not serve that other.
KNOWN_ROLES = frozenset[str]().union(*(need.roles for need in NEEDS))
# What Google names the buckets with the sources of functions.
SOURCE_BUCKETS = "gcf-v2-sources-"


class Cloud:
    """What has been read of Google Cloud so far.

    What is asked for and not there yet is `wanted`, and answered with NOT_YET. So a check states
    each read once, where it needs it, and whatever can be read in parallel is.
    """

    def __init__(self) -> None:
        self.answers: dict[Request, Answer] = {}
        self.wanted: dict[Request, None] = {}

    def get(self, request: Request) -> Answer:
        if request not in self.answers:
            self.wanted[request] = None
        return self.answers.get(request, NOT_YET)

    def pages(self, request: Request, key: str) -> tuple[list[dict[str, Any]], str]:
        """The items under `key` on all pages, and why there may be more."""
        items: list[dict[str, Any]] = []
        page, asked = request, set[Request]()
        while page not in asked:
            asked.add(page)
            answer = self.get(page)
            if answer.why:
                return items, answer.why
            items += answer.content.get(key, [])
            token = answer.content.get("nextPageToken")
            if token:
                mark = "&" if "?" in request.path else "?"
                path = f"{request.path}{mark}pageToken={quote(token, safe='')}"
                page = request._replace(path=path)
        return items, ""

    def project(self, project: str) -> Answer:
        return self.get(
            Request(
                "cloudresourcemanager",
                f"v1/projects/{quote(project)}",
                f"the project {project}",
                "resourcemanager.projects.get",
                expects="projectNumber",
            )
        )

    def number(self, project: str) -> str:
        return str(self.project(project).content.get("projectNumber", ""))

    def project_policy(self, project: str) -> Answer:
        return self.get(
            Request(
                "cloudresourcemanager",
                f"v1/projects/{quote(project)}:getIamPolicy",
                f"the IAM policy of the project {project}",
                "resourcemanager.projects.getIamPolicy",
                WHOLE_POLICY,
                expects="etag",
            )
        )

    def repository(self, name: str) -> Answer:
        return self.get(
            Request(
                "artifactregistry",
                f"v1/{quote(name)}",
                f"the repository {name}",
                "artifactregistry.repositories.get",
                expects="format",
            )
        )

    def repository_policy(self, name: str) -> Answer:
        return self.get(
            Request(
                "artifactregistry",
                f"v1/{quote(name)}:getIamPolicy?options.requestedPolicyVersion=3",
                f"the IAM policy of {name}",
                "artifactregistry.repositories.getIamPolicy",
                expects="etag",
            )
        )

    def role(self, name: str) -> Answer:
        return self.get(
            Request("iam", f"v1/{quote(name)}", f"the role {name}", "iam.roles.get"),
        )

    def account(self, email: str) -> Answer:
        project = account_project(email) or "-"
        return self.get(
            Request(
                "iam",
                f"v1/projects/{project}/serviceAccounts/{quote(email)}",
                f"the service account {email}",
                "iam.serviceAccounts.get",
                expects="email",
            )
        )


def check(facts: Facts, session: Session, timeout: float = 30) -> list[Result]:
    results = settle(lambda cloud: judge(facts, cloud), session, timeout)
    return [result._replace(seen=presentable(result.seen)) for result in results]


def settle(
    say: Callable[[Cloud], Iterable[Said]], session: Session, timeout: float = 30
) -> list[Said]:
    """What `say` says once all that it asks for is read, in as few rounds of reads as can be."""
    deadline = time.monotonic() + timeout
    cloud = Cloud()
    while True:
        said = list(say(cloud))
        if not cloud.wanted:
            return said
        cloud.answers.update(session.read(cloud.wanted, deadline))
        cloud.wanted.clear()


def judge(facts: Facts, cloud: Cloud) -> Iterator[Result]:
    """Yield what each check says of what has been read."""
    projects = list(dict.fromkeys([facts.project, facts.function_project or facts.project]))
    checks: dict[str, Callable[[], Iterable[Result]]] = {
        "the projects are ready": lambda: [
            judged
            for project in projects
            for judged in (check_project(cloud, project), check_apis(cloud, project))
        ],
        "your own requests are let in": lambda: check_caller(cloud),
        "the projects are in a perimeter": lambda: check_perimeters(
            cloud, projects, facts.access_policy
        ),
        "the Python repository asks its upstream": lambda: check_upstreams(cloud, facts),
        "the Docker repository takes images": lambda: [
            check_docker_repository(cloud, facts.docker_repository)
        ],
        "the build account has its roles": lambda: check_build_account(cloud, facts),
        "the worker pool is ready": lambda: check_worker_pool(cloud, facts.worker_pool),
    }
    for claim, judgement in checks.items():
        try:
            results = list(judgement())
        except UNKNOWN_FORM:
            results = [Result(claim, UNKNOWN, "Google's answer has a form that is not known here")]
        yield from results


def gcloud(*words: str) -> str:
    return shlex.join(["gcloud", *words])


def check_project(cloud: Cloud, project: str) -> Result:
    claim = f"the project {project} is active"
    command = gcloud("projects", "describe", project)
    answer = cloud.project(project)
    if answer.status == 404:
        return Result(claim, PROBLEM, f"{answer.why}.", command, "project-unreadable")
    if answer.why:
        return Result(claim, UNKNOWN, answer.why, command)
    state = answer.content.get("lifecycleState")
    if state != "ACTIVE":
        seen = f"The project {project} is in the state {state}."
        return Result(claim, PROBLEM, seen, command, "project-unreadable")
    return Result(claim, OK, f"number {cloud.number(project)}", command)


def check_apis(cloud: Cloud, project: str) -> Result:
    """By Service Usage's list and, where that may not be read, by what each API answered."""
    claim = f"the APIs are on in {project}"
    command = gcloud("services", "list", "--enabled", f"--project={project}")
    names = {f"{api}.googleapis.com" for api in APIS}
    query = "&".join(f"names=projects/{quote(project)}/services/{name}" for name in sorted(names))
    answer = cloud.get(
        Request(
            "serviceusage",
            f"v1/projects/{quote(project)}/services:batchGet?{query}&fields=services(name,state)",
            f"which APIs are on in {project}",
            "serviceusage.services.get",
            expects="services",
        )
    )
    consumers = {f"projects/{project}", f"projects/{cloud.number(project)}"}
    off = {
        each.metadata.get("service", "an API")
        for each in cloud.answers.values()
        if each.reason == "SERVICE_DISABLED" and each.metadata.get("consumer") in consumers
    } & names
    if not answer.why:
        services = answer.content.get("services", [])
        on = {each["name"].split("/")[-1] for each in services if each.get("state") == "ENABLED"}
        off |= names - on
    if off:
        verb = "is" if len(off) == 1 else "are"
        seen = f"{', '.join(sorted(off))} {verb} off in {project}."
        return Result(claim, PROBLEM, seen, command, "api-off")
    if answer.why:
        return Result(claim, UNKNOWN, answer.why, command)
    return Result(claim, OK, f"all {len(names)}", command)


def check_caller(cloud: Cloud) -> Iterator[Result]:
    """Say once that the perimeter keeps the caller out, whatever it kept from being read."""
    refused = [
        answer for answer in cloud.answers.values() if answer.reason == "SECURITY_POLICY_VIOLATED"
    ]
    if refused:
        service = refused[0].metadata.get("service", "a service")
        identifier = refused[0].metadata.get("uid", "none given")
        yield Result(
            "the perimeter lets your own requests in",
            PROBLEM,
            f"The perimeter refused your request to {service} (identifier {identifier}).",
            symptom="caller-outside-perimeter",
        )


def check_upstreams(cloud: Cloud, facts: Facts) -> Iterator[Result]:
    """The Python repository, what is behind it, and the switch wherever that is."""
    place = f"projects/{facts.project}/locations/{facts.location}"
    name = f"{place}/repositories/{facts.repository}"
    answer = cloud.repository(name)
    behind = {
        each: cloud.repository(each)
        for policy in answer.content.get("virtualRepositoryConfig", {}).get("upstreamPolicies", [])
        if (each := policy.get("repository", ""))
    }
    elsewhere = dict.fromkeys(
        each.split("/repositories/")[0]
        for each, found in behind.items()
        if found.content.get("mode") == "REMOTE_REPOSITORY"
    )
    yield check_switch(cloud, place)
    yield from (check_switch(cloud, each) for each in elsewhere if each != place)
    yield check_python_repository(name, answer, behind)


def check_switch(cloud: Cloud, place: str) -> Result:
    _, project, _, location = place.split("/")
    claim = f"upstream access is allowed in {project}, {location}"
    options = (f"--project={project}", f"--location={location}")
    command = gcloud("artifacts", "vpcsc-config", "describe", *options)
    answer = cloud.get(
        Request(
            "artifactregistry",
            f"v1/{quote(place)}/vpcscConfig",
            f"the switch of {project} in {location}",
            "artifactregistry.vpcscconfigs.get and accesscontextmanager.policies.get",
            expects="name",
        )
    )
    if answer.why:
        return Result(claim, UNKNOWN, answer.why, command)
    policy = answer.content.get("vpcscPolicy", "VPCSC_POLICY_UNSPECIFIED")
    if policy == "ALLOW":
        return Result(claim, OK, "ALLOW", command)
    said = "nothing" if policy == "VPCSC_POLICY_UNSPECIFIED" else policy
    seen = f"The switch of {project} in {location} says {said}, which denies."
    return Result(claim, PROBLEM, seen, command, "upstream-denied")


def check_python_repository(name: str, answer: Answer, behind: Mapping[str, Answer]) -> Result:
    """Whether what pip asks leads to an upstream; `behind` is behind a virtual repository."""
    claim = "the Python repository leads to an upstream"
    command = describe_repository(name)
    if answer.status == 404:
        seen = f"The repository {name} does not exist."
        return Result(claim, PROBLEM, seen, command, "not-in-index")
    if answer.why:
        return Result(claim, UNKNOWN, answer.why, command)
    kind, mode = answer.content.get("format"), answer.content.get("mode")
    remote = {
        each: found
        for each, found in {name: answer, **behind}.items()
        if found.content.get("mode") == "REMOTE_REPOSITORY"
    }
    if kind != "PYTHON":
        seen = f"The format of {name} is {kind}."
    elif remote:
        seen = "; ".join(f"{short(each)} asks {upstream(remote[each])}" for each in remote)
        return Result(claim, OK, seen, command)
    elif mode != "VIRTUAL_REPOSITORY":
        seen = f"The mode of {name} is {mode}."
    else:
        doubts = [found.why for found in behind.values() if found.why]
        doubts += [
            f"{short(each)} is virtual, too, and was not followed"
            for each, found in behind.items()
            if found.content.get("mode") == "VIRTUAL_REPOSITORY"
        ]
        if doubts:
            return Result(claim, UNKNOWN, doubts[0], command)
        listed = ", ".join(short(each) for each in behind) or "none"
        seen = f"No repository behind the virtual {name} is a remote one ({listed})."
    return Result(claim, PROBLEM, seen, command, "repository-kind")


def upstream(remote: Answer) -> str:
    """Where a remote repository fetches what it does not hold."""
    config = remote.content.get("remoteRepositoryConfig", {})
    python = config.get("pythonRepository", {})
    return str(
        python.get("publicRepository")
        or python.get("customRepository", {}).get("uri")
        or python.get("artifactRegistryRepository", {}).get("repository")
        or config.get("commonRepository", {}).get("uri")
        or "an upstream that is not named"
    )


def check_docker_repository(cloud: Cloud, name: str) -> Result:
    claim = "the Docker repository takes images"
    if not FULL_NAME.fullmatch(name):
        return Result(claim, UNKNOWN, "the hand-over names no Docker repository")
    command = describe_repository(name)
    answer = cloud.repository(name)
    if answer.status == 404:
        seen = f"The repository {name} does not exist."
    elif answer.why:
        return Result(claim, UNKNOWN, answer.why, command)
    elif answer.content.get("format") != "DOCKER":
        seen = f"The format of {name} is {answer.content.get('format')}."
    elif answer.content.get("mode") in ("REMOTE_REPOSITORY", "VIRTUAL_REPOSITORY"):
        seen = f"The mode of {name} is {answer.content['mode']}, which nobody can write."
    else:
        return Result(claim, OK, name, command)
    return Result(claim, PROBLEM, seen, command, "docker-repository-missing")


def check_build_account(cloud: Cloud, facts: Facts) -> Iterator[Result]:
    """The account that builds: it is there, and each role that it needs."""
    claim, email = "the build account is there", facts.build_account
    if not email:
        yield Result(claim, UNKNOWN, "the hand-over names no build account")
        return
    project = account_project(email)
    where = [f"--project={project}"] if project else []
    command = gcloud("iam", "service-accounts", "describe", email, *where)
    answer = cloud.account(email)
    grants = list(check_grants(cloud, facts))
    if answer.status == 404:
        maker = "make deploy" if facts.own_build_account else "make platform"
        seen = f"{email} does not exist; `{maker}` makes it."
        yield Result(claim, PROBLEM, seen, command, "build-account-missing")
        grants = [
            Result(grant.check, UNKNOWN, f"{email} does not exist", grant.command)
            for grant in grants
        ]
    elif answer.why:
        yield Result(claim, UNKNOWN, answer.why, command)
    elif answer.content.get("disabled"):
        yield Result(claim, PROBLEM, f"{email} is disabled.", command, "build-account-missing")
    else:
        yield Result(claim, OK, email, command)
    if all(grant.verdict == PROBLEM for grant in grants):
        seen = f"{email} has none of its roles."
        command = see_roles(facts.function_project, email)
        claim = "the build account has its roles"
        yield Result(claim, PROBLEM, seen, command, "build-account-without-roles")
    else:
        yield from grants


def check_grants(cloud: Cloud, facts: Facts) -> Iterator[Result]:
    """Each need of the build account, by the repository's policy and the project's."""
    python = f"projects/{facts.project}/locations/{facts.location}/repositories/{facts.repository}"
    email = facts.build_account
    for need, name in ((READS_PYTHON, python), (WRITES_DOCKER, facts.docker_repository)):
        if not FULL_NAME.fullmatch(name):
            yield Result(need.claim, UNKNOWN, "the hand-over names no Docker repository")
            continue
        _, project, _, location, _, repository = name.split("/")
        command = gcloud(
            *("artifacts", "repositories", "get-iam-policy", repository),
            *(f"--project={project}", f"--location={location}"),
        )
        policies = {
            short(name): cloud.repository_policy(name),
            project: cloud.project_policy(project),
        }
        yield check_need(cloud, need, email, policies, command)
    project = facts.function_project or facts.project
    command = see_roles(project, email)
    for need in (WRITES_LOGS, READS_SOURCES):
        policies = {project: cloud.project_policy(project)}
        yield check_need(cloud, need, email, policies, command)


def check_need(
    cloud: Cloud, need: Need, email: str, policies: Mapping[str, Answer], command: str
) -> Result:
    """Whether one of `policies`, by what they belong to, lets the account do what it must."""
    doubts = []
    for owner, policy in policies.items():
        for binding in policy.content.get("bindings", []):
            doubt = why_not(cloud, need, email, binding)
            if doubt == "":
                return Result(need.claim, OK, f"{binding['role']} on {owner}", command)
            if doubt:
                doubts.append(doubt)
    doubts += [policy.why for policy in policies.values() if policy.why]
    if doubts:
        return Result(need.claim, UNKNOWN, doubts[0], command)
    seen = f"No role of {email} on {' or on '.join(policies)} has {need.permission}."
    return Result(need.claim, PROBLEM, seen, command, need.symptom)


def why_not(cloud: Cloud, need: Need, email: str, binding: Mapping[str, Any]) -> str | None:
    """What keeps `binding` from being certain to serve the need: "" nothing, None that it is not.

    An account may also be meant as a member of a group, which only the group's owner can see.
    """
    role, members = str(binding.get("role", "")), binding.get("members", [])
    condition = binding.get("condition", {})
    meant = not EVERYBODY.union([f"serviceaccount:{email.lower()}"]).isdisjoint(
        member if member in EVERYBODY else member.lower() for member in members
    )
    sets = [member for member in members if member.startswith(SETS_OF_ACCOUNTS)]
    if role not in need.roles:
        if not meant or role in KNOWN_ROLES:
            return None
        definition = cloud.role(role)
        if definition.why:
            return f"{email} has {role}, which may suffice, but {definition.why}"
        if need.permission not in definition.content.get("includedPermissions", []):
            return None
    if not meant:
        return f"{role} is given to {sets[0]}, and {email} may be one of it" if sets else None
    if condition and not (need is READS_SOURCES and SOURCE_BUCKETS in condition["expression"]):
        return f"{role} is given under the condition {condition.get('title', 'without a title')!r}"
    return ""


def check_worker_pool(cloud: Cloud, name: str) -> Iterator[Result]:
    runs, closed = "the worker pool is running", "the worker pool has no external address"
    if not FULL_NAME.fullmatch(name):
        for claim in (runs, closed):
            yield Result(claim, UNKNOWN, "the hand-over names no worker pool")
        return
    _, project, _, location, _, pool = name.split("/")
    options = (f"--region={location}", f"--project={project}")
    command = gcloud("builds", "worker-pools", "describe", pool, *options)
    answer = cloud.get(
        Request(
            "cloudbuild",
            f"v1/{quote(name)}",
            f"the worker pool {name}",
            "cloudbuild.workerpools.get",
            expects="state",
        )
    )
    if answer.status == 404:
        yield Result(runs, PROBLEM, f"{name} does not exist.", command, "pool-not-found")
    if answer.why:
        if answer.status != 404:
            yield Result(runs, UNKNOWN, answer.why, command)
        yield Result(closed, UNKNOWN, answer.why, command)
        return
    state = answer.content.get("state")
    if state == "RUNNING":
        yield Result(runs, OK, name, command)
    else:
        yield Result(runs, PROBLEM, f"{name} is {state}.", command, "pool-not-running")
    config = answer.content.get("privatePoolV1Config", {})
    egress = config.get("networkConfig", {}).get("egressOption", "not set, which is PUBLIC_EGRESS")
    if egress == "NO_PUBLIC_EGRESS" or config.get("privateServiceConnect", {}).get(
        "publicIpAddressDisabled"
    ):
        yield Result(closed, OK, egress, command)
    else:
        seen = f"The egress option of {name} is {egress}."
        yield Result(closed, PROBLEM, seen, command, "pool-external-ip")


def check_perimeters(cloud: Cloud, projects: Sequence[str], policy: str) -> Iterator[Result]:
    """The enforced perimeter of each project, and that it is one for all of them.

    Not everybody may read perimeters, so that what cannot be told here is no reason to worry.
    """
    policies, why = access_policies(cloud, projects[0], policy)
    perimeters: list[dict[str, Any]] = []
    for name in policies:
        listed, unread = cloud.pages(
            Request(
                "accesscontextmanager",
                f"v1/{quote(name)}/servicePerimeters?pageSize=100",
                f"the perimeters of {name}",
                "accesscontextmanager.servicePerimeters.list",
            ),
            "servicePerimeters",
        )
        perimeters += listed
        why = why or unread
    command = (
        gcloud(
            *("access-context-manager", "perimeters", "list"),
            *(f"--policy={policies[0].split('/')[-1]}", "--format=yaml(name,status.resources)"),
        )
        if policies
        else gcloud("projects", "get-ancestors", projects[0])
    )
    homes = []
    for project in projects:
        claim = f"{project} is in an enforced perimeter"
        resource = f"projects/{cloud.number(project)}"
        home = next((each["name"] for each in perimeters if holds(each, "status", resource)), "")
        homes.append(home)
        unreadable = cloud.project(project).why or (not home and why)
        if unreadable:
            yield Result(claim, UNKNOWN, unreadable, command, optional=True)
        elif home and home != homes[0] and homes[0]:
            seen = f"{project} is in {home}, and {projects[0]} in {homes[0]}."
            yield Result(claim, PROBLEM, seen, command, "project-outside-perimeter")
        elif home:
            yield Result(claim, OK, home, command)
        else:
            seen = f"{project} ({resource}) is in no enforced perimeter"
            if not policies:
                seen = f"{project} belongs to no organisation, which perimeters need"
            dry = [each["name"] for each in perimeters if holds(each, "spec", resource)]
            seen += f"; in {dry[0]} it is in the dry run only." if dry else "."
            yield Result(claim, PROBLEM, seen, command, "project-outside-perimeter")


def holds(perimeter: Mapping[str, Any], configuration: str, resource: str) -> bool:
    """Whether `perimeter`, unless a bridge, has the resource in that of its configurations."""
    bridge = perimeter.get("perimeterType") == "PERIMETER_TYPE_BRIDGE"
    return not bridge and resource in perimeter.get(configuration, {}).get("resources", [])


def access_policies(cloud: Cloud, project: str, given: str) -> tuple[list[str], str]:
    """The access policies that may hold the project's perimeter, and why there may be more."""
    if given:
        return [f"accessPolicies/{given}"], ""
    ancestry = cloud.get(
        Request(
            "cloudresourcemanager",
            f"v1/projects/{quote(project)}:getAncestry",
            f"the organisation of {project}",
            "resourcemanager.projects.get",
            "{}",
            expects="ancestor",
        )
    )
    if ancestry.why:
        return [], ancestry.why
    ancestors = [each.get("resourceId", {}) for each in ancestry.content.get("ancestor", [])]
    organisations = [each["id"] for each in ancestors if each.get("type") == "organization"]
    if not organisations:
        return [], ""
    listed, why = cloud.pages(
        Request(
            "accesscontextmanager",
            f"v1/accessPolicies?parent=organizations/{organisations[0]}",
            f"the access policies of the organisation {organisations[0]}",
            "accesscontextmanager.policies.list",
        ),
        "accessPolicies",
    )
    return [each["name"] for each in listed], why


def describe_repository(name: str) -> str:
    _, project, _, location, _, repository = name.split("/")
    options = (f"--project={project}", f"--location={location}")
    return gcloud("artifacts", "repositories", "describe", repository, *options)


def see_roles(project: str, email: str) -> str:
    """The command that lists the account's roles in the project."""
    return gcloud(
        *("projects", "get-iam-policy", project, "--flatten=bindings[].members"),
        f"--filter=bindings.members:serviceAccount:{email}",
        "--format=table(bindings.role,bindings.condition.title)",
    )


def short(name: str) -> str:
    """The repository's own name, which is what people call it."""
    return name.rpartition("/")[2]


def account_project(email: str) -> str:
    """The project that a service account's name tells, or nothing."""
    domain = email.rpartition("@")[2]
    suffix = ".iam.gserviceaccount.com"
    return domain.removesuffix(suffix) if domain.endswith(suffix) else ""
