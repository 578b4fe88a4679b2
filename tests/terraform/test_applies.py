"""Apply, change and destroy with the real providers; Google's APIs are the stand-in.

What no mock shows: the order in which services need each other, what a second plan finds, what is
left. Without the real providers these tests are skipped, and the report's last line says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terraform_replay.clients import Client
from tests.support.applies import (
    BUCKET,
    KEY,
    NUMBERS,
    OTHER_PROJECT,
    OTHER_TOPIC,
    PROJECT,
    REGION,
    TOPIC,
    Stack,
    World,
    initialised,
    new_cloud,
    shared_platform,
    world,
)
from tests.support.baking import Baked

pytestmark = pytest.mark.slow
Settings = dict[str, Any]

# What `make destroy` says that it leaves.
SWITCH = f"artifactregistry/projects/{PROJECT}/locations/{REGION}/vpcscConfig"
SOURCES = {
    project: f"storage/b/gcf-v2-sources-{number}-{REGION}" for project, number in NUMBERS.items()
}

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


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all the workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(pytestconfig, "workeroutput") else base


@pytest.fixture(scope="session")
def client(terraforms: dict[str, Client]) -> Client:
    found = terraforms["terraform"]
    if found.providers != "real":
        pytest.skip("Terraform cannot get the real providers: nothing was applied")
    return found


@pytest.fixture(scope="session")
def product(client: Client, shared: Path) -> Baked:
    return initialised(client, shared / "applied-product")


@pytest.fixture
def fresh(client: Client, product: Baked, tmp_path: Path) -> Iterator[World]:
    """An organisation in which nothing was applied yet."""
    folder = tmp_path / "stacks"
    folder.mkdir()
    with world(new_cloud(), product, client, folder) as opened:
        yield opened


@pytest.fixture
def ready(client: Client, product: Baked, shared: Path, tmp_path: Path) -> Iterator[World]:
    """The same with the default platform."""
    platform = shared_platform(client, product, shared / "applied-platform")
    folder = tmp_path / "stacks"
    folder.mkdir()
    cloud = new_cloud()
    cloud.restore(platform["cloud"])
    with world(cloud, product, client, folder) as opened:
        opened.handed = platform["platform"]
        opened.applied = Path(platform["folder"])
        yield opened


# --- platforms ---


def test_a_platform_is_applied_changed_and_destroyed(fresh: World) -> None:
    platform = fresh.platform().apply().expect_no_changes()
    deployers = ["user:taro@example.com", "user:hanako@example.com"]
    platform.change(perimeter={"deployers": deployers}).apply().expect_no_changes()
    platform.destroy()
    assert fresh.left() == {SWITCH}
    assert fresh.stand_in.refused() == []


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
    platform.change(functions=None).apply().expect_no_changes()
    assert ready.left() == {SOURCES[function.settings["project_id"]]}
    assert ready.stand_in.refused() == []
