"""A stand-in of Google Cloud for the tests that ask for it, and a person who is signed in to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloud_stand_in.server import StandIn, serve
from tests.support.gcloud import record_gcloud, signed_in_environment
from tests.support.healthy_cloud import HealthyCloud


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with serve(HealthyCloud(), tmp_path_factory.mktemp("stand-in")) as started:
        yield started


@pytest.fixture
def stand_in(running: StandIn, cloud: HealthyCloud) -> StandIn:
    running.reset(cloud)
    return running


@pytest.fixture
def cloud() -> HealthyCloud:
    return HealthyCloud()


@pytest.fixture(scope="session")
def signed_in(running: StandIn, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person whom gcloud knows and who is behind the stand-in."""
    return signed_in_environment(running, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def recorded(signed_in: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a gcloud that prints what the real one has just said, a second sooner."""
    return record_gcloud(signed_in, tmp_path_factory.mktemp("recorded"))
