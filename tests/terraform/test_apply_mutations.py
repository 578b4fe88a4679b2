"""Dependencies, grants and waits of the stacks are needed: without one an apply is seen to fail.

A line or a block is taken out of a stack, and the scenario that notices runs as far as it can.
Without this, a green apply could be luck, or a stand-in that refuses nothing. What other
dependencies, or the provider's own polling after a new account or grant, make up for is not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.applies import KEY, OTHER_PROJECT, World

pytestmark = [pytest.mark.slow, pytest.mark.applies]
Settings = dict[str, Any]

SECRETS = {"secret_environment": {"SNMP_USERS": {"secret": "snmp-users"}}}
OWN = {"own_build_service_account": True}
CONNECTOR = {"connector": {"name": "functions", "ip_cidr_range": "10.9.0.0/28"}}


def function_with(kind: str, **settings: Any) -> Callable[[World], None]:  # noqa: ANN401 - settings
    def run(world: World) -> None:
        function = world.function(kind, **settings)
        if settings.get("project_id") or "kms_key_name" in settings.get("function", {}):
            world.list_on_platform(function)
        function.apply().expect_no_changes().destroy()

    return run


def replaced(kind: str, address: str) -> Callable[[World], None]:
    def run(world: World) -> None:
        function = world.function(kind).apply()
        before = world.grants()
        function.apply(f"-replace={address}").expect_no_changes()
        assert world.grants() == before, "grants differ"

    return run


def egress(world: World) -> None:
    world.function("http").apply().change(egress=CONNECTOR).apply().expect_no_changes()
    (function,) = world.stand_in.cloud.below("cloudfunctions/").values()
    assert "directVpcEgress" not in function["serviceConfig"], "both types of egress"


def platform_with(**settings: Any) -> Callable[[World], None]:  # noqa: ANN401 - settings
    def run(world: World) -> None:
        world.platform(**settings).apply().expect_no_changes().destroy()

    return run


def with_project(world: World) -> Settings:
    """Return what the platform lists for another project, whose accounts exist."""
    cloud = world.stand_in.cloud
    for domain in ("gcf-admin-robot", "serverless-robot-prod", "gcp-sa-cloudbuild"):
        cloud.create_agent(OTHER_PROJECT, domain)
    email = f"fn-build@{OTHER_PROJECT}.iam.gserviceaccount.com"
    account = {"email": email, "uniqueId": "1"}
    cloud.resources[f"iam/projects/{OTHER_PROJECT}/serviceAccounts/{email}"] = account
    return {
        "projects": {OTHER_PROJECT: cloud.number(OTHER_PROJECT)},
        "build_service_accounts": [email],
    }


def project_comes(world: World) -> None:
    world.platform().apply().change(functions=with_project(world)).apply()


@dataclass(frozen=True)
class Mutation:
    """What is taken out of a block of a stack's file, and by what it is noticed."""

    stack: str
    file: str
    block: str  # of which resource; empty: the whole file
    out: str  # a pattern
    scenario: Callable[[World], None]
    noticed: str  # in what fails
    instead: str = ""

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        text = path.read_text(encoding="utf-8")
        start = text.index(f"resource {self.block} {{") if self.block else 0
        end = text.index("\n}\n", start) if self.block else len(text)
        changed, count = re.subn(self.out, self.instead, text[start:end], flags=re.DOTALL)
        assert count, f"{self.out} is not in {self.file} {self.block}"
        path.write_text(text[:start] + changed + text[end:], encoding="utf-8")


def resource(type_: str, name: str) -> str:
    return f'"google_{type_}" "{name}"'


DEPENDS = r"  depends_on = \[[^\]]*\]"
WAIT = '"time_sleep" "{}"'
FUNCTION = resource("cloudfunctions2_function", "this")
REPLACED = r"    replace_triggered_by = \[.*?\][^\n]*"
BUILD_FAILED = "Build failed"
PLANNED = "changes are planned"
NO_ACCOUNT = "does not exist"

IN_FUNCTION = {
    "the function does not wait for its grants": Mutation(
        "function", "function.tf", FUNCTION, r", time_sleep\.iam\]",
        function_with("http", function=OWN), f"{NO_ACCOUNT}|{BUILD_FAILED}", "]",
    ),
    "the account may not read the secrets": Mutation(
        "function", "identities.tf", resource("secret_manager_secret_iam_member", "runtime"),
        r"for_each = local\.secrets", function_with("http", function=SECRETS),
        "Permission denied on secret", "for_each = toset([])",
    ),
    "the build account may not write logs": Mutation(
        "function", "identities.tf", resource("project_iam_member", "build_logs"),
        r"count = .*? : 0", function_with("http", function=OWN), "permission to write logs",
        "count = 0",
    ),
    "the build account may not read the sources": Mutation(
        "function", "identities.tf", resource("project_iam_member", "build_sources"),
        r"count = .*? : 0", function_with("http", function=OWN), "gcf-v2-sources", "count = 0",
    ),
    "the build account may not read packages": Mutation(
        "function", "identities.tf", "", r"      python = \{.*?\}\n",
        function_with("http", function=OWN), "403 Client Error",
    ),
    "the build account may not write images": Mutation(
        "function", "identities.tf", "", r"      docker = \{.*?\}\n",
        function_with("http", function=OWN), "may not upload artifacts",
    ),
    "the account of an unknown API": Mutation(
        "function", "identities.tf", resource("service_account", "this"), DEPENDS,
        function_with("http", project_id=OTHER_PROJECT), "has not been used in project",
    ),
    "a connector before its API": Mutation(
        "function", "egress.tf", resource("vpc_access_connector", "this"), DEPENDS,
        function_with("http", egress=CONNECTOR), "has not been used in project",
    ),
    "another type of egress changes the function in place": Mutation(
        "function", "function.tf", FUNCTION, REPLACED, egress, f"both types of egress|{PLANNED}",
    ),
    "the channel before its topic": Mutation(
        "function", "trigger.tf", resource("monitoring_notification_channel", "alert"), DEPENDS,
        function_with("alert"), "was not found|has not been used",
    ),
    "Monitoring's agent is granted a role at once": Mutation(
        "function", "trigger.tf", resource("pubsub_topic_iam_member", "notifications"), DEPENDS,
        function_with("alert"), NO_ACCOUNT,
    ),
    "the trigger account receives no events": Mutation(
        "function", "trigger.tf", resource("project_iam_member", "event_receiver"),
        r"count = .*? : 0", function_with("storage"), "receiveEvent", "count = 0",
    ),
    "a new function has no invoker": Mutation(
        "function", "trigger.tf", resource("cloud_run_v2_service_iam_member", "invokers"),
        REPLACED, replaced("pubsub", FUNCTION.replace('" "', ".").strip('"')),
        f"{PLANNED}|grants differ",
    ),
    "a new subscription loses its dead letters' grant": Mutation(
        "function", "trigger.tf", resource("pubsub_subscription_iam_member", "dead_letters"),
        REPLACED, replaced("pubsub", "google_pubsub_subscription.push[0]"),
        f"{PLANNED}|grants differ",
    ),
    "a new bucket is not readable": Mutation(
        "function", "trigger.tf", resource("storage_bucket_iam_member", "runtime"), REPLACED,
        replaced("storage", "google_storage_bucket.bucket[0]"), f"{PLANNED}|grants differ",
    ),
    "a new source bucket is empty": Mutation(
        "function", "source.tf", resource("storage_bucket_object", "source"), REPLACED,
        replaced("http", "google_storage_bucket.source"), f"was not found|{PLANNED}",
    ),
    "old versions keep the source bucket": Mutation(
        "function", "source.tf", resource("storage_bucket", "source"), r"force_destroy = true",
        function_with("http"), "force_destroy|not empty", "force_destroy = false",
    ),
}  # fmt: skip
IN_PLATFORM = {
    "the pool before the peering is known": Mutation(
        "platform", "pool.tf", resource("cloudbuild_worker_pool", "this"),
        r"    time_sleep\.peering,\n", platform_with(), "is not peered",
    ),
    "no wait for the peering": Mutation(
        "platform", "pool.tf", WAIT.format("peering"), r"create_duration = [^\n]*",
        platform_with(), "is not peered", 'create_duration = "0s"',
    ),
    "the network before its API": Mutation(
        "platform", "network.tf", resource("compute_network", "this"), DEPENDS,
        platform_with(), "has not been used in project",
    ),
    "the repositories before they may use the key": Mutation(
        "platform", "repositories.tf", resource("artifact_registry_repository", "docker"), DEPENDS,
        platform_with(repositories={"kms_key_name": KEY}), "Cloud KMS key|has not been used",
    ),
    "the virtual repository before its upstream": Mutation(
        "platform", "repositories.tf", "",
        r"google_artifact_registry_repository\.private\[0\]\.repository_id",
        platform_with(repositories={"virtual": {}}), "was not found|is an upstream of",
        "var.repositories.virtual.private",
    ),
    "the key before its API": Mutation(
        "platform", "apis.tf", "", r"    local\.grants_keys \?[^\n]*\n",
        platform_with(repositories={"kms_key_name": KEY}), "cloudkms API has not been used",
    ),
    "the deployers' own rule names all projects": Mutation(
        "platform", "perimeter.tf",
        resource("access_context_manager_service_perimeter_ingress_policy", "rule"),
        r"\[local\.members\[each\.value\.project\]\]",
        project_comes, "prohibited", "values(local.members)",
    ),
    "a rule before its member": Mutation(
        "platform", "perimeter.tf",
        resource("access_context_manager_service_perimeter_ingress_policy", "rule"),
        r"google_access_context_manager_service_perimeter_resource\.member, ",
        platform_with(), "is not present",
    ),
    "the perimeter owns its members and rules": Mutation(
        "platform", "perimeter.tf", resource("access_context_manager_service_perimeter", "this"),
        r"    ignore_changes = \[.*?\n    \]", platform_with(), PLANNED,
    ),
    "the switch before the rules are known": Mutation(
        "platform", "upstreams.tf", resource("artifact_registry_vpcsc_config", "this"),
        r", time_sleep\.perimeter", platform_with(), "outside of the VPC SC|prohibited",
    ),
    "the wait does not wait for the rules": Mutation(
        "platform", "upstreams.tf", WAIT.format("perimeter"), DEPENDS,
        platform_with(), "outside of the VPC SC|prohibited",
    ),
    "the member before the repositories": Mutation(
        "platform", "perimeter.tf",
        resource("access_context_manager_service_perimeter_resource", "member"), DEPENDS,
        platform_with(), "prohibited",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutation", IN_FUNCTION.values(), ids=IN_FUNCTION)
def test_a_function_needs_it(mutation: Mutation, ready: World) -> None:
    ready.mutations[mutation.stack] = mutation.apply
    with pytest.raises(AssertionError, match=mutation.noticed):
        mutation.scenario(ready)


@pytest.mark.parametrize("mutation", IN_PLATFORM.values(), ids=IN_PLATFORM)
def test_a_platform_needs_it(mutation: Mutation, fresh: World) -> None:
    fresh.mutations[mutation.stack] = mutation.apply
    with pytest.raises(AssertionError, match=mutation.noticed):
        mutation.scenario(fresh)
