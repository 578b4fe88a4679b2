"""Checks of the secrets that the function reads."""

from collections.abc import Iterator
from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.repository import Facts

READERS = {"roles/secretmanager.secretAccessor", "roles/secretmanager.admin", "roles/owner"}


def check_secrets(cloud: Cloud, facts: Facts) -> Iterator[Result]:
    """Check that each secret has its version, and that the function's account may read it."""
    for secret, version in facts.secrets:
        yield check_version(cloud, facts.function_project, secret, version)
    for secret in dict.fromkeys(secret for secret, _ in facts.secrets):
        yield check_access(cloud, facts, secret)


def check_version(cloud: Cloud, project: str, secret: str, version: str) -> Result:
    claim = f"the secret {secret} has version {version}"
    command = gcloud_command(
        "secrets", "versions", "describe", version, f"--secret={secret}", f"--project={project}"
    )
    answer = cloud.get(
        "secretmanager",
        f"v1/projects/{quote(project)}/secrets/{quote(secret)}/versions/{quote(version)}",
        f"version {version} of the secret {secret} in {project}",
        "secretmanager.versions.get",
        expects="state",
    )
    if answer.status == 404 or answer.reason == "SERVICE_DISABLED":
        return Result(claim, PROBLEM, f"{answer.why}.", command, "secret-missing")
    if answer.why:
        return Result(claim, UNKNOWN, answer.why, command)
    state = answer.content["state"]
    if state != "ENABLED":
        seen = f"Version {version} of the secret {secret} is {state}."
        return Result(claim, PROBLEM, seen, command, "secret-missing")
    return Result(claim, OK, answer.content["name"], command)


def check_access(cloud: Cloud, facts: Facts, secret: str) -> Result:
    """Check the secret's own policy; a function that is not deployed yet has no grant to lose."""
    project, account = facts.function_project, facts.runtime_account
    claim = f"the function may read the secret {secret}"
    command = gcloud_command("secrets", "get-iam-policy", secret, f"--project={project}")
    if cloud.function(facts).status == 404:
        return Result(claim, OK, "`make deploy` grants it", command)
    answer = cloud.get(
        "secretmanager",
        f"v1/projects/{quote(project)}/secrets/{quote(secret)}:getIamPolicy",
        f"the IAM policy of the secret {secret} in {project}",
        "secretmanager.secrets.getIamPolicy",
        expects="etag",
    )
    if answer.why:
        return Result(claim, UNKNOWN, answer.why, command)
    for binding in answer.content.get("bindings", []):
        if binding["role"] in READERS and f"serviceAccount:{account}" in binding["members"]:
            return Result(claim, OK, binding["role"], command)
    policy = cloud.project_policy(project)
    for binding in policy.content.get("bindings", []):
        if binding["role"] in READERS and f"serviceAccount:{account}" in binding["members"]:
            return Result(claim, OK, f"{binding['role']} on {project}", command)
    seen = f"{account} has no role on the secret {secret} in {project}."
    return Result(claim, PROBLEM, seen, command, "secret-access-denied")
