"""Find the Python interpreters of this machine by version.

By their names alone: asking every Python that is installed for its version, as the libraries do,
takes seconds.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine; `version` is its major and minor number, such as "3.13"."""

    path: Path
    version: str

    @property
    def folder(self) -> Path:
        """Where its programs are; not those of a virtual environment that was made with it."""
        return self.path.resolve().parent

    def is_the_runtime(self, runtime: str) -> bool:
        """Whether wheels for this interpreter are the runtime's: same version, Linux on x86_64."""
        here = (platform.system(), platform.machine())
        return self.version == runtime and here == ("Linux", "x86_64")


THIS = Interpreter(Path(sys.executable), f"{sys.version_info.major}.{sys.version_info.minor}")

# The executable, because a name on PATH may be a script that chooses one by the environment.
PRINT_VERSION = "import sys, venv; print('%d.%d' % sys.version_info[:2], sys.executable)"


def find_interpreter(version: str) -> Interpreter | None:
    """A working Python `version`, such as "3.13", or None: this one, on PATH, or of pyenv."""
    if version == THIS.version:
        return THIS
    for path in candidates(version):
        command = [str(path), "-c", PRINT_VERSION]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        found, _, executable = asked.stdout.strip().partition(" ")
        if found == version:
            return Interpreter(Path(executable), version)
    return None


def candidates(version: str) -> Iterator[Path]:
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
