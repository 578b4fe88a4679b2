"""Checks of the projects: active, with their APIs on, and open to the caller."""

from collections.abc import Iterator
from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result

# What the stacks turn on or, the last two, need to be on before them.
APIS = (
    "artifactregistry cloudbuild cloudfunctions iam logging run storage "
    "cloudresourcemanager serviceusage"
).split()


def check_project(cloud: Cloud, project: str) -> Result:
    claim = f"the project {project} is active"
    command = gcloud_command("projects", "describe", project)
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
    """Check Service Usage's list or, where that may not be read, what each API answered."""
    claim = f"the APIs are on in {project}"
    command = gcloud_command("services", "list", "--enabled", f"--project={project}")
    names = {f"{api}.googleapis.com" for api in APIS}
    query = "&".join(f"names=projects/{quote(project)}/services/{name}" for name in sorted(names))
    answer = cloud.get(
        "serviceusage",
        f"v1/projects/{quote(project)}/services:batchGet?{query}&fields=services(name,state)",
        f"which APIs are on in {project}",
        "serviceusage.services.get",
        expects="services",
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
