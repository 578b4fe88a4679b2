"""Checks of the account that builds, and of its roles."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from closed_function.checks.reads import (
    FULL_NAME,
    Cloud,
    account_project,
    gcloud_command,
    short_name,
)
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.gcloud.session import Answer
from closed_function.repository import Facts

EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
# Prefixes of members that may stand for an account; that of a domain does not.
SETS_OF_ACCOUNTS = ("group:", "principalSet:")


class Need(NamedTuple):
    """Something that the build account must be allowed to do.

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
# A role that is known for one need and not for another does not serve that other.
KNOWN_ROLES = frozenset[str]().union(*(need.roles for need in NEEDS))
# What Google names the buckets with the sources of functions.
SOURCE_BUCKETS = "gcf-v2-sources-"


def check_build_account(cloud: Cloud, facts: Facts) -> Iterator[Result]:
    """Check that the account that builds is there and has each role that it needs."""
    claim, email = "the build account is there", facts.build_account
    if not email:
        yield Result(claim, UNKNOWN, "the hand-over names no build account")
        return
    project = account_project(email)
    where = [f"--project={project}"] if project else []
    command = gcloud_command("iam", "service-accounts", "describe", email, *where)
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
    """Check each need of the build account, by the repository's policy and the project's."""
    python = f"projects/{facts.project}/locations/{facts.location}/repositories/{facts.repository}"
    email = facts.build_account
    for need, name in ((READS_PYTHON, python), (WRITES_DOCKER, facts.docker_repository)):
        if not FULL_NAME.fullmatch(name):
            yield Result(need.claim, UNKNOWN, "the hand-over names no Docker repository")
            continue
        _, project, _, location, _, repository = name.split("/")
        command = gcloud_command(
            *("artifacts", "repositories", "get-iam-policy", repository),
            *(f"--project={project}", f"--location={location}"),
        )
        policies = {
            short_name(name): cloud.repository_policy(name),
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
    """Check that one of `policies`, by their owners, lets the account do what it must."""
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
    """Return what makes it uncertain that `binding` serves the need: "" nothing, None: it does not.

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


def see_roles(project: str, email: str) -> str:
    """Return the command that lists the account's roles in the project."""
    return gcloud_command(
        *("projects", "get-iam-policy", project, "--flatten=bindings[].members"),
        f"--filter=bindings.members:serviceAccount:{email}",
        "--format=table(bindings.role,bindings.condition.title)",
    )
