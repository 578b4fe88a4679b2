"""Check the switch and the Python and Docker repositories."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from closed_function.checks.reads import FULL_NAME, Cloud, resource_command, short_name
from closed_function.checks.result import Check, Result
from closed_function.gcloud.session import Answer
from closed_function.repository import Repository

DESCRIBE = ("artifacts", "repositories", "describe")


def check_upstreams(cloud: Cloud, repository: Repository) -> Iterator[Result]:
    """Check the Python repository, those that it combines, and the switch wherever they are."""
    place = f"projects/{repository.project}/locations/{repository.location}"
    name = f"{place}/repositories/{repository.python_repository}"
    answer = cloud.repository(name)
    members = {
        member: cloud.repository(member)
        for policy in answer.content.get("virtualRepositoryConfig", {}).get("upstreamPolicies", [])
        if (member := policy.get("repository", ""))
    }
    other_places = [member.split("/repositories/")[0] for member in remote_among(members)]
    for each in dict.fromkeys([place, *other_places]):
        yield check_switch(cloud, each)
    yield check_python_repository(name, answer, members)


def remote_among(repositories: Mapping[str, Answer]) -> list[str]:
    """Return the names of the remote repositories."""
    modes = {name: answer.content.get("mode") for name, answer in repositories.items()}
    return [name for name, mode in modes.items() if mode == "REMOTE_REPOSITORY"]


def check_switch(cloud: Cloud, place: str) -> Result:
    _, project, _, location = place.split("/")
    command = resource_command(place, "artifacts", "vpcsc-config", "describe")
    check = Check(f"the switch of {project} in {location} is at ALLOW", command)
    answer = cloud.get(
        "artifactregistry",
        f"v1/{quote(place)}/vpcscConfig",
        f"the switch of {project} in {location}",
        "artifactregistry.vpcscconfigs.get and accesscontextmanager.policies.get",
        expects="name",
    )
    if answer.why:
        return check.unknown(answer.why)
    policy = answer.content.get("vpcscPolicy", "VPCSC_POLICY_UNSPECIFIED")
    if policy == "ALLOW":
        return check.ok("ALLOW")
    value = "not set, like DENY" if policy == "VPCSC_POLICY_UNSPECIFIED" else f"at {policy}"
    seen = f"The switch of {project} in {location} is {value}."
    return check.problem("upstream-denied", seen)


def check_python_repository(name: str, answer: Answer, members: Mapping[str, Answer]) -> Result:
    """Check that the repository, or one of the `members` of a virtual one, has an upstream."""
    check = Check("the Python repository leads to an upstream", resource_command(name, *DESCRIBE))
    if answer.status == 404:
        return check.problem("not-in-index", f"The repository {name} does not exist.")
    if answer.why:
        return check.unknown(answer.why)
    kind, mode = answer.content.get("format"), answer.content.get("mode")
    repositories = {name: answer, **members}
    remote = remote_among(repositories)
    if kind != "PYTHON":
        seen = f"The format of {name} is {kind}."
    elif remote:
        upstreams = [f"{short_name(each)} asks {upstream(repositories[each])}" for each in remote]
        return check.ok("; ".join(upstreams))
    elif mode != "VIRTUAL_REPOSITORY":
        seen = f"The mode of {name} is {mode}."
    else:
        for member, found in members.items():
            if found.why:
                return check.unknown(found.why)
            if found.content.get("mode") == "VIRTUAL_REPOSITORY":
                return check.unknown(f"{short_name(member)} is virtual, too, and was not followed")
        listed = ", ".join(map(short_name, members)) or "it has no members"
        seen = f"No repository behind the virtual {name} is a remote one ({listed})."
    return check.problem("repository-kind", seen)


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


def check_docker_repository(cloud: Cloud, repository: Repository) -> Result:
    """Check the platform's, or that of a function elsewhere, which its deployment creates."""
    name, symptom = repository.docker_repository, "docker-repository-missing"
    claim = "the Docker repository takes images"
    if not FULL_NAME.fullmatch(name):
        return Check(claim).unknown("the hand-over names no Docker repository")
    check = Check(claim, resource_command(name, *DESCRIBE))
    answer = cloud.repository(name)
    kind, mode = answer.content.get("format"), answer.content.get("mode")
    if repository.elsewhere:
        symptom = "own-docker-repository-missing"
        if answer.why and not cloud.is_deployed(repository):
            return check.ok("`make deploy` creates it")
    if answer.status == 404:
        seen = f"The repository {name} does not exist."
    elif answer.why:
        return check.unknown(answer.why)
    elif kind != "DOCKER":
        seen = f"The format of {name} is {kind}."
    elif mode in ("REMOTE_REPOSITORY", "VIRTUAL_REPOSITORY"):
        seen = f"The mode of {name} is {mode}, which nobody can write to."
    else:
        return check.ok(name)
    return check.problem(symptom, seen)
