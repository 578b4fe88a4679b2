"""Apply, change and destroy with the real providers; Google's APIs are the stand-in.

What no mock shows: the order in which services need each other, what a second plan finds, what is
left. Without the real providers these tests are skipped, and the report's last line says so.
"""

from __future__ import annotations

from typing import Any

import pytest

from closed_function.settings import merge
from cloud_stand_in.services.service_networking import add_network, connection_key
from tests.support.applies import (
    BUCKET,
    KEY,
    KEYS_PROJECT,
    NUMBERS,
    OTHER_PROJECT,
    OTHER_TOPIC,
    POLICY,
    PROJECT,
    REGION,
    TOPIC,
    Stack,
    World,
)

pytestmark = [pytest.mark.slow, pytest.mark.applies]
Settings = dict[str, Any]

# What `make destroy` says that it leaves.
SWITCH = f"artifactregistry/projects/{PROJECT}/locations/{REGION}/vpcscConfig"
SOURCES = {
    project: f"storage/b/gcf-v2-sources-{number}-{REGION}" for project, number in NUMBERS.items()
}

# Of the build account of a function elsewhere, whose account is deleted before the grant.
READS_PYTHON = (
    f"artifactregistry/projects/{PROJECT}/locations/{REGION}/repositories/ar-buildpython "
    "roles/artifactregistry.reader"
)

SECRETS: Settings = {
    "secret_environment": {"SNMP_USERS": {"secret": "snmp-users"}},
    "secret_volumes": {"/secrets": {"secret": "snmp-keys", "path": "keys"}},
}
CONNECTOR: Settings = {"connector": {"name": "functions", "ip_cidr_range": "10.9.0.0/28"}}
# Kind and settings of functions that need nothing more of the platform.
FUNCTIONS: dict[str, tuple[str, Settings]] = {
    "alert": ("alert", {}),
    "http": ("http", {}),
    "pubsub": ("pubsub", {}),
    "storage": ("storage", {}),
    "alert, secrets, connector": ("alert", {"function": SECRETS, "egress": CONNECTOR}),
    "alert, own build account": ("alert", {"function": {"own_build_service_account": True}}),
    "http, secrets, invokers": (
        "http",
        {"function": SECRETS, "trigger": {"invokers": ["group:operators@example.com"]}},
    ),
    "pubsub, given topic, secrets": (
        "pubsub",
        {"function": SECRETS, "trigger": {"topic": TOPIC}},
    ),
    "storage, given bucket, own build account": (
        "storage",
        {
            "function": {**SECRETS, "own_build_service_account": True},
            "trigger": {"bucket": BUCKET},
        },
    ),
}
# The platform's owner lists these first.
LISTED: dict[str, tuple[str, Settings]] = {
    "alert, key": ("alert", {"function": {"kms_key_name": KEY}}),
    "storage, key": ("storage", {"function": {"kms_key_name": KEY}}),
    "alert, given topic, own build account": (
        "alert",
        {"function": {"own_build_service_account": True}, "trigger": {"topic": TOPIC}},
    ),
    "alert elsewhere, given topic, secrets": (
        "alert",
        {"project_id": OTHER_PROJECT, "function": SECRETS, "trigger": {"topic": OTHER_TOPIC}},
    ),
    "http elsewhere": ("http", {"project_id": OTHER_PROJECT}),
    "pubsub elsewhere": ("pubsub", {"project_id": OTHER_PROJECT}),
    "storage elsewhere, key": (
        "storage",
        {"project_id": OTHER_PROJECT, "function": {"kms_key_name": KEY}},
    ),
}


# --- platforms ---

# Settings, and the change that is applied later.
PLATFORMS: dict[str, tuple[Settings, Settings]] = {
    "create": (
        {},
        {"perimeter": {"deployers": ["user:taro@example.com", "user:hanako@example.com"]}},
    ),
    "dry run, enforced later": (
        {"perimeter": {"enforcement": "dry-run"}},
        {"perimeter": {"enforcement": "enforced"}},
    ),
    "virtual repository, images, CI, key later": (
        {"repositories": {"virtual": {}, "images": "ar-dockerhub"}, "ci_service_account": {}},
        {"repositories": {"kms_key_name": KEY}},
    ),
}


@pytest.mark.parametrize(("settings", "change"), PLATFORMS.values(), ids=PLATFORMS)
def test_a_platform_is_applied_changed_and_destroyed(
    settings: Settings, change: Settings, fresh: World
) -> None:
    platform = fresh.platform(**settings).apply().expect_no_changes()
    repositories = {each for each in fresh.grants() if "/repositories/" in each}
    platform.change(**change).apply().expect_no_changes()
    assert {each for each in fresh.grants() if "/repositories/" in each} == repositories
    platform.destroy()
    assert fresh.left() == {SWITCH}
    assert fresh.stand_in.refused() == []


def test_a_platform_without_a_perimeter_leaves_nothing(fresh: World) -> None:
    platform = fresh.platform(perimeter={"mode": "none"}).apply().expect_no_changes()
    platform.change(pool={"machine_type": "e2-standard-2"}).apply().expect_no_changes()
    platform.destroy()
    assert fresh.left() == set()
    assert fresh.stand_in.refused() == []


def test_a_platform_that_joins_a_perimeter_leaves_it_as_it_was(fresh: World) -> None:
    name = f"{POLICY}/servicePerimeters/theirs"
    rule = {
        "title": "theirs",
        "ingressFrom": {"identities": ["user:jiro@example.com"], "sources": [{"accessLevel": "*"}]},
        "ingressTo": {
            "resources": [f"projects/{NUMBERS[KEYS_PROJECT]}"],
            "operations": [{"serviceName": "*"}],
        },
    }
    fresh.stand_in.cloud.resources[f"accesscontextmanager/{name}"] = {
        "name": name,
        "title": "theirs",
        "perimeterType": "PERIMETER_TYPE_REGULAR",
        "status": {
            "resources": [f"projects/{NUMBERS[KEYS_PROJECT]}"],
            "restrictedServices": ["artifactregistry.googleapis.com"],
            "ingressPolicies": [rule],
        },
        "etag": "etag-2",
    }
    fresh.remember()
    joining = {"mode": "join", "name": "theirs"}
    platform = fresh.platform(perimeter=joining).apply().expect_no_changes()
    platform.change(functions={"projects": {OTHER_PROJECT: NUMBERS[OTHER_PROJECT]}})
    for domain in ("gcf-admin-robot", "serverless-robot-prod", "gcp-sa-cloudbuild"):
        fresh.stand_in.cloud.create_agent(OTHER_PROJECT, domain)
    platform.apply().expect_no_changes()
    platform.change(functions=None).apply().expect_no_changes()
    platform.destroy()
    assert fresh.left() == {SWITCH}
    assert fresh.stand_in.refused() == []


def test_a_platform_on_an_existing_network_extends_its_connection(fresh: World) -> None:
    cloud = fresh.stand_in.cloud
    network = add_network(cloud, PROJECT, "default", "theirs")
    fresh.remember()
    platform = fresh.platform(
        network={"create": False, "name": "default"}, peering={"keep_ranges": ["theirs"]}
    )
    platform.apply().expect_no_changes()
    connection = cloud.resources[connection_key(network)]
    assert connection["reservedPeeringRanges"] == ["theirs", "closed-network-services"]
    platform.destroy()
    assert fresh.left() == {SWITCH, connection_key(network)}


def test_a_platform_creates_the_policy_of_an_organisation_that_has_none(fresh: World) -> None:
    policy = {"id": None, "organization_id": "123123123123"}
    platform = fresh.platform(access_policy=policy).apply().expect_no_changes()
    (created,) = {each for each in fresh.left() if each.count("/") == 2 and "Policies/" in each}
    platform.destroy()
    assert fresh.left() == {SWITCH, created}


def test_a_platform_uses_a_build_account_that_exists_already(fresh: World) -> None:
    email = f"theirs@{PROJECT}.iam.gserviceaccount.com"
    key = f"iam/projects/{PROJECT}/serviceAccounts/{email}"
    fresh.stand_in.cloud.resources[key] = {"email": email, "uniqueId": "1"}
    fresh.remember()
    account = {"create": False, "account_id": "theirs"}
    platform = fresh.platform(build_service_account=account).apply().expect_no_changes()
    fresh.handed = platform.output("platform")
    fresh.function("http").apply().expect_no_changes().destroy()
    platform.destroy()
    assert fresh.left() == {SWITCH, SOURCES[PROJECT]}


def test_a_second_region_is_destroyed_without_harm_to_the_first(ready: World) -> None:
    first = ready.given_platform()
    second = ready.platform(
        region="asia-northeast2",
        network={
            "create": False,
            "name": "closed-network",
            "subnetwork": {"name": "closed-second", "ip_cidr_range": "10.8.1.0/24"},
        },
        peering={"create": False},
        pool={"ip_cidr_range": "10.64.1.0/24"},
        build_service_account={"create": False},
        project_grants=False,
        perimeter={"mode": "none"},
        upstreams={"allow": True},
    )
    second.apply().expect_no_changes()
    first.expect_no_changes()
    second.destroy()
    first.expect_no_changes()
    assert ready.left() == {SWITCH.replace(REGION, "asia-northeast2")}
    assert ready.stand_in.refused() == []


# --- functions ---


def cycle(function: Stack) -> None:
    """Apply, change and destroy a function; no second plan may find a change."""
    function.apply().expect_no_changes()
    roles = ["roles/errorreporting.writer", "roles/logging.logWriter"]
    changed = {"description": "changed", "timeout_seconds": 300, "runtime_roles": roles}
    function.change(function=changed).apply().expect_no_changes()
    function.destroy()


@pytest.mark.parametrize(("kind", "settings"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_is_applied_changed_and_destroyed(
    kind: str, settings: Settings, ready: World
) -> None:
    cycle(ready.function(kind, **settings))
    assert ready.left() == {SOURCES[PROJECT]}
    assert ready.stand_in.refused() == []


@pytest.mark.parametrize(("kind", "settings"), LISTED.values(), ids=LISTED)
def test_a_function_that_the_platform_lists_is_applied_changed_and_destroyed(
    kind: str, settings: Settings, ready: World
) -> None:
    function = ready.function(kind, **settings)
    platform = ready.list_on_platform(function)
    cycle(function)
    platform.change(functions=None, repositories=None).apply().expect_no_changes()
    project = function.settings["project_id"]
    # The account's unique ID is another each time.
    left = {each.partition(" deleted:")[0] for each in ready.left()}
    assert left == {SOURCES[project], *([READS_PYTHON] if project != PROJECT else [])}
    assert ready.stand_in.refused() == []


# --- replaced, and several ---

# What else stands on these is replaced with them.
HOLDERS = {
    "alert": ("google_cloudfunctions2_function.this", "google_pubsub_subscription.push[0]"),
    "storage": (
        "google_cloudfunctions2_function.this",
        "google_storage_bucket.source",
        "google_storage_bucket.bucket[0]",
    ),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_a_replaced_resource_has_its_grants_again(kind: str, ready: World) -> None:
    function = ready.function(kind).apply()
    before = ready.grants()
    for address in HOLDERS[kind]:
        function.apply(f"-replace={address}").expect_no_changes()
        assert ready.grants() == before
    function.destroy()
    assert ready.left() == {SOURCES[PROJECT]}


@pytest.mark.parametrize("kind", ["alert", "storage"])
def test_a_function_changes_its_egress_and_its_name(kind: str, ready: World) -> None:
    function = ready.function(kind).apply()
    before = ready.grants()
    function.change(egress=CONNECTOR).apply().expect_no_changes()
    assert ready.grants() == before
    function.change(egress=None, function={"name": "fn-two"}).apply().expect_no_changes()
    assert ready.grants() == {each.replace("fn-one", "fn-two") for each in before}
    function.destroy()
    assert ready.left() == {SOURCES[PROJECT]}


@pytest.mark.parametrize("first_goes", [True, False], ids=["the first goes", "the second goes"])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("alert", {"trigger": {"topic": TOPIC}}),
        ("storage", {"trigger": {"bucket": BUCKET}}),
    ],
    ids=["a topic", "a bucket"],
)
def test_of_two_functions_that_share_either_can_be_destroyed(
    kind: str, settings: Settings, *, first_goes: bool, ready: World
) -> None:
    pair = [
        ready.function(kind, **merge(settings, {"function": {"name": name}}))
        for name in ("fn-one", "fn-two")
    ]
    platform = ready.list_on_platform(pair[0]) if kind == "alert" else None
    for function in pair:
        function.change(platform=ready.handed).apply().expect_no_changes()
    before = ready.grants()
    goes, stays = pair if first_goes else reversed(pair)
    goes.destroy()
    stays.expect_no_changes()
    name = goes.settings["function"]["name"]
    assert {each for each in before - ready.grants() if name not in each} == set()
    stays.destroy()
    if platform:
        platform.change(functions=None).apply()
    assert ready.left() == {SOURCES[PROJECT]}


def test_two_environments_in_one_project_are_deployed_side_by_side(ready: World) -> None:
    default = ready.function("alert").apply()
    other = Stack(default.client, default.folder, default.settings, "dev")
    other.change(function={"name": "fn-dev"})
    other.run("workspace", "new", "dev")
    other.apply().expect_no_changes()
    default.expect_no_changes().destroy()
    other.expect_no_changes().destroy()
    assert ready.left() == {SOURCES[PROJECT]}
    assert ready.stand_in.refused() == []
