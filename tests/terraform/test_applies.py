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
    NUMBERS,
    PROJECT,
    REGION,
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
SOURCES = f"storage/b/gcf-v2-sources-{NUMBERS[PROJECT]}-{REGION}"

KINDS = ("alert", "http", "pubsub", "storage")


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
        yield opened


def test_a_platform_is_applied_changed_and_destroyed(fresh: World) -> None:
    platform = fresh.platform().apply().expect_no_changes()
    deployers = ["user:taro@example.com", "user:hanako@example.com"]
    platform.change(perimeter={"deployers": deployers}).apply().expect_no_changes()
    platform.destroy()
    assert fresh.left() == {SWITCH}
    assert fresh.stand_in.refused() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_is_applied_changed_and_destroyed(kind: str, ready: World) -> None:
    function = ready.function(kind).apply().expect_no_changes()
    function.change(function={"description": "changed", "timeout_seconds": 300}).apply()
    function.expect_no_changes().destroy()
    assert ready.left() == {SOURCES}
    assert ready.stand_in.refused() == []
