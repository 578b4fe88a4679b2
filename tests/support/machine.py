"""Which real clients and interpreters this machine has."""

from __future__ import annotations

import os

import pytest

from closed_network.interpreters import find_interpreter
from tests.support.template import CHOICES, TEMPLATE

IN_CI = os.environ.get("CI") == "true"
# The interpreters of this machine for the versions that the template offers.
PYTHONS = {
    version: str(found.path)
    for version in sorted(CHOICES["python_version"])
    if (found := find_interpreter(version))
}
# The programs of the products' `make lint`, `audit` and `upgrade`, in the template's environment.
TOOLS = TEMPLATE / ".venv-tools" / "bin"


def need(path: str | None, name: str) -> str:
    """The path of a real client; without it the test does not run here, and in CI it fails."""
    if path:
        return path
    why = f"{name} is not installed: this check did not run"
    if IN_CI:
        pytest.fail(why)
    pytest.skip(why)
