"""Check the account that builds, and its roles."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from closed_function.checks.reads import (
    FULL_NAME,
    Cloud,
    account_project,
    gcloud_command,
    resource_command,
    short_name,
)
from closed_function.checks.result import PROBLEM, Check, Result
from closed_function.gcloud.session import Answer
from closed_function.repository import Repository

EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
# Prefixes of members that may stand for an account; that of a domain does not.
SETS_OF_ACCOUNTS = ("group:", "principalSet:")


class Need(NamedTuple):
    """A permission that an account needs.

    `roles` are the usual ones that allow it, so that their definitions need not be read.
    """

    claim: str
    permission: str
    roles: frozenset[str]
    symptom: str


def roles(names: str) -> frozenset[str]:
    """Return the roles of these short names, and those of a build account in most projects."""
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
# A role that is known for one need and not for another does not meet that other.
KNOWN_ROLES = frozenset[str]().union(*(need.roles for need in NEEDS))
# What Google names the buckets with the sources of functions.
SOURCE_BUCKETS = "gcf-v2-sources-"


def check_build_account(cloud: Cloud, repository: Repository) -> Iterator[Result]:
    """Check that the account that builds exists and has each role that it needs."""
    email = repository.build_account
    if not email:
        yield Check("the build account exists").unknown("the hand-over names no build account")
        return
    project = account_project(email)
    options = [f"--project={project}"] if project else []
    command = gcloud_command("iam", "service-accounts", "describe", email, *options)
    exists = Check("the build account exists", command)
    symptom = "build-account-missing"
    if repository.own_build_account:
        symptom = "own-build-account-missing"
    answer = cloud.account(email)
    grants = list(check_grants(cloud, repository))
    if answer.status == 404:
        own = repository.own_build_account
        seen = f"{email} does not exist; `make {'accounts' if own else 'platform'}` creates it."
        yield exists.problem(symptom, seen)
        for grant in grants:
            yield Check(grant.check, grant.command).unknown(f"{email} does not exist")
        return
    if answer.why:
        yield exists.unknown(answer.why)
    elif answer.content.get("disabled"):
        yield exists.problem(symptom, f"{email} is disabled.")
    else:
        yield exists.ok(email)
    if all(grant.verdict == PROBLEM for grant in grants):
        check = Check(
            "the build account has its roles", list_roles(repository.function_project, email)
        )
        yield check.problem("build-account-without-roles", f"{email} has no role that it needs.")
    else:
        yield from grants


def check_grants(cloud: Cloud, repository: Repository) -> Iterator[Result]:
    """Check each need of the build account, by the repository's policy and the project's."""
    place = f"projects/{repository.project}/locations/{repository.location}"
    python = f"{place}/repositories/{repository.python_repository}"
    email = repository.build_account
    for need, name in ((READS_PYTHON, python), (WRITES_DOCKER, repository.docker_repository)):
        if not FULL_NAME.fullmatch(name):
            yield Check(need.claim).unknown("the hand-over names no Docker repository")
            continue
        command = resource_command(name, "artifacts", "repositories", "get-iam-policy")
        project = name.split("/")[1]
        policies = {
            short_name(name): cloud.repository_policy(name),
            project: cloud.project_policy(project),
        }
        yield check_need(cloud, need, email, policies, command)
    project = repository.function_project or repository.project
    for need in (WRITES_LOGS, READS_SOURCES):
        policies = {project: cloud.project_policy(project)}
        yield check_need(cloud, need, email, policies, list_roles(project, email))


def check_need(
    cloud: Cloud, need: Need, email: str, policies: Mapping[str, Answer], command: str
) -> Result:
    """Check that one of `policies`, by their owners, lets the account do what it must."""
    check = Check(need.claim, command)
    doubts = []
    for owner, policy in policies.items():
        for binding in policy.content.get("bindings", []):
            doubt = doubt_about(cloud, need, email, binding)
            if doubt == "":
                return check.ok(f"{binding['role']} on {owner}")
            if doubt:
                doubts.append(doubt)
    doubts += [policy.why for policy in policies.values() if policy.why]
    if doubts:
        return check.unknown(doubts[0])
    seen = f"No role of {email} on {' or on '.join(policies)} has {need.permission}."
    return check.problem(need.symptom, seen)


def doubt_about(cloud: Cloud, need: Need, email: str, binding: Mapping[str, Any]) -> str | None:
    """Return why `binding` may not meet the need: "" if it does, None if it certainly does not.

    An account may also be a member of a group, which only the group's owner can see.
    """
    role, members = str(binding.get("role", "")), binding.get("members", [])
    condition = binding.get("condition", {})
    is_member = not EVERYBODY.union([f"serviceaccount:{email.lower()}"]).isdisjoint(
        member if member in EVERYBODY else member.lower() for member in members
    )
    sets = [member for member in members if member.startswith(SETS_OF_ACCOUNTS)]
    if role not in need.roles:
        if not is_member or role in KNOWN_ROLES:
            return None
        definition = cloud.role(role)
        if definition.why:
            return f"{email} has {role}, which may suffice, but {definition.why}"
        if need.permission not in definition.content.get("includedPermissions", []):
            return None
    if not is_member:
        return f"{role} is granted to {sets[0]}, and {email} may be a member" if sets else None
    if condition and not (need is READS_SOURCES and SOURCE_BUCKETS in condition["expression"]):
        return (
            f"{role} is granted under the condition {condition.get('title', 'without a title')!r}"
        )
    return ""


def list_roles(project: str, email: str) -> str:
    """Return the command that lists the account's roles in the project."""
    return gcloud_command(
        *("projects", "get-iam-policy", project, "--flatten=bindings[].members"),
        f"--filter=bindings.members:serviceAccount:{email}",
        "--format=table(bindings.role,bindings.condition.title)",
    )
