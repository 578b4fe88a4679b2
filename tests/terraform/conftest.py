"""Stand-ins of Google Cloud to which the stacks are applied with the real providers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from terraform_replay.clients import Client
from tests.support.applies import World, initialised, new_cloud, shared_platform, world
from tests.support.baking import Baked


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all the workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(pytestconfig, "workeroutput") else base


@pytest.fixture(scope="session")
def applied_product(real_client: Client, shared: Path) -> Baked:
    return initialised(real_client, shared / "applied-product")


@pytest.fixture
def fresh(real_client: Client, applied_product: Baked, tmp_path: Path) -> Iterator[World]:
    """An organisation in which nothing was applied yet."""
    folder = tmp_path / "stacks"
    folder.mkdir()
    with world(new_cloud(), applied_product, real_client, folder) as opened:
        yield opened


@pytest.fixture
def ready(
    real_client: Client, applied_product: Baked, shared: Path, tmp_path: Path
) -> Iterator[World]:
    """The same with the default platform."""
    platform = shared_platform(real_client, applied_product, shared / "applied-platform")
    folder = tmp_path / "stacks"
    folder.mkdir()
    cloud = new_cloud()
    cloud.restore(platform["cloud"])
    with world(cloud, applied_product, real_client, folder) as opened:
        opened.handed = platform["platform"]
        opened.applied = Path(platform["folder"])
        yield opened
