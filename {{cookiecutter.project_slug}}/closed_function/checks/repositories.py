"""Checks of the switch and of the Python and Docker repositories."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from closed_function.checks.reads import FULL_NAME, Cloud, gcloud_command, short_name
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.gcloud.session import Answer
from closed_function.repository import Facts


def check_upstreams(cloud: Cloud, facts: Facts) -> Iterator[Result]:
    """Check the Python repository, what is behind it, and the switch wherever that is."""
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
    command = gcloud_command("artifacts", "vpcsc-config", "describe", *options)
    answer = cloud.get(
        "artifactregistry",
        f"v1/{quote(place)}/vpcscConfig",
        f"the switch of {project} in {location}",
        "artifactregistry.vpcscconfigs.get and accesscontextmanager.policies.get",
        expects="name",
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
    """Check that what pip asks leads to an upstream; `behind` is behind a virtual repository."""
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
        seen = "; ".join(f"{short_name(each)} asks {upstream(remote[each])}" for each in remote)
        return Result(claim, OK, seen, command)
    elif mode != "VIRTUAL_REPOSITORY":
        seen = f"The mode of {name} is {mode}."
    else:
        doubts = [found.why for found in behind.values() if found.why]
        doubts += [
            f"{short_name(each)} is virtual, too, and was not followed"
            for each, found in behind.items()
            if found.content.get("mode") == "VIRTUAL_REPOSITORY"
        ]
        if doubts:
            return Result(claim, UNKNOWN, doubts[0], command)
        listed = ", ".join(short_name(each) for each in behind) or "none"
        seen = f"No repository behind the virtual {name} is a remote one ({listed})."
    return Result(claim, PROBLEM, seen, command, "repository-kind")


def upstream(remote: Answer) -> str:
    """Return where a remote repository fetches what it does not hold."""
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


def describe_repository(name: str) -> str:
    _, project, _, location, _, repository = name.split("/")
    options = (f"--project={project}", f"--location={location}")
    return gcloud_command("artifacts", "repositories", "describe", repository, *options)
