"""A repository's later life: baked again, updated, compared, and nothing of its owner is lost."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake, cli
from tests.support.files import FILES_OF_KIND, FILES_OF_PLATFORM
from tests.support.gcloud import calls
from tests.support.life import SLUG, Life
from tests.support.repositories import commit, git
from tests.support.template import CHOICES, KINDS, KINDS_FIRST_FAST, PRODUCT

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
        # What several kinds share is the template's here, too.
        other = FILES_OF_KIND[kind] - product.files().keys()
        own |= dict.fromkeys(other, b'{"of": "the user"}\n')
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
    assert fresh.keys() - lived_in.keys() == FILES_OF_KIND[kind] - FILES_OF_KIND[SLUG]

    baked_by(tmp_path, "-f", f"function_kind={kind}", *WITHOUT_EXTRAS)
    assert product.files() == {**lived_in, **fresh}
