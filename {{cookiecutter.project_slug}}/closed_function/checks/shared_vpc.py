"""Check that a function in another project than the platform's may use the platform's network."""

from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import Check, Result
from closed_function.repository import Repository

SHARED_VPC = ("compute", "shared-vpc")


def attach_commands(repository: Repository) -> list[str]:
    """Return the commands that attach the function's project to the platform's network."""
    enable = gcloud_command(*SHARED_VPC, "enable", repository.project)
    return [enable, associate_command("add", repository)]


def detach_command(repository: Repository) -> str:
    return associate_command("remove", repository)


def associate_command(verb: str, repository: Repository) -> str:
    project, host = repository.function_project, repository.project
    return gcloud_command(
        *SHARED_VPC, "associated-projects", verb, project, f"--host-project={host}"
    )


def check_shared_vpc(cloud: Cloud, repository: Repository) -> list[Result]:
    """Check which project shares its network with the function's; without sharing, nothing."""
    if not repository.uses_shared_vpc:
        return []
    project, host = repository.function_project, repository.project
    check = Check(
        f"{project} is attached to the network of {host}",
        gcloud_command(*SHARED_VPC, "get-host-project", project),
    )
    answer = cloud.get(
        "compute",
        f"compute/v1/projects/{quote(project)}/getXpnHost",
        f"the Shared VPC host project of {project}",
        "compute.projects.get",
    )
    # Without the API, no project is attached.
    consumers = {f"projects/{project}", f"projects/{cloud.number(project)}"}
    off = answer.reason == "SERVICE_DISABLED" and answer.metadata.get("consumer") in consumers
    if answer.why and not off:
        return [check.unknown(answer.why)]
    found = str(answer.content.get("name", ""))
    if found == host:
        return [check.ok(f"{host} is its Shared VPC host project")]
    seen = f"The Shared VPC host project of {project} is {found}, not {host}."
    if not found:
        seen = f"{project} is attached to no Shared VPC host project."
    return [check.problem("shared-vpc-detached", seen)]
