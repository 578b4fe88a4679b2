"""Check the secrets that the function reads."""

from collections.abc import Iterator
from urllib.parse import quote

from closed_function.checks.build_account import Need, check_need
from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import Check, Result
from closed_function.repository import Repository

READS_SECRET = Need(
    "the function may read the secret",
    "secretmanager.versions.access",
    frozenset({"roles/secretmanager.secretAccessor", "roles/secretmanager.admin", "roles/owner"}),
    "secret-access-denied",
)


def check_secrets(cloud: Cloud, repository: Repository) -> Iterator[Result]:
    """Check that each secret has its version, and that the function's account may read it."""
    for secret, version in repository.secrets:
        yield check_version(cloud, repository.function_project, secret, version)
    for secret in dict.fromkeys(secret for secret, _ in repository.secrets):
        yield check_access(cloud, repository, secret)


def check_version(cloud: Cloud, project: str, secret: str, version: str) -> Result:
    where = (f"--secret={secret}", f"--project={project}")
    check = Check(
        f"the secret {secret} has version {version}",
        gcloud_command("secrets", "versions", "describe", version, *where),
    )
    answer = cloud.get(
        "secretmanager",
        f"v1/projects/{quote(project)}/secrets/{quote(secret)}/versions/{quote(version)}",
        f"version {version} of the secret {secret} in {project}",
        "secretmanager.versions.get",
        expects="state",
    )
    if answer.status == 404 or answer.reason == "SERVICE_DISABLED":
        return check.problem("secret-missing", f"{answer.why}.")
    if answer.why:
        return check.unknown(answer.why)
    state = answer.content["state"]
    if state != "ENABLED":
        return check.problem("secret-missing", f"Version {version} of {secret} is {state}.")
    return check.ok(answer.content["name"])


def check_access(cloud: Cloud, repository: Repository, secret: str) -> Result:
    """Check the secret's policy and the project's, once a deployment has granted the access."""
    project = repository.function_project
    check = Check(
        f"the function may read the secret {secret}",
        gcloud_command("secrets", "get-iam-policy", secret, f"--project={project}"),
    )
    if not cloud.is_deployed(repository):
        return check.ok("`make deploy` grants it")
    own = cloud.get(
        "secretmanager",
        f"v1/projects/{quote(project)}/secrets/{quote(secret)}:getIamPolicy"
        "?options.requestedPolicyVersion=3",
        f"the IAM policy of the secret {secret} in {project}",
        "secretmanager.secrets.getIamPolicy",
        expects="etag",
    )
    need = READS_SECRET._replace(claim=check.claim)
    policies = {f"the secret {secret}": own, project: cloud.project_policy(project)}
    return check_need(cloud, need, repository.runtime_account, policies, check.command)
