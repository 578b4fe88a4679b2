"""Bake products, by the engine or by the real command."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from unittest import mock

from cookiecutter.main import cookiecutter
from jinja2 import Environment

from tests.support.template import TEMPLATE


@dataclass(frozen=True)
class Baked:
    """A generated repository."""

    path: Path

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        """Return the repository's files by their path in it, in order.

        What the answers rule out is left out: the hook removes it, and Git ignores it.
        """
        found = sorted(path for path in self.path.rglob("*") if path.is_file())
        names = {path.relative_to(self.path).as_posix(): path for path in found}
        return {name: path.read_bytes() for name, path in names.items() if ".unused-" not in name}

    def run(self, *command: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.path, capture_output=True, text=True, check=False, timeout=timeout
        )


COMPILE = Environment.compile
COMPILED: dict[tuple[object, ...], CodeType] = {}


def compile_once(environment: Environment, *arguments: str | None) -> CodeType:
    """Compile each text of the template once: that takes most of a bake's time."""
    key = (environment.lexer, *sorted(environment.extensions), *arguments)
    if key not in COMPILED:
        COMPILED[key] = COMPILE(environment, *arguments)  # type: ignore[call-overload]
    return COMPILED[key]


def compiling_once() -> contextlib.AbstractContextManager[object]:
    return mock.patch.object(Environment, "compile", compile_once)


def bake(folder: Path, **answers: str | bool) -> Baked:
    """Bake with the engine itself, in this process and without hooks; any failure raises."""
    return bake_from(TEMPLATE, folder, **answers)


def bake_from(template: Path, folder: Path, **answers: str | bool) -> Baked:
    """The same from a template that lies elsewhere."""
    with compiling_once():
        made = cookiecutter(
            str(template),
            no_input=True,
            extra_context=answers,
            output_dir=str(folder),
            accept_hooks=False,
            default_config=True,
        )
    return Baked(Path(made))


def cli(
    folder: Path,
    *arguments: str | bytes,
    template: str | Path = TEMPLATE,
    typed: str | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the real cookiecutter command in `folder`/out from an empty environment.

    Without `typed`, what a person types at the prompts, no question is asked. Without a PATH there
    is no Git, so whether the hook writes .cruft.json does not depend on this checkout.
    """
    out = folder / "out"
    out.mkdir(exist_ok=True)
    mode = ["--no-input"] if typed is None else []
    command = [sys.executable, "-m", "cookiecutter", *mode, "--output-dir", str(out), str(template)]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=bare_environment(folder, **{"PATH": str(folder / "tmp"), **environment}),
        input=typed,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=300,
    )


def bare_environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment with nothing of the developer's in it: `folder` is home and, below, TMPDIR."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    if os.name == "nt":  # its names for the same, and where it finds its own libraries
        more |= {"USERPROFILE": str(folder), "TEMP": str(temporary), "TMP": str(temporary)}
        more |= {"SYSTEMROOT": os.environ["SYSTEMROOT"]}
    return {
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }
