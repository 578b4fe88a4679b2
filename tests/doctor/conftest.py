"""A stand-in of Google Cloud for the tests that ask for it, and a person who is signed in to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.google_stand_in import (
    GoogleCloud,
    Server,
    record_gcloud,
    serve,
    signed_in_environment,
)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("stand-in")) as running:
        yield running


@pytest.fixture
def cloud(stand_in: Server) -> GoogleCloud:
    stand_in.cloud = GoogleCloud()
    return stand_in.cloud


@pytest.fixture(scope="module")
def signed_in(stand_in: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person whom gcloud knows and who is behind the stand-in."""
    return signed_in_environment(stand_in, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def recorded(signed_in: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a gcloud that prints what the real one has just said, a second sooner."""
    return record_gcloud(signed_in, tmp_path_factory.mktemp("recorded"))
