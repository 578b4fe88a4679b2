"""Check that the projects are active, have their APIs enabled, and are open to the caller."""

from collections.abc import Iterator
from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import Check, Result
from closed_function.repository import Repository

# What must be enabled before the stacks, and what they enable.
NEEDED_BEFORE = ("cloudresourcemanager", "serviceusage")
APIS = (
    *NEEDED_BEFORE,
    *"artifactregistry cloudbuild cloudfunctions iam logging run storage".split(),
)


def check_project(cloud: Cloud, project: str) -> Result:
    command = gcloud_command("projects", "describe", project)
    check = Check(f"the project {project} is active", command)
    answer = cloud.project(project)
    if answer.status == 404:
        return check.problem("project-unreadable", f"{answer.why}.", project=project)
    if answer.why:
        return check.unknown(answer.why)
    state = answer.content.get("lifecycleState")
    if state != "ACTIVE":
        seen = f"The project {project} is in the state {state}."
        return check.problem("project-unreadable", seen, project=project)
    return check.ok(f"number {cloud.number(project)}")


def check_apis(cloud: Cloud, project: str, repository: Repository) -> Result:
    """Check Service Usage's list or, where that may not be read, what each API answered.

    In a project of the function's own, the first `make deploy` enables the most of them.
    """
    command = gcloud_command("services", "list", "--enabled", f"--project={project}")
    check = Check(f"the APIs are enabled in {project}", command)
    begins = project != repository.project and not cloud.is_deployed(repository)
    names = {f"{api}.googleapis.com" for api in (NEEDED_BEFORE if begins else APIS)}
    query = "&".join(f"names=projects/{quote(project)}/services/{name}" for name in sorted(names))
    answer = cloud.get(
        "serviceusage",
        f"v1/projects/{quote(project)}/services:batchGet?{query}&fields=services(name,state)",
        f"which APIs are enabled in {project}",
        "serviceusage.services.get",
        expects="services",
    )
    consumers = {f"projects/{project}", f"projects/{cloud.number(project)}"}
    disabled = {
        each.metadata.get("service", "an API")
        for each in cloud.answers.values()
        if each.reason == "SERVICE_DISABLED" and each.metadata.get("consumer") in consumers
    } & names
    if not answer.why:
        services = answer.content.get("services", [])
        disabled |= names - {
            each["name"].split("/")[-1] for each in services if each.get("state") == "ENABLED"
        }
    if disabled:
        verb = "is" if len(disabled) == 1 else "are"
        seen = f"{', '.join(sorted(disabled))} {verb} disabled in {project}."
        return check.problem("api-off", seen, project=project)
    if answer.why:
        return check.unknown(answer.why)
    return check.ok("`make deploy` enables the rest" if begins else f"all {len(names)}")


def check_caller(cloud: Cloud) -> Iterator[Result]:
    """Report once that the perimeter refuses the caller, however many reads it refused."""
    check = Check("the perimeter accepts your own requests")
    for answer in cloud.answers.values():
        if answer.reason == "SECURITY_POLICY_VIOLATED":
            service = answer.metadata.get("service", "a service")
            identifier = answer.metadata.get("uid", "none given")
            seen = f"The perimeter refused your request to {service} (identifier {identifier})."
            yield check.problem("caller-outside-perimeter", seen)
            return
