"""A repository that cruft made, and the life it has with its template."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.baking import Baked, bare_environment
from tests.support.gcloud import ALLOWED, fake_gcloud
from tests.support.machine import need
from tests.support.repositories import commit, git

SLUG = "alert-to-snmp"


class Life:
    """A repository that cruft made from a template of its own; gcloud's calls are noted.

    It lies outside TMPDIR, as a user's does. `checkout` is the template's version.
    """

    def __init__(
        self, folder: Path, template: Path, checkout: str | None = None, **answers: str
    ) -> None:
        self.folder, self.template = folder, template
        programs = Path(fake_gcloud(folder, ALLOWED))
        (programs / "git").symlink_to(need(shutil.which("git"), "git"))
        self.environment = bare_environment(folder, PATH=str(programs))
        work = folder / "work"
        work.mkdir()
        options = ["--no-input", "--output-dir", str(work), "--extra-context", json.dumps(answers)]
        options += ["--checkout", checkout] if checkout else []
        created = self.cruft("create", *options, str(template), cwd=work)
        assert created.returncode == 0, created.stderr
        self.product = Baked(work / SLUG)
        git(self.product.path, "init", "--quiet", "--initial-branch=main")
        commit(self.product.path)

    def cruft(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "cruft", *arguments, cwd=cwd)

    def python(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or self.product.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=300,
        )

    def update(self, *options: str) -> None:
        updated = self.cruft("update", "--skip-apply-ask", *options)
        assert updated.returncode == 0, updated.stdout + updated.stderr
        assert "has been updated" in updated.stdout, updated.stdout + updated.stderr
        assert not list(self.product.path.rglob("*.rej"))

    def write(self, files: dict[str, str]) -> None:
        """Write files of the user's and commit those that Git does not ignore."""
        for name, text in files.items():
            (self.product.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.product.path / name).write_text(text, encoding="utf-8", newline="\n")
        commit(self.product.path)

    def renew(self, name: str, old: str, new: str) -> None:
        """Write another text into a file of the template and commit it."""
        path = self.template / name
        before = path.read_text(encoding="utf-8")
        after = before.replace(old, new, 1)
        assert after != before
        path.write_text(after, encoding="utf-8", newline="\n")
        commit(self.template)
