"""Git, as a user calls it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    git(folder, *identity, "commit", "--quiet", "--message", "State")
