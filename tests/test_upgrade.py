"""A repository's later life: baked again, updated, compared, and nothing of its owner is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .conftest import (
    CHOICES,
    KINDS,
    KINDS_FIRST_FAST,
    PRODUCT,
    Baked,
    bake,
    bare_environment,
    cli,
    commit,
    git,
    need,
)
from .test_hooks import ALLOWED, calls, fake_gcloud
from .test_layout import FILES_OF_KIND, FILES_OF_PLATFORM

SLUG = "alert-to-snmp"
LEFT_ALONE = "this is a temporary directory"


def files_with_modes(product: Baked) -> dict[str, tuple[bytes, int]]:
    modes = {name: (product.path / name).stat().st_mode for name in product.files()}
    return {name: (content, modes[name]) for name, content in product.files().items()}


def baked_by(folder: Path, *arguments: str, **environment: str) -> Baked:
    """The project in `folder`/out, which the real command has just made or written again."""
    folder.mkdir(exist_ok=True)
    done = cli(folder, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return Baked(folder / "out" / SLUG)


# --- the same answers ---


@pytest.mark.parametrize("kind", KINDS_FIRST_FAST)
def test_the_same_answers_bake_the_same_bytes_with_and_without_hooks(
    kind: str, tmp_path: Path
) -> None:
    answer = f"function_kind={kind}"
    one = baked_by(tmp_path / "one", answer, PYTHONHASHSEED="1")
    two = baked_by(tmp_path / "two", answer, PYTHONHASHSEED="2")
    plain = baked_by(tmp_path / "plain", "--accept-hooks", "no", answer)
    assert files_with_modes(one) == files_with_modes(two) == files_with_modes(plain)


def test_another_answer_bakes_other_bytes(tmp_path: Path) -> None:
    one = baked_by(tmp_path / "one", "region=us-east1")
    two = baked_by(tmp_path / "two", "region=us-east4")
    assert files_with_modes(one) != files_with_modes(two)


# --- cruft ---


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


@pytest.mark.slow
def test_an_update_brings_the_news_and_keeps_what_belongs_to_the_user(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository)
    own = {
        "function/main.py": "# all my own\n",
        "README.md": "# Ours\n",
        "events/incident-open.json": '{"ours": true}\n',
        "function/helpers.py": "# beside it\n",
        "terraform/function/terraform.tfstate": '{"serial": 7}\n',
    }
    life.write(own)
    assert life.cruft("check").returncode == 0

    life.renew(f"{PRODUCT.name}/.gitignore", ".venv/\n", ".venv/\nnews/\n")
    life.renew(f"templates/{SLUG}/function/main.py", '"""', '"""News: ')
    assert life.cruft("check").returncode == 1
    assert "news/" not in life.product.read(".gitignore")

    life.update()
    assert "news/" in life.product.read(".gitignore").splitlines()
    for name, text in own.items():
        assert life.product.read(name) == text
    assert life.cruft("check").returncode == 0
    compared = life.cruft("diff", "--exit-code")
    assert compared.returncode == 0, compared.stdout
    assert "diff --git" not in compared.stdout


@pytest.mark.slow
def test_an_update_joins_the_users_edit_of_a_file_with_the_templates(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository)
    makefile = life.product.read("Makefile")
    ours = "\nannounce: ## ours\n\techo announce\n"
    life.write({"Makefile": makefile + ours})
    compared = life.cruft("diff", "--exit-code")
    assert compared.returncode == 1
    assert "echo announce" in compared.stdout

    life.renew(f"{PRODUCT.name}/Makefile", "PORT ?= 8080", "PORT ?= 8181")
    life.update()
    assert life.product.read("Makefile") == makefile.replace("8080", "8181", 1) + ours


@pytest.mark.slow
def test_only_the_first_generation_calls_gcloud(tmp_path: Path, template_repository: Path) -> None:
    life = Life(tmp_path, template_repository, gcp_project_id="a-project")
    first = ["artifacts vpcsc-config allow --project=a-project --location=asia-northeast1"]
    assert calls(tmp_path) == first

    life.renew(f"{PRODUCT.name}/.gitignore", ".venv/\n", ".venv/\nnews/\n")
    checked = life.cruft("check")
    compared = life.cruft("diff")
    updated = life.cruft("update", "--skip-apply-ask")
    assert (checked.returncode, compared.returncode, updated.returncode) == (1, 0, 0)
    # The hook did run, once for a comparison and twice for an update, and left the cloud alone.
    assert compared.stdout.count(LEFT_ALONE) == 1
    assert updated.stdout.count(LEFT_ALONE) == 2
    assert "news/" in life.product.read(".gitignore")
    assert calls(tmp_path) == first

    # From where cruft generates, too, gcloud would have been found.
    life.environment["CLOSED_FUNCTION_ALLOW"] = "1"
    assert life.cruft("diff").returncode == 0
    assert calls(tmp_path) == first * 2


@pytest.mark.slow
def test_japanese_and_emoji_survive_generation_and_update(
    tmp_path: Path, template_repository: Path
) -> None:
    name, description = "障害通知 🚨 ガ㍿", "アラートを SNMP へ送る 🚀👩‍💻。"
    life = Life(
        tmp_path,
        template_repository,
        project_name=name,
        description=description,
        project_slug=SLUG,
    )

    def assert_intact() -> None:
        context = json.loads(life.product.read(".cruft.json"))["context"]["cookiecutter"]
        assert (context["project_name"], context["description"]) == (name, description)
        assert life.product.read("README.md").startswith(f"# {name}\n\n{description}\n")
        project = tomllib.loads(life.product.read("pyproject.toml"))["project"]
        assert project["description"] == description

    assert_intact()
    # The news stand right beside the Japanese text.
    marker = 'version = "0.1.0"'
    life.renew(f"{PRODUCT.name}/pyproject.toml", marker, 'version = "0.2.0"')
    life.update()
    assert 'version = "0.2.0"' in life.product.read("pyproject.toml")
    assert_intact()
    assert life.cruft("check").returncode == 0
    assert life.cruft("diff", "--exit-code").returncode == 0


def absent(names: list[str], product: Baked) -> list[str]:
    return [name for name in names if not (product.path / name).exists()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("platform", CHOICES["platform"])
def test_every_path_that_updates_leave_alone_exists(
    kind: str, platform: str, tmp_path: Path
) -> None:
    product = bake(tmp_path, function_kind=kind, platform=platform)
    skipped = tomllib.loads(product.read("pyproject.toml"))["tool"]["cruft"]["skip"]
    assert "function/main.py" in skipped
    assert absent(skipped, product) == []
    assert absent([*skipped, "function/mian.py"], product) == ["function/mian.py"]


# --- baking over a repository that is in use ---

WITHOUT_EXTRAS = ("ci=none", "platform=reuse")
OWN_FILES = {
    ".cruft.json": b"{}\n",
    ".github/workflows/ci.yml": b"on: push\n",
    "cloudbuild.yaml": b"steps: []\n",
    "function/helpers.py": b"HELP = True\n",
    "terraform/function/.terraform/modules/modules.json": b"{}",
    "terraform/function/terraform.tfstate": b'{"serial": 7}',
    "terraform/function/terraform.tfvars": b"region = 1\n",
    "terraform/platform/main.tf": b"# ours\n",
    "terraform/platform/terraform.tfstate": b"\x00\xff no text",
}


def live_in(product: Baked, ruled_out_kinds: list[str]) -> dict[str, bytes]:
    """Give `product` files of its owner's everywhere; return them by path."""
    own = OWN_FILES | dict.fromkeys(FILES_OF_PLATFORM, b"# of a platform that is not ours\n")
    for kind in ruled_out_kinds:
        own |= dict.fromkeys(FILES_OF_KIND[kind], b'{"of": "the user"}\n')
    folders = {Path(name).parent for name in product.files()}
    own |= {(folder / "own file.txt").as_posix(): b"no newline" for folder in folders}
    assert own.keys().isdisjoint(product.files())
    for name, content in own.items():
        path = product.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    git(product.path, "init", "--quiet")
    commit(product.path)
    return own


@pytest.mark.parametrize("kind", KINDS_FIRST_FAST)
def test_baking_again_renews_the_templates_files_and_no_other(kind: str, tmp_path: Path) -> None:
    answers = (f"function_kind={kind}", *WITHOUT_EXTRAS)
    product = baked_by(tmp_path, *answers)
    fresh = product.files()
    own = live_in(product, [other for other in KINDS if other != kind])
    for name in fresh:
        (product.path / name).write_bytes(b"edited\n")
    lived_in = product.files()
    assert own.items() <= lived_in.items()
    assert ".git/HEAD" in lived_in

    (product.path / "an empty folder").mkdir()
    refused = cli(tmp_path, *answers)
    assert refused.returncode != 0
    assert "already exists" in refused.stdout
    assert product.files() == lived_in

    baked_by(tmp_path, "-f", *answers)
    assert product.files() == {**lived_in, **fresh}
    assert (product.path / "an empty folder").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != SLUG])
def test_baking_another_kind_over_it_loses_no_file(kind: str, tmp_path: Path) -> None:
    product = baked_by(tmp_path, *WITHOUT_EXTRAS)
    fresh = bake(tmp_path / "fresh", function_kind=kind, ci="none", platform="reuse").files()
    own = live_in(product, [other for other in KINDS if other not in (SLUG, kind)])
    assert own.keys().isdisjoint(fresh)
    lived_in = product.files()
    assert fresh.keys() - lived_in.keys() == FILES_OF_KIND[kind]

    baked_by(tmp_path, "-f", f"function_kind={kind}", *WITHOUT_EXTRAS)
    assert product.files() == {**lived_in, **fresh}
