"""Terraform and OpenTofu, each started from an empty environment, and the providers they get."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from closed_network.processes import end_gently
from closed_network.terraform import first_error

from .schemas import VERSIONS

# How long a machine may take to fetch the real providers.
PATIENCE = 60


class ProvidersError(Exception):
    """The real providers cannot be had; the text says why."""


@dataclass(frozen=True)
class Client:
    """Terraform or OpenTofu with a home of its own; `environment` is all that it gets besides."""

    program: str
    home: Path
    environment: Mapping[str, str]
    providers: Literal["real", "replay"]

    def variables(self) -> dict[str, str]:
        """The environment in which the program runs."""
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            "HOME": str(self.home),
            "TMPDIR": str(temporary),
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            **self.environment,
        }

    def run(
        self, folder: Path, *arguments: str, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run the program in `folder`; after `timeout` seconds it is ended: TimeoutExpired."""
        return run([self.program, *arguments], folder, self.variables(), timeout)

    def version(self) -> str:
        """Its name and version, such as `Terraform 1.11.4`."""
        printed = self.run(self.home, "version").stdout
        found = re.match(r"(\w+) v(\S+)", printed)
        if not found:
            raise ValueError(f"{self.program} is neither Terraform nor OpenTofu: {printed}")
        return " ".join(found.groups())

    def description(self) -> str:
        """What it is and what its verdicts rest on, for the end of a report."""
        versions = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
        if self.providers == "real":
            return f"{self.version()}: real providers ({versions})"
        return (
            f"{self.version()}: providers replayed from recorded schemas ({versions}), "
            "nothing applied with real ones"
        )


def run(
    command: list[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `command` for at most `timeout` seconds and leave no process of it behind."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with process:
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            end_gently(process, patience=1)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def find_programs() -> dict[str, str]:
    """The paths of `terraform` and `tofu`, of those that this machine has."""
    found = {
        "terraform": shutil.which("terraform"),
        "tofu": shutil.which(os.environ.get("TOFU", "tofu")),
    }
    return {name: path for name, path in found.items() if path}


def required_providers() -> str:
    """A configuration that needs every provider in the version that was recorded."""
    lines = [
        f'    {name} = {{ source = "hashicorp/{name}", version = "{version}" }}\n'
        for name, version in VERSIONS.items()
    ]
    return f"terraform {{\n  required_providers {{\n{''.join(lines)}  }}\n}}\n"


def users_environment() -> dict[str, str]:
    """The user's own environment, without settings that would change what a command does."""
    kept = {"TF_CLI_CONFIG_FILE", "TF_REGISTRY_CLIENT_TIMEOUT", "TF_REGISTRY_DISCOVERY_RETRY"}
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TF_") or name in kept
    }


def fetch_providers(program: str, mirror: Path) -> None:
    """Fetch the real providers into `mirror`, as the user's own configuration says.

    Raises ProvidersError with the program's words.
    """
    environment = users_environment() | {"TF_PLUGIN_CACHE_DIR": str(mirror)}
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "main.tf").write_text(required_providers(), encoding="utf-8")
        command = [program, "init", "-input=false", "-no-color"]
        try:
            done = run(command, Path(scratch), environment, PATIENCE)
        except subprocess.TimeoutExpired:
            raise ProvidersError(f"not fetched within {PATIENCE} s") from None
    if done.returncode != 0:
        raise ProvidersError(first_error(done.stderr))


def real_environment(program: str, folder: Path) -> dict[str, str]:
    """The environment in which `program` finds the real providers, fetched into `folder`.

    They are fetched once, whatever number of processes asks for them at the same time; after that
    no network is needed. Raises ProvidersError.
    """
    import fcntl  # Windows has none, and the tests that run there need no providers

    mirror, configuration, failure = (folder / name for name in ("mirror", "cli.tfrc", "failure"))
    mirror.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if failure.exists():
            raise ProvidersError(failure.read_text(encoding="utf-8"))
        if not configuration.exists():
            try:
                fetch_providers(program, mirror)
            except ProvidersError as error:
                failure.write_text(str(error), encoding="utf-8")
                raise
            # A plugin cache is laid out like a mirror.
            text = f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n'
            configuration.write_text(text, encoding="utf-8")
    return {"TF_CLI_CONFIG_FILE": str(configuration)}


def client(program: str, home: Path, fetched: Path, replayed: Mapping[str, str]) -> Client:
    """`program` with the real providers if they can be fetched, else with the replayed ones."""
    chosen = Client(program, home, replayed, "replay")
    try:
        return replace(chosen, environment=real_environment(program, fetched), providers="real")
    except ProvidersError:
        return chosen
