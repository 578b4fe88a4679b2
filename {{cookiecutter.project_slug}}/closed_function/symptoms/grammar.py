"""Complete what a sentence says: the role, the account, the constraint, the command.

The facts are in tables.json (by hand) and roles.json (scripts/roles.py writes it).
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
# The causes of sentences that name a permission, in whatever words.
DENIED, ACCOUNT_DENIED, AGENT_DENIED = (
    "deployer-without-roles",
    "account-without-role",
    "agent-without-role",
)
POLICY = "organization-policy"
AGENT_CAUSES = {"kms-key-denied"}
YOURS = "YOU@example.com"


@cache
def tables() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "tables.json").read_text(encoding="utf-8"))
    return content


@cache
def roles() -> dict[str, str]:
    """Return the smallest predefined role of each permission, the permission in lower case."""
    content = json.loads((FOLDER / "roles.json").read_text(encoding="utf-8"))
    return {each.lower(): role for role, held in content.items() for each in held}


def complete(
    cause: str, values: Mapping[str, str], repository: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """Return the cause that a sentence of the family `cause` shows, and all values of its texts.

    `values` are those of the sentence; `repository` those of this repository's files.
    """
    found = dict(values)
    if policy := found.pop("policy", ""):
        found["constraint"] = policy
    if "constraint" in found or cause == POLICY:
        cause = complete_constraint(cause, found)
    if "service" in found or "api" in found:
        complete_service(found)
    if "permission" in found and cause == DENIED:
        cause = tables()["permissions"].get(found["permission"].lower(), DENIED)
    found["principal"] = found.get("principal", "") or found.get("account", "")
    if cause in AGENT_CAUSES or cause == DENIED:
        cause = name_principal(cause, found, repository)
    complete_grant(cause, found, repository)
    return cause, {name: value for name, value in found.items() if value}


def complete_constraint(cause: str, found: dict[str, str]) -> str:
    """Say what a constraint forbids and what to change here; return its cause."""
    constraint = found.get("constraint", "").removeprefix("constraints/").rstrip(".")
    entry = tables()["constraints"].get(constraint, {})
    found["constraint"] = constraint
    found["forbids"] = entry.get("forbids", "this")
    found["change"] = entry.get("change", "")
    return str(entry.get("cause", cause))


def complete_service(found: dict[str, str]) -> None:
    """Name the service of an API, or the other way round."""
    services = tables()["services"]
    api = found.get("api", "").strip()
    if "service" not in found:
        found["service"] = services.get(api if api.endswith("API") else f"{api} API", "")
    elif not api:
        names = {service: name for name, service in services.items()}
        found["api"] = names.get(found["service"], found["service"])


def agent_of(principal: str) -> dict[str, str] | None:
    """Return the service agent that has this address, or that is of the service so called."""
    name = principal.removeprefix("serviceAccount:")
    for agent in tables()["agents"]:
        domain = agent["address"].partition("@")[2]
        of_project = re.fullmatch(r"(?:service-)?[^@]*@(.+)", name)
        if agent["of"] == name or (of_project and of_project[1] == domain):
            return dict(agent)
    return None


def name_principal(cause: str, found: dict[str, str], repository: Mapping[str, str]) -> str:
    """Say whose the account is that the text names; return the cause for such an account."""
    principal = found["principal"]
    agent = agent_of(principal or found.get("agent", ""))
    if agent:
        address = principal.removeprefix("serviceAccount:") or agent["address"]
        found |= {"principal": address, "agent": agent["of"]}
        found["who"] = f"The service agent of {agent['of']} ({address})"
        found["agent_service"] = agent["service"]
        found["agent_role"] = agent["role"] or "none by default"
        return AGENT_DENIED if cause == DENIED else cause
    if not principal:
        return cause
    email = principal.partition(":")[2] or principal
    own = {
        repository.get("build_account", ""): "The build service account",
        repository.get("runtime_account", ""): "The function's own account",
    }
    default = tables()["default_accounts"]
    of_google = next((words for end, words in default.items() if email.endswith(end)), "")
    whose = own.get(email) or (f"T{of_google[1:]}" if of_google else "The account")
    found["who"] = f"{whose} {email}" if whose == "The account" else f"{whose} ({email})"
    return ACCOUNT_DENIED if cause == DENIED and email.endswith("gserviceaccount.com") else cause


def complete_grant(cause: str, found: dict[str, str], repository: Mapping[str, str]) -> None:
    """Fill in the role that holds the permission, and the command that grants it."""
    permission = found.get("permission", "")
    if "word" in found and cause in (AGENT_DENIED, ACCOUNT_DENIED):
        found["role"] = f"roles/{found['word']}"
    if permission and "role" not in found:
        found["role"] = roles().get(permission.lower(), "")
    service = permission.partition(".")[0].lower()
    found["deployer_role"] = tables()["deployers"].get(service, "")
    principal = found["principal"]
    if not principal:
        member = f"user:{YOURS}"
    elif ":" in principal:
        member = principal
    else:
        kind = "serviceAccount" if principal.endswith("gserviceaccount.com") else "user"
        member = f"{kind}:{principal}"
    resource = found.get("resource", "")
    command, name = grant_for(resource, permission)
    in_project = re.search(r"projects/([a-z0-9][\w:.-]*)", resource)
    in_location = re.search(r"(?:locations|regions)/([\w-]+)", resource)
    own_project = repository.get("function_project", "") or repository.get("project", "")
    arguments = {
        **name,
        "member": member,
        "role": found.get("role", "") or "ROLE",
        "in_project": in_project[1] if in_project else found.get("project", "") or own_project,
        "in_location": in_location[1] if in_location else repository.get("location", ""),
    }
    found["member"] = member
    found["grant"] = re.sub(
        r"\{(\w+)\}",
        lambda each: arguments.get(each[1]) or each[1].removeprefix("in_").upper(),
        command,
    )


def grant_for(resource: str, permission: str) -> tuple[str, dict[str, str]]:
    """Return the command that grants a role on a resource, and the parts of its name."""
    if permission.startswith("storage.") and re.fullmatch(r"[a-z0-9][\w.-]+", resource):
        resource = f"gs://{resource}"
    # A role that creates something is granted above it, for it is not there.
    creates = permission.rpartition(".")[2].startswith(("create", "list"))
    for pattern, command in tables()["grants"].items():
        found = re.search(pattern, resource)
        above = not creates or pattern.startswith(("organizations", "folders", "^(?:gs"))
        if found and (not pattern or above):
            return str(command), found.groupdict()
    raise AssertionError("the last pattern of `grants` is found in every text")
