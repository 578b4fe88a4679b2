"""The product's Terraform: valid, in the right order, and refused where the providers accept.

The stacks hold no answer of a user's, so their own tests run once; what differs from bake to bake
is the tfvars files, and each of those is planned.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terraform_replay.clients import Client
from terraform_replay.server import Change, replay
from tests.support.baking import Baked, bake
from tests.support.stacks import GIVEN, STACKS, name_receivers, planned, settings, succeed
from tests.support.template import CHOICES, KINDS_FIRST_FAST, QUESTIONS

PROGRAMS = ("terraform", "tofu")
VALIDATION = re.compile(r"^  validation \{\n.*?^  \}\n", re.MULTILINE | re.DOTALL)
RUN = re.compile(r'^run "\w+" \{\n.*?^\}\n', re.MULTILINE | re.DOTALL)
NUMBER = "123456789012"
TRIGGERS = ("alert", "pubsub", "http", "storage")
KEY = "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"
TOPIC = "projects/my-project-id/topics/alerts"
# Ways to have a function, as changes of its settings; platform.service_agents allows all of them.
WAYS: dict[str, dict[str, Any]] = {
    **{trigger: {"trigger": {"kind": trigger}} for trigger in TRIGGERS},
    "http": {"trigger": {"kind": "http", "invokers": ["group:operators@example.com"]}},
    "secrets": {
        "function": {
            "secret_environment": {"SNMP_USERS": {"secret": "snmp-users"}},
            "secret_volumes": {"/secrets": {"secret": "snmp-keys", "path": "keys"}},
        }
    },
    "own build account": {"function": {"own_build_service_account": True}},
    "connector": {
        "egress": {"connector": {"name": "functions", "ip_cidr_range": "10.9.0.0/28"}},
    },
    "given topic": {"trigger": {"kind": "alert", "topic": TOPIC}},
    "key": {"function": {"kms_key_name": KEY}},
    "key of a bucket": {"function": {"kms_key_name": KEY}, "trigger": {"kind": "storage"}},
    "another project": {"project_id": "another-project"},
    "another project's bucket": {"project_id": "another-project", "trigger": {"kind": "storage"}},
}
# What else stands on these has to be made anew with them.
HOLDERS = {
    "alert": ("google_cloudfunctions2_function.this", "google_pubsub_subscription.push[0]"),
    "http": ("google_cloudfunctions2_function.this",),
    "storage": (
        "google_cloudfunctions2_function.this",
        "google_storage_bucket.source",
        "google_storage_bucket.bucket[0]",
    ),
    "another project": ("google_artifact_registry_repository.docker[0]",),
}
PLATFORMS_HOLDERS = (
    "google_artifact_registry_repository.docker",
    "google_artifact_registry_repository.images[0]",
    "google_artifact_registry_repository.python",
    "google_artifact_registry_repository.virtual[0]",
    "google_compute_subnetwork.functions[0]",
)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """A repository with an own platform, whose Terraform files are never written to."""
    return bake(tmp_path_factory.mktemp("terraform"), platform="create")


@pytest.fixture
def own(product: Baked, tmp_path: Path) -> Baked:
    """A copy of it for a test that writes there, with the function's settings complete."""
    copy = Baked(Path(shutil.copytree(product.path, tmp_path / "own")))
    name_receivers(copy)
    return copy


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, terraforms: dict[str, Client]) -> Client:
    if request.param not in terraforms:
        pytest.skip(f"{request.param} is not installed: this check did not run")
    return terraforms[request.param]


def initialise(client: Client, folder: Path) -> None:
    if client.providers == "real":
        succeed(client, folder, "init", "-backend=false", "-input=false")


def initialised(client: Client, product: Baked, stack: str) -> Path:
    """Return the folder of a stack that nothing is written to: with real providers, of a copy."""
    folder = product.path / "terraform" / stack
    if client.providers == "real":
        folder = Path(shutil.copytree(folder, client.home / stack, dirs_exist_ok=True))
        initialise(client, folder)
    return folder


def set_up(product: Baked, way: str, **changed: Any) -> None:  # noqa: ANN401 - any setting's value
    """Have a function in one of the WAYS, on a platform that allows what it needs."""
    file = product.path / "terraform/function/platform.auto.tfvars.json"
    handed = json.loads(file.read_text(encoding="utf-8"))
    may = {"storage_triggers": True, "alert_topics": [TOPIC], "kms_keys": [KEY]}
    agents = {"my-project-id": may, "another-project": may}
    handed["platform"]["service_agents"] = agents
    handed["platform"]["function_projects"] = ["another-project"]
    file.write_text(json.dumps(handed), encoding="utf-8")
    chosen = {**WAYS[way], **changed}
    rendered = json.loads(product.read("terraform/function/settings.auto.tfvars.json"))["function"]
    settings(product, "function", **chosen | {"function": rendered | chosen.get("function", {})})


def test_the_files_are_formatted(product: Baked, terraform: Client) -> None:
    succeed(terraform, product.path / "terraform", "fmt", "-check", "-diff", "-recursive")


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_is_valid(stack: str, product: Baked, program: Client) -> None:
    folder = initialised(program, product, stack)
    printed = json.loads(succeed(program, folder, "validate", "-json"))
    assert printed["diagnostics"] == []


@pytest.mark.slow
@pytest.mark.parametrize("stack", STACKS)
def test_a_stacks_own_tests_pass(stack: str, own: Baked, program: Client) -> None:
    folder = own.path / "terraform" / stack
    initialise(program, folder)
    printed = succeed(program, folder, "test", "-no-color")
    runs = [text.count("\nrun ") for text in sources(folder / "tests", "*.tftest.hcl")]
    assert f"Success! {sum(runs)} passed, 0 failed." in printed


def sources(folder: Path, pattern: str) -> list[str]:
    found = [file.read_text(encoding="utf-8") for file in sorted(folder.glob(pattern))]
    assert found
    return found


def without_mocks(text: str) -> str:
    """A test file that runs with the providers themselves and a token that nobody accepts."""
    google = 'provider "\\1" {\n  access_token = "no-token"\n}\n'
    text = re.sub(r'^mock_provider "(google|google-beta)" \{\}\n', google, text, flags=re.MULTILINE)
    return re.sub(r'^mock_provider "(time|archive)" \{\}\n', "", text, flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("stack", STACKS)
def test_a_stacks_own_tests_pass_without_mocks(stack: str, own: Baked, program: Client) -> None:
    folder = own.path / "terraform" / stack
    for file in (folder / "tests").glob("*.tftest.hcl"):
        text = without_mocks(file.read_text(encoding="utf-8"))
        assert "mock_provider" not in text
        file.write_text(text, encoding="utf-8")
    initialise(program, folder)
    assert ", 0 failed." in succeed(program, folder, "test", "-no-color")


@pytest.mark.slow
@pytest.mark.parametrize("stack", STACKS)
def test_each_validation_is_what_refuses_something(
    stack: str, own: Baked, terraform: Client, tmp_path: Path
) -> None:
    """Without any one of the validations a refusal fails, so none stands in for another."""
    folder = own.path / "terraform" / stack
    variables = (folder / "variables.tf").read_text(encoding="utf-8")
    refusals = (folder / "tests" / "refusals.tftest.hcl").read_text(encoding="utf-8")
    # Variables alone: no provider is asked, and a run takes no time.
    for what in (r"^mock_provider .*?\n", r"^override_data \{.*?^\}\n", r"^  assert \{.*?^  \}\n"):
        refusals = re.sub(what, "", refusals, flags=re.MULTILINE | re.DOTALL)
    alone = tmp_path / "variables"
    (alone / "tests").mkdir(parents=True)

    def passes(text: str, tests: str) -> bool:
        (alone / "variables.tf").write_text(text, encoding="utf-8")
        (alone / "tests" / "refusals.tftest.hcl").write_text(tests, encoding="utf-8")
        return terraform.run(alone, "test").returncode == 0

    assert passes(variables, refusals)
    found = list(VALIDATION.finditer(variables))
    assert found
    idle = []
    for each in found:
        variable = re.findall(r'^variable "(\w+)"', variables[: each.start()], re.MULTILINE)[-1]
        without = variables[: each.start()] + variables[each.end() :]
        if passes(without, those_that_refuse(variable, refusals)):
            idle.append(each[0])
    assert idle == []


def those_that_refuse(variable: str, tests: str) -> str:
    """Return `tests` without the runs that expect no failure of `variable`."""
    expected = re.compile(rf"^  expect_failures *= .*\bvar\.{variable}\b", re.MULTILINE)
    return RUN.sub(lambda run: run[0] if expected.search(run[0]) else "", tests)


def test_the_regions_are_those_that_the_template_offers(product: Baked) -> None:
    text = product.read("terraform/platform/variables.tf")
    pattern = re.search(r'"(\^\(africa.*)",\s+"(.*)",\s+\]\), var\.region\)', text)
    assert pattern
    region = re.compile("-".join(pattern.groups()))
    assert [name for name in QUESTIONS["_regions"] if not region.search(name)] == []
    assert [name for name in QUESTIONS["_multi_regions"] if region.search(name)] == []


def edges(client: Client, folder: Path) -> dict[str, set[str]]:
    """What each resource waits for, directly, as `graph` prints it."""
    found: dict[str, set[str]] = {}
    for left, right in re.findall(
        r'^\s*"(.+?)" -> "(.+?)"', succeed(client, folder, "graph"), re.MULTILINE
    ):
        names = [re.sub(r"^\[root\] | \(expand\)$", "", name) for name in (left, right)]
        found.setdefault(names[0], set()).add(names[1])
    return found


def waits_for(graph: dict[str, set[str]], later: str, earlier: str) -> bool:
    seen, left = set(), [later]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += graph.get(name, ())
    return earlier in seen - {later}


PSA = "google_service_networking"
ACM = "google_access_context_manager_service_perimeter"
GRANTS = (
    "artifact_registry_repository_iam_member.build_reads_python",
    "artifact_registry_repository_iam_member.build_writes_docker",
    "compute_subnetwork_iam_member.run_uses_subnetwork",
    "kms_crypto_key_iam_member.repositories",
    "project_iam_member.build_logs",
    "project_iam_member.build_sources",
    "project_iam_member.pool_user",
    "project_iam_member.storage_triggers",
    "pubsub_topic_iam_member.alerts",
    "kms_crypto_key_iam_member.functions",
)
ORDER = {
    "platform": [
        ("google_artifact_registry_vpcsc_config.this", "time_sleep.perimeter"),
        ("time_sleep.perimeter", f"{ACM}_ingress_policy.rule"),
        ("time_sleep.perimeter", f"{ACM}_resource.member"),
        (f"{ACM}_ingress_policy.rule", f"{ACM}_resource.member"),
        (f"{ACM}_ingress_policy.rule", "time_sleep.identities"),
        (f"{ACM}_dry_run_ingress_policy.rule", f"{ACM}_dry_run_resource.member"),
        (f"{ACM}_resource.member", f"{ACM}.this"),
        (f"{ACM}_dry_run_resource.member", f"{ACM}.this"),
        (f"{ACM}_resource.member", "google_project_service.this"),
        (f"{ACM}.this", "google_access_context_manager_access_policy.this"),
        # What calls a restricted service is done before the perimeter closes.
        (f"{ACM}_resource.member", "google_artifact_registry_repository.python"),
        (f"{ACM}_resource.member", "google_artifact_registry_repository.docker"),
        (f"{ACM}_resource.member", "google_artifact_registry_repository.virtual"),
        (f"{ACM}_resource.member", "google_cloudbuild_worker_pool.this"),
        (f"{ACM}_resource.member", "time_sleep.grants"),
        (f"{ACM}_resource.member", "google_compute_subnetwork.functions"),
        (f"{ACM}_dry_run_resource.member", "google_compute_subnetwork.functions"),
        (f"{ACM}_dry_run_ingress_policy.rule", "time_sleep.identities"),
        ("google_cloudbuild_worker_pool.this", f"{PSA}_vpc_service_controls.services"),
        (f"{PSA}_vpc_service_controls.services", f"{PSA}_connection.services"),
        ("google_cloudbuild_worker_pool.this", "time_sleep.peering"),
        ("time_sleep.peering", f"{PSA}_connection.services"),
        ("google_cloudbuild_worker_pool.this", "google_compute_network.this"),
        ("google_cloudbuild_worker_pool.this", "google_project_service.this"),
        ("time_sleep.identities", "google_service_account.build"),
        ("time_sleep.identities", "google_project_service_identity.agent"),
        ("time_sleep.identities", "data.google_storage_project_service_account.agent"),
        *((f"google_{grant}", "time_sleep.identities") for grant in GRANTS),
        *(
            ("time_sleep.grants", f"google_{grant}")
            for grant in GRANTS
            if "repositories" not in grant
        ),
    ],
    "function": [
        ("google_cloudfunctions2_function.this", "time_sleep.iam"),
        ("google_cloudfunctions2_function.this", "google_storage_bucket_object.source"),
        ("google_cloudfunctions2_function.this", "google_project_service.this"),
        ("time_sleep.iam", "google_service_account.this"),
        ("time_sleep.iam", "google_project_iam_member.runtime"),
        ("time_sleep.iam", "google_project_iam_member.build_logs"),
        ("time_sleep.iam", "google_project_iam_member.build_sources"),
        ("time_sleep.iam", "google_project_iam_member.event_receiver"),
        ("time_sleep.iam", "google_secret_manager_secret_iam_member.runtime"),
        ("time_sleep.iam", "google_artifact_registry_repository_iam_member.build"),
        (
            "google_artifact_registry_repository_iam_member.build",
            "google_artifact_registry_repository.docker",
        ),
        ("google_cloudfunctions2_function.this", "google_artifact_registry_repository.docker"),
        ("time_sleep.service_agents", "google_project_service_identity.agents"),
        ("google_pubsub_subscription.push", "google_cloud_run_v2_service_iam_member.invokers"),
        ("google_pubsub_subscription.push", "google_pubsub_topic_iam_member.dead_letters"),
        ("google_pubsub_subscription.push", "google_pubsub_subscription.dead_letters"),
        ("google_cloud_run_v2_service_iam_member.invokers", "google_cloudfunctions2_function.this"),
        (
            "google_pubsub_topic_iam_member.notifications",
            "google_monitoring_notification_channel.alert",
        ),
        ("google_monitoring_notification_channel.alert", "google_pubsub_topic.topic"),
        ("google_pubsub_subscription.push", "google_pubsub_topic.topic"),
        ("google_pubsub_subscription.push", "google_service_account_iam_member.token_creator"),
        ("google_service_account_iam_member.token_creator", "time_sleep.service_agents"),
        ("google_pubsub_topic_iam_member.dead_letters", "time_sleep.service_agents"),
        ("google_pubsub_subscription_iam_member.dead_letters", "time_sleep.service_agents"),
        ("time_sleep.iam", "google_storage_bucket_iam_member.runtime"),
        ("google_pubsub_topic.topic", "google_project_service.this"),
        ("google_vpc_access_connector.this", "google_project_service.this"),
    ],
}


@pytest.mark.parametrize("stack", STACKS)
def test_everything_waits_for_what_it_needs(stack: str, product: Baked, program: Client) -> None:
    graph = edges(program, initialised(program, product, stack))
    missing = [pair for pair in ORDER[stack] if not waits_for(graph, *pair)]
    assert missing == []
    backwards = [pair for pair in ORDER[stack] if waits_for(graph, *reversed(pair))]
    assert backwards == []


# What follows plans and applies, which real providers do in a real project only. So it is always
# the replay that answers.


@pytest.fixture(scope="session")
def replayed(
    terraforms: dict[str, Client], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    with replay() as running:
        home = tmp_path_factory.mktemp("replayed")
        yield Client(terraforms["terraform"].program, home, running.environment, "replay")


def created(plan: dict[str, Any]) -> set[str]:
    """The types of what a plan makes; a plan of a new project makes everything."""
    return {change["type"] for change in plan["resource_changes"] if change["mode"] == "managed"}


def unknown(configured: object, after: object, path: str = "") -> Iterator[str]:
    """The paths of arguments that the configuration gives and the plan does not know."""
    if isinstance(configured, list):
        values = after if isinstance(after, list) else [after] * len(configured)
        # A dynamic block is configured once and planned any number of times.
        for block, value in itertools.product(configured, values):
            yield from unknown(block, value, path)
    elif isinstance(configured, dict):
        if {"references", "constant_value"} & set(configured) or not configured:
            if after is True:
                yield path
            return
        for name, each in configured.items():
            if isinstance(after, dict) and name in after:
                yield from unknown(each, after[name], f"{path}.{name}".lstrip("."))


def unknown_arguments(plan: dict[str, Any]) -> set[str]:
    resources = plan["configuration"]["root_module"]["resources"]
    # What terraform_data notes is the id of something that is made.
    configured = {
        each["address"]: each.get("expressions", {}) if each["type"] != "terraform_data" else {}
        for each in resources
    }
    return {
        f"{change['address']}.{path}"
        for change in plan["resource_changes"]
        for path in unknown(
            configured[re.sub(r"\[.*\]$", "", change["address"])], change["change"]["after_unknown"]
        )
    }


@pytest.mark.parametrize("kind", KINDS_FIRST_FAST)
@pytest.mark.parametrize("platform", CHOICES["platform"])
def test_each_bake_plans_with_its_own_answers(
    kind: str, platform: str, replayed: Client, tmp_path: Path
) -> None:
    answers = {
        "function_kind": kind,
        "platform": platform,
        "gcp_project_id": "a-function-project",
        "platform_project_id": "a-platform-project",
        "region": "europe-west1",
        "python_repository": "ar-other",
    }
    product = bake(tmp_path, **answers)
    if kind == "alert-to-snmp":
        refused = replayed.run(product.path / "terraform" / "function", "plan", "-no-color")
        assert "is not filled in: SNMP_RECEIVERS is null" in " ".join(refused.stderr.split())
        name_receivers(product)
    if kind == "storage":  # in another project than the platform's
        refused = replayed.run(product.path / "terraform" / "function", "plan", "-no-color")
        text = " ".join(refused.stderr.replace("│", " ").split())
        assert "does not allow Google's service agents of a-function-project" in text
        assert "what this function needs: storage_triggers. Run `make accounts`" in text
        given = product.read("terraform/function/platform.auto.tfvars.json")
        listed = given.replace(
            '"service_agents": {',
            '"service_agents": {"a-function-project": {"storage_triggers": true},',
        )
        (product.path / "terraform/function/platform.auto.tfvars.json").write_text(listed)
    handed_over = product.path / "terraform/function/platform.auto.tfvars.json"
    given = handed_over.read_text(encoding="utf-8")
    if platform != "reuse":  # whose hand-over file is the owner's
        refused = replayed.run(product.path / "terraform" / "function", "plan", "-no-color")
        text = " ".join(refused.stderr.replace("│", " ").split())
        assert "`functions` does not have the project a-function-project" in text
        assert "Run `make accounts`, which prints what the platform's owner adds" in text
        listed = given.replace(
            '"function_projects": [', '"function_projects": ["a-function-project"'
        )
        handed_over.write_text(listed, encoding="utf-8")
    function = planned(replayed, product.path / "terraform" / "function")
    handed_over.write_text(given, encoding="utf-8")
    deployed = change(function, "google_cloudfunctions2_function.this")
    build = deployed["build_config"][0]
    pool = "projects/a-platform-project/locations/europe-west1/workerPools/cb-workerpool"
    index = "https://europe-west1-python.pkg.dev/a-platform-project/ar-other/simple/"
    assert deployed["project"] == "a-function-project"
    assert deployed["location"] == "europe-west1"
    assert build["worker_pool"] == pool
    assert build["environment_variables"]["PIP_INDEX_URL"] == index
    assert f"ENTRY_POINT := {build['entry_point']}\n" in product.read("Makefile")
    if platform == "reuse":
        assert not (product.path / "terraform" / "platform" / "versions.tf").exists()
        return

    folder = product.path / "terraform" / "platform"
    refused = replayed.run(folder, "plan", "-input=false", "-no-color")
    assert refused.returncode == 1
    assert "perimeter.deployers is not set" in " ".join(refused.stderr.split())
    settings(product, "platform", **GIVEN[platform])
    plan = planned(replayed, folder)
    assert change(plan, "google_cloudbuild_worker_pool.this")["location"] == "europe-west1"
    handed = plan["planned_values"]["outputs"]["platform"]["value"]
    rendered = json.loads(product.read("terraform/function/platform.auto.tfvars.json"))["platform"]
    rendered["service_agents"].pop("a-function-project", None)
    assert handed == rendered


def change(plan: dict[str, Any], address: str) -> dict[str, Any]:
    """What a plan makes of the resource at `address`."""
    (found,) = (each for each in plan["resource_changes"] if each["address"] == address)
    after: dict[str, Any] = found["change"]["after"]
    return after


@pytest.mark.slow
@pytest.mark.parametrize("mode", GIVEN)
def test_a_plan_of_the_platform_shows_every_argument(
    mode: str, own: Baked, replayed: Client
) -> None:
    settings(own, "platform", **GIVEN[mode])
    found = unknown_arguments(planned(replayed, own.path / "terraform" / "platform"))
    # The number of a policy that is made in the same run is known only then, and so in its names.
    assert {name for name in found if mode != "create" or not name.startswith(ACM)} == set()
    named = {name.rsplit(".", 1)[-1] for name in found}
    assert named == (
        {"parent", "name", "perimeter", "perimeter_name"} if mode == "create" else set()
    )


@pytest.mark.slow
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_plan_of_the_function_shows_every_argument(
    trigger: str, own: Baked, replayed: Client
) -> None:
    settings(own, "function", trigger={"kind": trigger})
    plan = planned(replayed, own.path / "terraform" / "function")
    storage = "google_cloudfunctions2_function.this.build_config.source.storage_source.generation"
    assert unknown_arguments(plan) == {storage}


@pytest.mark.slow
def test_a_plan_with_a_connector_shows_every_argument(own: Baked, replayed: Client) -> None:
    connector = {"name": "functions", "ip_cidr_range": "10.9.0.0/28"}
    settings(own, "function", egress={"connector": connector})
    found = unknown_arguments(planned(replayed, own.path / "terraform" / "function"))
    function = "google_cloudfunctions2_function.this"
    # The second is null here: what the provider makes of an argument that is not given.
    assert found == {
        f"{function}.build_config.source.storage_source.generation",
        f"{function}.service_config.direct_vpc_egress",
    }


def test_a_second_function_adds_nothing_of_the_platforms(own: Baked, replayed: Client) -> None:
    settings(own, "platform", **GIVEN["create"])
    platform = created(planned(replayed, own.path / "terraform" / "platform"))
    function = created(planned(replayed, own.path / "terraform" / "function"))
    shared = {"google_cloudbuild_worker_pool", "google_artifact_registry_repository"}
    shared |= {ACM, f"{ACM}_resource", "google_service_networking_connection"}
    assert shared <= platform
    assert function & (shared | {"google_artifact_registry_vpcsc_config"}) == set()


def deprecated(block: dict[str, Any], configured: object, path: str) -> Iterator[str]:
    """The paths of deprecated arguments among those that are configured."""
    for each in configured if isinstance(configured, list) else [configured]:
        if not isinstance(each, dict):
            continue
        for name, value in each.items():
            attribute = block.get("attributes", {}).get(name, {})
            nested = block.get("block_types", {}).get(name, {})
            if attribute.get("deprecated") or nested.get("block", {}).get("deprecated"):
                yield f"{path}.{name}"
            if nested:
                yield from deprecated(nested["block"], value, f"{path}.{name}")


@pytest.mark.slow
@pytest.mark.parametrize("stack", STACKS)
def test_no_argument_is_deprecated(stack: str, own: Baked, replayed: Client) -> None:
    settings(own, "platform", **GIVEN["create"])
    folder = own.path / "terraform" / stack
    plan = planned(replayed, folder)
    schemas = json.loads(succeed(replayed, folder, "providers", "schema", "-json"))
    blocks = {
        name: schema["block"]
        for provider in schemas["provider_schemas"].values()
        for kind in ("resource_schemas", "data_source_schemas")
        for name, schema in provider.get(kind, {}).items()
    }
    control: dict[str, object] = {"network_id": {}, "numeric_id": {}}
    found = list(deprecated(blocks["google_compute_network"], control, "control"))
    assert found == ["control.numeric_id"]
    resources = plan["configuration"]["root_module"]["resources"]
    assert [
        path
        for each in resources
        for path in deprecated(blocks[each["type"]], each.get("expressions", {}), each["address"])
    ] == []


def of(changes: list[Change], kind: str, action: str) -> list[Change]:
    found = [each for each in changes if each.type.endswith(kind) and each.action == action]
    assert found, (kind, action)
    return found


def assert_in_order(changes: list[Change], action: str, *kinds: str) -> None:
    """Each kind of resource is changed only when all of the kind before it are."""
    for before, after in itertools.pairwise(kinds):
        ended = max(each.ended for each in of(changes, before, action))
        started = min(each.started for each in of(changes, after, action))
        assert ended < started, (before, after)


@pytest.fixture
def slowly(terraforms: dict[str, Client], tmp_path: Path) -> Iterator[tuple[Client, Any]]:
    """A client whose changes take so long that what does not wait for another overlaps it."""
    with replay(delay=0.1) as running:
        home = tmp_path / "home"
        home.mkdir()
        client = Client(terraforms["terraform"].program, home, running.environment, "replay")
        yield client, running


def apply_and_destroy(client: Client, folder: Path) -> None:
    succeed(client, folder, "apply", "-auto-approve", "-input=false")
    again = client.run(folder, "plan", "-input=false", "-detailed-exitcode", "-no-color")
    assert again.returncode == 0, again.stdout
    succeed(client, folder, "destroy", "-auto-approve", "-input=false")
    assert succeed(client, folder, "state", "list") == ""


@pytest.mark.slow
@pytest.mark.parametrize("mode", GIVEN)
def test_the_platform_comes_and_goes_in_order(
    mode: str, own: Baked, slowly: tuple[Client, Any]
) -> None:
    client, running = slowly
    settings(own, "platform", **GIVEN[mode])
    apply_and_destroy(client, own.path / "terraform" / "platform")
    changes = running.changes()
    base = ["project_service", "_compute_network", "_networking_connection", "_worker_pool"]
    assert_in_order(changes, "create", *base)
    assert_in_order(changes, "delete", *reversed(base))
    if mode == "none":
        assert not [each for each in changes if "access_context" in each.type]
        return
    dry = "dry_run_" if mode == "dry-run" else ""
    closing = ["_worker_pool", f"_{dry}resource", f"_{dry}ingress_policy"]
    if mode == "dry-run":
        assert not [each for each in changes if each.type.endswith("vpcsc_config")]
    else:
        closing.append("_vpcsc_config")
    assert_in_order(changes, "create", *closing)
    assert_in_order(changes, "delete", *reversed(closing))
    assert_in_order(changes, "create", "repository_iam_member", f"_{dry}resource")
    assert_in_order(changes, "delete", f"_{dry}resource", "registry_repository")


@pytest.mark.slow
def test_another_kind_of_egress_makes_the_function_anew(own: Baked, replayed: Client) -> None:
    folder = own.path / "terraform" / "function"
    succeed(replayed, folder, "apply", "-auto-approve", "-input=false")

    def actions(**egress: object) -> list[str]:
        settings(own, "function", egress=egress)
        plan = planned(replayed, folder)["resource_changes"]
        address = "google_cloudfunctions2_function.this"
        (found,) = (each for each in plan if each["address"] == address)
        done: list[str] = found["change"]["actions"]
        return done

    assert actions(direct={"tags": ["functions"]}) == ["update"]
    connector = {"name": "functions", "ip_cidr_range": "10.9.0.0/28"}
    assert actions(connector=connector) == ["delete", "create"]
    succeed(replayed, folder, "apply", "-auto-approve", "-input=false")
    assert_nothing_to_do(replayed, folder)


def assert_nothing_to_do(client: Client, folder: Path) -> None:
    again = client.run(folder, "plan", "-input=false", "-detailed-exitcode", "-no-color")
    assert again.returncode == 0, again.stdout


@pytest.mark.slow
@pytest.mark.parametrize("way", HOLDERS)
def test_what_is_made_anew_has_its_grants_again_at_once(
    way: str, own: Baked, replayed: Client
) -> None:
    set_up(own, way)
    folder = own.path / "terraform" / "function"
    succeed(replayed, folder, "apply", "-auto-approve", "-input=false")
    for address in HOLDERS[way]:
        succeed(replayed, folder, "apply", "-auto-approve", "-input=false", f"-replace={address}")
        assert_nothing_to_do(replayed, folder)


@pytest.mark.slow
def test_what_the_platform_makes_anew_has_its_grants_again_at_once(
    own: Baked, replayed: Client
) -> None:
    repositories = {"virtual": {}, "images": "ar-images"}
    functions = {"projects": {"another-project": "210987654321"}}
    settings(own, "platform", **GIVEN["create"], repositories=repositories, functions=functions)
    folder = own.path / "terraform" / "platform"
    succeed(replayed, folder, "apply", "-auto-approve", "-input=false")
    for address in PLATFORMS_HOLDERS:
        succeed(replayed, folder, "apply", "-auto-approve", "-input=false", f"-replace={address}")
        assert_nothing_to_do(replayed, folder)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_one_apply_is_enough_and_one_functions_end_is_not_anothers(
    way: str, own: Baked, replayed: Client, tmp_path: Path
) -> None:
    """Two functions of one project share all that can be shared; either may go first."""
    folders = []
    for name in ("first", "second"):
        copy = Baked(Path(shutil.copytree(own.path, tmp_path / name)))
        function = {**WAYS[way].get("function", {}), "name": name}
        set_up(copy, way, function=function)
        folders.append(copy.path / "terraform" / "function")
    for gone, stays in (folders, folders[::-1]):
        for folder in folders:
            succeed(replayed, folder, "apply", "-auto-approve", "-input=false")
            assert_nothing_to_do(replayed, folder)
        succeed(replayed, gone, "destroy", "-auto-approve", "-input=false")
        assert_nothing_to_do(replayed, stays)


@pytest.mark.slow
def test_a_second_regions_platform_takes_nothing_from_the_first(
    own: Baked, replayed: Client, tmp_path: Path
) -> None:
    functions = {"projects": {"another-project": "210987654321"}}
    settings(own, "platform", **GIVEN["create"], functions=functions)
    copy = Baked(Path(shutil.copytree(own.path, tmp_path / "second")))
    second = {
        "region": "asia-northeast2",
        "network": {"create": False, "name": "closed-network"},
        "peering": {"create": False},
        "build_service_account": {"create": False},
        "perimeter": {"mode": "none"},
        "upstreams": {"allow": True},
    }
    folders = [each.path / "terraform" / "platform" for each in (own, copy)]
    for project_grants, status in ((True, 2), (False, 0)):
        settings(copy, "platform", **second, project_grants=project_grants)
        for folder in folders:
            succeed(replayed, folder, "apply", "-auto-approve", "-input=false")
        succeed(replayed, folders[1], "destroy", "-auto-approve", "-input=false")
        plan = replayed.run(folders[0], "plan", "-input=false", "-detailed-exitcode", "-no-color")
        assert plan.returncode == status, plan.stdout


@pytest.mark.slow
def test_what_the_stack_granted_before_is_forgotten_and_not_taken_back(
    own: Baked, replayed: Client
) -> None:
    folder = own.path / "terraform" / "function"
    set_up(own, "storage")
    now = (folder / "removed.tf").read_text(encoding="utf-8")
    assert now.count("destroy = false") == 3
    (folder / "removed.tf").write_text(BEFORE, encoding="utf-8")
    succeed(replayed, folder, "apply", "-auto-approve", "-input=false")
    (folder / "removed.tf").write_text(now, encoding="utf-8")
    plan = planned(replayed, folder)
    assert {
        each["address"]: each["change"]["actions"]
        for each in plan["resource_changes"]
        if each["change"]["actions"] != ["no-op"] and each["mode"] == "managed"
    } == {
        "google_kms_crypto_key_iam_member.agents": ["forget"],
        'google_project_iam_member.storage_trigger["publisher"]': ["forget"],
        "google_pubsub_topic_iam_member.alert[0]": ["forget"],
    }


BEFORE = """
resource "google_kms_crypto_key_iam_member" "agents" {
  crypto_key_id = "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "user:taro@example.com"
}
resource "google_project_iam_member" "storage_trigger" {
  for_each = toset(["publisher"])
  project  = "my-project-id"
  role     = "roles/pubsub.publisher"
  member   = "user:taro@example.com"
}
resource "google_pubsub_topic_iam_member" "alert" {
  count   = 1
  project = "my-project-id"
  topic   = "alerts"
  role    = "roles/pubsub.publisher"
  member  = "user:taro@example.com"
}
"""


def test_the_archives_bytes_do_not_follow_the_umask(own: Baked, terraform: Client) -> None:
    """Compare hashes; the replay makes no archive, so there the setting alone is looked at."""
    folder = own.path / "terraform" / "function"
    assert '  output_file_mode = "0644"\n' in (folder / "source.tf").read_text(encoding="utf-8")
    if terraform.providers == "replay":
        return
    script = (folder / "source.tf").read_text(encoding="utf-8")
    data = script[script.index('data "archive_file"') : script.index("  lifecycle {")] + "}\n"
    alone = folder / "alone"
    alone.mkdir()
    data = data.replace("${path.module}/.terraform/", "${path.module}/").replace(
        "var.function.name", '"f"'
    )
    data = data.replace("local.source_dir", '"../../../function"').replace(
        'setsubtract(fileset("../../../function", "**"), local.source_files)', "[]"
    )
    (alone / "main.tf").write_text(
        data + 'output "hash" {\n  value = data.archive_file.source.output_sha256\n}\n'
    )
    initialise(terraform, alone)
    hashes = set()
    for mode in (0o644, 0o664, 0o755):
        for file in (own.path / "function").iterdir():
            file.chmod(mode)
        succeed(terraform, alone, "apply", "-auto-approve", "-input=false")
        hashes.add(succeed(terraform, alone, "output", "-raw", "hash"))
    assert len(hashes) == 1


@pytest.mark.slow
def test_enforcing_a_dry_run_waits_for_the_perimeter_again(
    own: Baked, slowly: tuple[Client, Any]
) -> None:
    client, running = slowly
    folder = own.path / "terraform" / "platform"
    settings(own, "platform", **GIVEN["dry-run"])
    succeed(client, folder, "apply", "-auto-approve", "-input=false")
    before = len(running.changes())
    enforced = {**GIVEN["dry-run"]["perimeter"], "enforcement": "enforced", "deployers": []}
    settings(own, "platform", perimeter=enforced)
    succeed(client, folder, "apply", "-auto-approve", "-input=false")
    changes = running.changes()[before:]
    sleeps = [each for each in changes if each.type != "time_sleep" or each.action != "delete"]
    rules, switch = of(sleeps, "perimeter_ingress_policy", "create"), of(sleeps, "config", "create")
    (wait,) = (each for each in sleeps if each.type == "time_sleep")
    assert max(each.ended for each in rules) < wait.started
    assert wait.ended < switch[0].started


@pytest.mark.slow
def test_a_later_member_or_rule_is_waited_for(own: Baked, replayed: Client) -> None:
    folder = own.path / "terraform" / "platform"
    settings(own, "platform", **GIVEN["join"])
    succeed(replayed, folder, "apply", "-auto-approve", "-input=false")

    def actions(**changed: object) -> list[str]:
        settings(own, "platform", **GIVEN["join"] | {"functions": {}} | changed)
        plan = planned(replayed, folder)["resource_changes"]
        (found,) = (each for each in plan if each["address"] == "time_sleep.perimeter[0]")
        done: list[str] = found["change"]["actions"]
        return done

    assert actions() == ["no-op"]
    # The replay does not know that another trigger means another sleep.
    assert actions(functions={"projects": {"another-project": "210987654321"}}) == ["update"]
    deployers = {**GIVEN["join"]["perimeter"], "deployers": ["user:hanako@example.com"]}
    assert actions(perimeter=deployers) == ["update"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["join", "dry-run"])
def test_a_project_leaves_the_perimeter_when_no_rule_names_it_any_more(
    mode: str, own: Baked, slowly: tuple[Client, Any]
) -> None:
    client, running = slowly
    folder = own.path / "terraform" / "platform"
    projects = {"projects": {"another-project": "210987654321"}}
    settings(own, "platform", **GIVEN[mode], functions=projects)
    succeed(client, folder, "apply", "-auto-approve", "-input=false")
    before = len(running.changes())
    settings(own, "platform", **GIVEN[mode], functions={})
    succeed(client, folder, "apply", "-auto-approve", "-input=false")
    changes = running.changes()[before:]
    dry = "dry_run_" if mode == "dry-run" else ""
    assert_in_order(changes, "delete", f"{dry}ingress_policy", f"perimeter_{dry}resource")
    # No other rule is replaced, which would refuse others meanwhile.
    assert [
        each for each in changes if (each.action, "ingress" in each.type) == ("create", True)
    ] == []


@pytest.mark.slow
def test_what_others_add_to_the_perimeter_is_left_alone(
    own: Baked, slowly: tuple[Client, Any]
) -> None:
    client, _ = slowly
    folder = own.path / "terraform" / "platform"
    settings(own, "platform", **GIVEN["join"] | GIVEN["create"])
    succeed(client, folder, "apply", "-auto-approve", "-input=false")
    file = folder / "terraform.tfstate"
    state = json.loads(file.read_text(encoding="utf-8"))
    (perimeter,) = (each for each in state["resources"] if each["type"] == ACM)
    status = perimeter["instances"][0]["attributes"]["status"][0]
    status["resources"] = ["projects/999999999999"]
    rule = {"title": "theirs", "ingress_from": [], "ingress_to": []}
    status["ingress_policies"] = [rule]
    status["egress_policies"] = [{"title": "theirs", "egress_from": [], "egress_to": []}]
    file.write_text(json.dumps(state), encoding="utf-8")
    again = client.run(folder, "plan", "-input=false", "-detailed-exitcode", "-no-color")
    assert again.returncode == 0, again.stdout

    status["restricted_services"] = ["storage.googleapis.com"]
    file.write_text(json.dumps(state), encoding="utf-8")
    seen = client.run(folder, "plan", "-input=false", "-detailed-exitcode", "-no-color")
    assert seen.returncode == 2, seen.stderr


@pytest.mark.slow
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_the_function_comes_and_goes_in_order(
    trigger: str, own: Baked, slowly: tuple[Client, Any]
) -> None:
    client, running = slowly
    settings(own, "function", trigger={"kind": trigger})
    apply_and_destroy(client, own.path / "terraform" / "function")
    # Of the waits, the one for the accounts.
    changes = [
        each
        for each in running.changes()
        if each.type != "time_sleep" or "accounts" in each.values["triggers"]
    ]
    base = ["project_service", "service_account", "time_sleep", "cloudfunctions2_function"]
    assert_in_order(changes, "create", *base)
    assert_in_order(changes, "delete", *reversed(base))
