"""Check the service perimeters of the projects."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command, short_name
from closed_function.checks.result import Check, Result


def check_perimeters(cloud: Cloud, projects: Sequence[str], policy: str) -> Iterator[Result]:
    """Check that each project is in an enforced perimeter, and in the same as the others.

    Few people may read perimeters, so what cannot be read here is not counted as a failure.
    """
    policies, why = access_policies(cloud, projects[0], policy)
    perimeters: list[dict[str, Any]] = []
    command = gcloud_command("projects", "get-ancestors", projects[0])
    for name in policies:
        listed, unread = cloud.pages(
            "servicePerimeters",
            "accesscontextmanager",
            f"v1/{quote(name)}/servicePerimeters?pageSize=100",
            f"the perimeters of {name}",
            "accesscontextmanager.servicePerimeters.list",
        )
        perimeters += listed
        why = why or unread
        options = (f"--policy={short_name(name)}", "--format=yaml(name,status.resources)")
        command = gcloud_command("access-context-manager", "perimeters", "list", *options)
    first_home = ""
    for project in projects:
        check = Check(f"{project} is in an enforced perimeter", command)
        resource = f"projects/{cloud.number(project)}"
        home = perimeter_of(resource, perimeters, "status")
        first_home = first_home or home
        unreadable = cloud.project(project).why or (not home and why)
        if unreadable:
            yield check.unknown(unreadable, optional=True)
        elif home and home == first_home:
            yield check.ok(home)
        elif home:
            seen = f"{project} is in {home}, and {projects[0]} in {first_home}."
            yield check.problem("project-outside-perimeter", seen, project=project)
        else:
            seen = f"{project} ({resource}) is in no enforced perimeter"
            if not policies:
                seen = f"{project} belongs to no organisation, which perimeters need"
            dry_run = perimeter_of(resource, perimeters, "spec")
            seen += f"; in {dry_run} it is in the dry run only." if dry_run else "."
            yield check.problem("project-outside-perimeter", seen, project=project)


def perimeter_of(resource: str, perimeters: list[dict[str, Any]], configuration: str) -> str:
    """Return the name of the perimeter, not a bridge, that has the resource in `configuration`."""
    for perimeter in perimeters:
        bridge = perimeter.get("perimeterType") == "PERIMETER_TYPE_BRIDGE"
        settings: Mapping[str, Any] = perimeter.get(configuration, {})
        if not bridge and resource in settings.get("resources", []):
            return str(perimeter["name"])
    return ""


def access_policies(cloud: Cloud, project: str, number: str) -> tuple[list[str], str]:
    """Return the access policies that may have its perimeter, and why there may be more."""
    if number:
        return [f"accessPolicies/{number}"], ""
    ancestry = cloud.get(
        "cloudresourcemanager",
        f"v1/projects/{quote(project)}:getAncestry",
        f"the organisation of {project}",
        "resourcemanager.projects.get",
        "{}",
        expects="ancestor",
    )
    ancestors = [each.get("resourceId", {}) for each in ancestry.content.get("ancestor", [])]
    organisations = [each["id"] for each in ancestors if each.get("type") == "organization"]
    if ancestry.why or not organisations:
        return [], ancestry.why
    listed, why = cloud.pages(
        "accessPolicies",
        "accesscontextmanager",
        f"v1/accessPolicies?parent=organizations/{organisations[0]}",
        f"the access policies of the organisation {organisations[0]}",
        "accesscontextmanager.policies.list",
    )
    return [each["name"] for each in listed], why
