"""Checks of the service perimeters of the projects."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result


def check_perimeters(cloud: Cloud, projects: Sequence[str], policy: str) -> Iterator[Result]:
    """Check that each project is in an enforced perimeter, and in the same as the others.

    Not everybody may read perimeters, so that what cannot be read here is no reason to worry.
    """
    policies, why = access_policies(cloud, projects[0], policy)
    perimeters: list[dict[str, Any]] = []
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
    command = (
        gcloud_command(
            *("access-context-manager", "perimeters", "list"),
            *(f"--policy={policies[0].split('/')[-1]}", "--format=yaml(name,status.resources)"),
        )
        if policies
        else gcloud_command("projects", "get-ancestors", projects[0])
    )
    homes = []
    for project in projects:
        claim = f"{project} is in an enforced perimeter"
        resource = f"projects/{cloud.number(project)}"
        home = next(
            (each["name"] for each in perimeters if has_resource(each, "status", resource)), ""
        )
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
            dry = [each["name"] for each in perimeters if has_resource(each, "spec", resource)]
            seen += f"; in {dry[0]} it is in the dry run only." if dry else "."
            yield Result(claim, PROBLEM, seen, command, "project-outside-perimeter")


def has_resource(perimeter: Mapping[str, Any], configuration: str, resource: str) -> bool:
    """Return whether `perimeter`, unless a bridge, has the resource in `configuration`."""
    bridge = perimeter.get("perimeterType") == "PERIMETER_TYPE_BRIDGE"
    return not bridge and resource in perimeter.get(configuration, {}).get("resources", [])


def access_policies(cloud: Cloud, project: str, given: str) -> tuple[list[str], str]:
    """Return the access policies that may have its perimeter, and why there may be more."""
    if given:
        return [f"accessPolicies/{given}"], ""
    ancestry = cloud.get(
        "cloudresourcemanager",
        f"v1/projects/{quote(project)}:getAncestry",
        f"the organisation of {project}",
        "resourcemanager.projects.get",
        "{}",
        expects="ancestor",
    )
    if ancestry.why:
        return [], ancestry.why
    ancestors = [each.get("resourceId", {}) for each in ancestry.content.get("ancestor", [])]
    organisations = [each["id"] for each in ancestors if each.get("type") == "organization"]
    if not organisations:
        return [], ""
    listed, why = cloud.pages(
        "accessPolicies",
        "accesscontextmanager",
        f"v1/accessPolicies?parent=organizations/{organisations[0]}",
        f"the access policies of the organisation {organisations[0]}",
        "accesscontextmanager.policies.list",
    )
    return [each["name"] for each in listed], why
