"""Run the commands of products, in virtual environments that those with the same locks share."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from closed_function.pip_settings import uv_environment
from tests.support.baking import Baked
from tests.support.machine import PYTHONS, TOOLS, need
from tests.support.template import PRODUCT

PYTHON = next(iter(PYTHONS.values()), sys.executable)
LOCKS = ("function/requirements.txt", "tests/requirements.txt")
TOOLS_LOCK = "tools/requirements.txt"
# Nothing but passed tests: no failure, and left out is only what `assert_all_passed` looks at.
ALL_PASSED = re.compile(
    r"=+ (?P<passed>[1-9]\d*) passed(?:, (?P<skipped>\d+) skipped)?"
    r"(?:, \d+ deselected)?(?:, \d+ warnings?)? in .* =+"
)
# What `make` gives to pytest besides its own arguments.
COVERED = "PYTEST_ADDOPTS=--cov-fail-under=95"


def make(
    product: Baked, *arguments: str, python: str = PYTHON, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*make_command(python), *arguments],
        cwd=product.path,
        env=make_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=timeout,
    )


def make_command(python: str) -> list[str]:
    return [need(shutil.which("make"), "make"), f"PYTHON={python}"]


def make_environment() -> dict[str, str]:
    """This process's environment, for pip's sake, without what steers make, Python and pytest."""
    steering = ("MAKE", "MFLAGS", "PYTHON", "PYTEST_", "VIRTUAL_ENV", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, "NO_COLOR": "1"}


def assert_done(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


def assert_all_passed(done: subprocess.CompletedProcess[str]) -> None:
    """Left out is at most what needs a program that this machine has not; in CI that fails."""
    assert_done(done)
    lines = done.stdout.splitlines()
    summary = ALL_PASSED.fullmatch(lines[-1])
    assert summary, lines[-1]
    reasons = [line for line in lines if line.startswith("SKIPPED [")]
    assert all(line.endswith("is not installed: this check did not run") for line in reasons)
    assert bool(reasons) == bool(summary["skipped"])


# --- virtual environments, made by the products themselves and used by all with the same locks ---


@contextlib.contextmanager
def alone(file: Path) -> Iterator[None]:
    """Let one process of this run in at a time."""
    with file.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Environments:
    folder: Path

    def give(self, product: Baked, python: str = PYTHON) -> Baked:
        """Link the environment that a product with the same locks has with `python`.

        Products make those of the first Python themselves. uv makes the others from the same
        locks, in a tenth of the time.
        """
        content = "".join(product.read(name) for name in LOCKS)
        digest = hashlib.sha256((python + content).encode()).hexdigest()[:16]
        maker = Baked(self.folder / digest)
        with alone(self.folder.with_name(f"{digest}.lock")):
            if not (maker.path / ".venv/ready").exists():
                shutil.rmtree(maker.path, ignore_errors=True)
                shutil.copytree(product.path, maker.path)
                if python == PYTHON:
                    assert_done(make(maker, ".venv/ready", python=python))
                else:
                    self.install(maker, python)
        (product.path / ".venv").symlink_to(maker.path / ".venv")
        # The tools are the template's own, from the same lock.
        assert product.read(TOOLS_LOCK) == (PRODUCT / TOOLS_LOCK).read_text(encoding="utf-8")
        (product.path / ".venv-tools").symlink_to(TOOLS.parent)
        self.hold(product)
        return product

    def install(self, maker: Baked, python: str) -> None:
        """Install what the product's Makefile does, from the same index, and check its hashes."""
        environment = {**uv_environment(), "UV_CACHE_DIR": str(self.folder / "uv")}
        uv = [sys.executable, "-m", "uv", "--quiet"]
        locks = [maker.path / name for name in LOCKS]
        for lock in locks:
            lines = lock.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = (line for line in lines if not line.startswith("--index-url"))
            lock.write_text("".join(kept), encoding="utf-8")
        install = [*uv, "pip", "install", "--python", ".venv", "--require-hashes", "--no-deps"]
        for command in (
            [*uv, "venv", "--seed", "--python", python, ".venv"],
            *([*install, "--requirement", str(lock)] for lock in locks),
        ):
            done = subprocess.run(
                command,
                cwd=maker.path,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )
            assert_done(done)
        (maker.path / ".venv/ready").touch()

    def hold(self, product: Baked) -> None:
        """Make the locks look older than the environments, or make would make these anew."""
        for name in (*LOCKS, TOOLS_LOCK):
            os.utime(product.path / name, (1, 1))


@contextlib.contextmanager
def shared_environments(base: Path) -> Iterator[Environments]:
    """What the workers of this run share, each with its `base`; the last to leave removes it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    folder = (base.parent if worker else base) / "environments"
    user = folder / f"used by {worker}"
    lock = folder.with_name("environments.lock")
    with alone(lock):
        folder.mkdir(exist_ok=True)
        user.touch()
    yield Environments(folder)
    with alone(lock):
        user.unlink()
        if not list(folder.glob("used by *")):
            shutil.rmtree(folder)
