"""Access Context Manager: access policies, perimeters, and whom a perimeter refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import ApiError, Json, concurrent, denied, invalid, precondition
from cloud_stand_in.policies import account_exists
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Answer, Call, Service

SERVICE = Service("accesscontextmanager")
CONFIGURATIONS = ("status", "spec")  # enforced, and the dry run's
# https://cloud.google.com/access-context-manager/docs/reference/rest/v1/accessPolicies.servicePerimeters
MEMBER = re.compile(r"projects/[1-9]\d{0,18}|//compute\.googleapis\.com/projects/.+")


class Policies(Collection):
    service = SERVICE
    template = "accessPolicies/{policy}"
    permissions = "accesscontextmanager.policies"

    def new_name(self, call: Call) -> str:
        return f"accessPolicies/{call.cloud.next_number()}"

    def key(self, name: str) -> str:
        return f"{SERVICE.name}/{name}"

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        """Refuse a second policy without scopes in an organisation.

        https://cloud.google.com/access-context-manager/docs/create-access-policy
        """
        for each in call.cloud.below(f"{SERVICE.name}/accessPolicies/").values():
            same = each.get("parent") == new["parent"] and not each.get("scopes")
            if same and not new.get("scopes") and each["name"] != name:
                raise ApiError(
                    409,
                    "ALREADY_EXISTS",
                    f"Policy already exists with parent {new['parent']}",
                    "alreadyExists",
                )

    def complete(self, call: Call, name: str, resource: Json) -> None:
        resource["etag"] = f"etag-{call.cloud.next_number()}"

    def listed(self, call: Call) -> list[Json]:
        """Return those of the organisation that the call names.

        https://cloud.google.com/access-context-manager/docs/reference/rest/v1/accessPolicies/list
        """
        parent = call.query.get("parent")
        if not parent:
            raise invalid("parent is missing")
        return [each for each in super().listed(call) if each["parent"] == parent]


class Perimeters(Collection):
    service = SERVICE
    template = "accessPolicies/{policy}/servicePerimeters/{perimeter}"

    def listed(self, call: Call) -> list[Json]:
        call.cloud.existing(SERVICE.name, f"accessPolicies/{call.parts['policy']}")
        return super().listed(call)

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        call.cloud.existing(SERVICE.name, f"accessPolicies/{call.parts['policy']}")
        # https://cloud.google.com/vpc-service-controls/docs/dry-run-mode
        if new.get("spec") and not new.get("useExplicitDryRunSpec"):
            raise invalid("spec may be set only with use_explicit_dry_run_spec")
        for part in CONFIGURATIONS:
            before = (old or {}).get(part) or {}
            check_configuration(call.cloud, name, part, new.get(part) or {}, before)

    def complete(self, call: Call, name: str, resource: Json) -> None:
        resource["etag"] = f"etag-{call.cloud.next_number()}"
        for part in CONFIGURATIONS:
            if part in resource:
                resource[part] = {key: each for key, each in (resource[part] or {}).items() if each}

    def change(self, call: Call) -> Answer:
        """Change it unless it has changed since it was read.

        https://cloud.google.com/access-context-manager/docs/reference/rest/v1/accessPolicies.servicePerimeters/patch
        """
        old = call.cloud.existing(SERVICE.name, call.name)
        if call.body.get("etag", old["etag"]) != old["etag"]:
            raise concurrent("The perimeter was modified concurrently (etag).")
        before = enforced(old)
        answer = super().change(call)
        after = enforced(call.cloud.existing(SERVICE.name, call.name))
        if set(after.get("resources", [])) - set(before.get("resources", [])):
            call.cloud.spread(call.name, call.cloud.delays.perimeter)
        for rule in after.get("ingressPolicies", []):
            if rule not in before.get("ingressPolicies", []):
                call.cloud.spread(rule_key(call.name, rule), call.cloud.delays.perimeter)
        return answer


Policies()
Perimeters()


@SERVICE.route("GET", "operations/{operation**}")
def read_operation(call: Call) -> Json:
    return {"name": call.name, "done": True, "response": {}}


def enforced(perimeter: Json) -> Json:
    found: Json = perimeter.get("status") or {}
    return found


def rule_key(perimeter: str, rule: Json) -> str:
    return f"{perimeter} {json.dumps(rule, sort_keys=True)}"


def perimeters(cloud: Cloud) -> list[Json]:
    found = cloud.below(f"{SERVICE.name}/accessPolicies/").items()
    return [each for key, each in found if "/servicePerimeters/" in key]


def perimeter_of(cloud: Cloud, project: str) -> str | None:
    """Return the name of the enforced perimeter that the project is in."""
    member = f"projects/{cloud.number(project)}"
    names = [
        each["name"] for each in perimeters(cloud) if member in enforced(each).get("resources", [])
    ]
    return names[0] if names else None


def check_configuration(cloud: Cloud, name: str, part: str, new: Json, old: Json) -> None:
    members = new.get("resources") or []
    for member in members:
        if not MEMBER.fullmatch(member):
            raise invalid(
                f"Invalid perimeter member: '{member}'. Must be of the form "
                "'projects/[1-9][0-9]{0,18}'."
            )
        # https://cloud.google.com/vpc-service-controls/docs/service-perimeters: one perimeter
        # for a project, counted for each configuration.
        for other in perimeters(cloud):
            if other["name"] != name and member in ((other.get(part) or {}).get("resources") or []):
                raise precondition(f"{member} is already in {other['name']}")
    if len(members) != len(set(members)):
        raise ApiError(409, "ALREADY_EXISTS", "existing object already found", "alreadyExists")
    rules = new.get("ingressPolicies") or []
    for rule in rules:
        if rules.count(rule) > 1:
            raise ApiError(409, "ALREADY_EXISTS", "existing object already found", "alreadyExists")
        check_rule(cloud, rule, members, is_new=rule not in (old.get("ingressPolicies") or []))


def check_rule(cloud: Cloud, rule: Json, members: list[str], *, is_new: bool) -> None:
    """Refuse a rule for what is not a member, or with wrong methods or identities.

    https://cloud.google.com/vpc-service-controls/docs/ingress-egress-rules
    """
    to = rule.get("ingressTo") or {}
    for resource in to.get("resources", []):
        if resource != "*" and resource not in members:
            raise invalid(
                f"The resource '{resource}' in IngressTo.resources is not present in "
                "ServicePerimeterConfig.resources."
            )
    for operation in to.get("operations", []):
        methods = operation.get("methodSelectors")
        if operation.get("serviceName") == "*" and methods:
            raise invalid("methodSelectors must be empty when serviceName is '*'")
        if operation.get("serviceName") != "*" and not methods:
            raise invalid(f"methodSelectors is missing for {operation.get('serviceName')}")
    # Public reports: an identity that does not exist is refused; one that is gone later stays.
    for identity in (rule.get("ingressFrom") or {}).get("identities", []) if is_new else []:
        kind, _, email = identity.partition(":")
        if kind == "serviceAccount" and not account_exists(cloud, email):
            raise invalid(f"The email address '{email}' is invalid or non-existent.")


def check_access(cloud: Cloud, caller: str, project: str, service: str) -> None:
    """Refuse a call from outside to a restricted service of a member.

    Refusals begin at once and permissions after the delay: propagation has no order.
    https://cloud.google.com/vpc-service-controls/docs/troubleshooting
    """
    if project not in cloud.projects:
        return
    name = perimeter_of(cloud, project)
    if name is None:
        return
    configuration = enforced(cloud.resources[f"{SERVICE.name}/{name}"])
    api = f"{service}.googleapis.com"
    if api not in configuration.get("restrictedServices", []):
        return
    member = f"projects/{cloud.number(project)}"
    for rule in configuration.get("ingressPolicies", []):
        allowed = cloud.has_spread(rule_key(name, rule)) and caller in callers(rule)
        if allowed and api in services(rule) and member in reached(rule, member):
            return
    uid = f"stand-in-{cloud.next_number()}"
    raise denied(
        "Request is prohibited by organization's policy. "
        f"vpcServiceControlsUniqueIdentifier: {uid}",
        "SECURITY_POLICY_VIOLATED",
        service=api,
        consumer=member,
        uid=uid,
    )


class Everything:
    """Contains whatever it is asked for."""

    def __contains__(self, _: object) -> bool:
        return True


def callers(rule: Json) -> Any:  # noqa: ANN401 - a list, or everything
    origin = rule.get("ingressFrom") or {}
    everybody = origin.get("identityType") == "ANY_IDENTITY"
    return Everything() if everybody else origin.get("identities", [])


def services(rule: Json) -> Any:  # noqa: ANN401 - the same
    names = [each["serviceName"] for each in rule["ingressTo"].get("operations", [])]
    return Everything() if "*" in names else names


def reached(rule: Json, member: str) -> Iterator[str]:
    for each in rule["ingressTo"].get("resources", []):
        yield member if each == "*" else each
