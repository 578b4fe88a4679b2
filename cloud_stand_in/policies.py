"""IAM policies: read-modify-write with an etag, existing members only, roles that permit."""

from __future__ import annotations

import base64
import re

from .cloud import Cloud
from .errors import Json, concurrent, invalid, not_found
from .resources import permissions_of
from .routing import Call, Service

DELETED = "deleted:"
# https://cloud.google.com/iam/docs/principal-identifiers
WITHOUT_ACCOUNT = re.compile(
    r"allUsers|allAuthenticatedUsers|(principal|principalSet)://.+|domain:.+"
    r"|project(Owner|Editor|Viewer):.+|deleted:.+"
)


def read_policy(cloud: Cloud, key: str) -> Json:
    empty = {"version": 1, "bindings": [], "etag": "ACAB"}
    return cloud.policies.get(key, empty)


def write_policy(cloud: Cloud, key: str, wanted: Json) -> Json:
    """Replace a policy, unless it has changed since it was read.

    https://cloud.google.com/iam/docs/policies#etag
    """
    old = read_policy(cloud, key)
    if wanted.get("etag", old["etag"]) != old["etag"]:
        raise concurrent(
            "There were concurrent policy changes. Please retry the whole read-modify-write with "
            "exponential backoff."
        )
    bindings = [each for each in wanted.get("bindings", []) if each.get("members")]
    limited = any("condition" in each for each in bindings)
    # https://cloud.google.com/iam/docs/conditions-overview: a conditional binding needs version 3.
    if limited and wanted.get("version") != 3:
        raise invalid("Specified policy version does not support conditional bindings.")
    before = {(each["role"], member) for each in old["bindings"] for member in each["members"]}
    after = {(each["role"], member) for each in bindings for member in each["members"]}
    for role, member in after - before:
        if not re.fullmatch(r"roles/[\w.]+|(projects|organizations)/[^/]+/roles/[\w.]+", role):
            raise invalid(f"Invalid role {role}")
        check_member(cloud, member)
        cloud.spread(grant(key, role, member), cloud.delays.grants)
    etag = base64.b64encode(str(cloud.next_number()).encode()).decode()
    cloud.policies[key] = {"version": 3 if limited else 1, "bindings": bindings, "etag": etag}
    return cloud.policies[key]


def grant(key: str, role: str, member: str) -> str:
    return f"{key} {role} {member}"


def check_member(cloud: Cloud, member: str) -> None:
    """Refuse a member that does not exist.

    https://cloud.google.com/iam/docs/troubleshoot-policies-permissions and public reports of
    "Service account … does not exist."; also a new account is refused until it is propagated:
    https://cloud.google.com/iam/docs/access-change-propagation
    """
    if WITHOUT_ACCOUNT.fullmatch(member):
        return
    kind, _, email = member.partition(":")
    if kind not in {"user", "group", "serviceAccount"} or not re.fullmatch(r"[^@\s]+@\S+", email):
        raise invalid(f"Invalid member: {member}")
    if kind == "serviceAccount" and not account_exists(cloud, email):
        raise invalid(f"Service account {email} does not exist.")


def account_exists(cloud: Cloud, email: str) -> bool:
    if not cloud.has_spread(email):
        return False
    if re.match(r"service-\d+@", email):
        return email in cloud.agents
    project = re.search(r"@([^.]+)\.iam\.gserviceaccount\.com$", email)
    if not project or project[1] not in cloud.projects:
        return True  # of a project that the stand-in does not have
    return cloud.find("iam", f"projects/{project[1]}/serviceAccounts/{email}") is not None


def may(cloud: Cloud, member: str, roles: set[str], *keys: str) -> bool:
    """Tell whether `member` has one of `roles` in one of the policies, and it is propagated."""
    return any(
        member in binding["members"]
        and binding["role"] in roles
        and cloud.has_spread(grant(key, binding["role"], member))
        for key in keys
        for binding in read_policy(cloud, key)["bindings"]
    )


def project_key(project: str) -> str:
    return f"cloudresourcemanager/projects/{project}"


def mark_deleted(cloud: Cloud, email: str, unique_id: str) -> None:
    """Rewrite a deleted account's grants, as IAM does.

    https://cloud.google.com/iam/docs/principal-identifiers#deleted-principals
    """
    member = f"serviceAccount:{email}"
    for policy in cloud.policies.values():
        for binding in policy["bindings"]:
            binding["members"] = [
                f"{DELETED}{each}?uid={unique_id}" if each == member else each
                for each in binding["members"]
            ]


def add_policy_routes(
    service: Service, template: str, *, read_method: str = "GET", permissions: str = ""
) -> None:
    """Answer `getIamPolicy` and `setIamPolicy` for the resources of `template`."""
    permissions = permissions or permissions_of(service, template)

    def key_of(call: Call) -> str:
        key = f"{service.name}/{call.name}"
        if service.name != "cloudresourcemanager" and key not in call.cloud.resources:
            raise not_found(call.name)
        return key

    def read(call: Call) -> Json:
        return read_policy(call.cloud, key_of(call))

    def write(call: Call) -> Json:
        return write_policy(call.cloud, key_of(call), call.body["policy"])

    for method, verb, handler in (
        (read_method, "getIamPolicy", read),
        ("POST", "setIamPolicy", write),
    ):
        service.add(method, f"{template}:{verb}", handler, f"{permissions}.{verb}")
