"""A repository of an older version is brought to this one, or given other answers, and is whole."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import symtable
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake
from tests.support.doctor import FOUND, HEALTHY, doctor
from tests.support.gcloud import calls
from tests.support.life import SLUG, Life
from tests.support.machine import IN_CI
from tests.support.repositories import commit, git
from tests.support.template import KINDS, PRODUCT, QUESTIONS, TEMPLATE

# The version before the first that has a number, in the template's history.
FIRST = "fb33d73737850d7df9fb007ae424e2719342277e"
# The last version in which each file, and not its folder, carried a condition in its name, and the
# tool was a folder of programs, tools/*.py.
FLAT = "4c0f57a86e7bc62db40f8677c9ab3e175b6fc43e"
OLD, NEW = "2026.10.0", "2026.11.0"

HAND_OVER = "terraform/function/platform.auto.tfvars.json"
SETTINGS = "terraform/function/settings.auto.tfvars.json"
PLATFORM_SETTINGS = "terraform/platform/settings.auto.tfvars.json"
DONE, LEFT_TO_MERGE, USAGE, FAILED = 0, 1, 2, 3


@pytest.fixture
def releases(request: pytest.FixtureRequest, template_repository: Path) -> Path:
    """The template with two versions: OLD, a commit of its history, and NEW, as it is here."""
    return with_releases(template_repository, request.param)


def with_releases(template_repository: Path, old: str) -> Path:
    """Give the template's repository two versions: OLD, which is the commit `old`, and NEW."""
    fetch = ["git", "fetch", "--quiet", str(TEMPLATE), f"{old}:refs/tags/{OLD}"]
    fetched = subprocess.run(fetch, cwd=template_repository, capture_output=True, check=False)
    if fetched.returncode != 0:
        why = f"the template's history does not go back to {old}: this check did not run"
        if IN_CI:
            pytest.fail(why)
        pytest.skip(why)
    git(template_repository, "reset", "--quiet", "--soft", OLD)
    commit(template_repository)
    git(template_repository, "tag", NEW)
    return template_repository


def upgrade(life: Life, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `make upgrade` does."""
    return life.python("-m", "closed_function", "upgrade", *arguments)


def answers(life: Life) -> dict[str, str]:
    context: dict[str, str] = json.loads(life.product.read(".cruft.json"))["context"][
        "cookiecutter"
    ]
    return context


def own_test(life: Life) -> subprocess.CompletedProcess[str]:
    """The repository's own test of what must agree, which needs none of the function's packages."""
    test = "tests/test_repository.py"
    return life.python("-m", "pytest", "--quiet", "-p", "no:cacheprovider", test)


def empty_folders(product: Baked) -> list[str]:
    folders = [path for path in product.path.rglob("*") if path.is_dir()]
    empty = [path.relative_to(product.path) for path in folders if not any(path.iterdir())]
    return [path.as_posix() for path in empty if path.parts[0] != ".git"]


def unmet(product: Baked) -> list[str]:
    """What the repository's Python files take from each other that is not there, as module.name.

    The user's stay as they are, and the template's may have changed below them.
    """
    package = product.path / "closed_function"
    files = {
        file: ".".join(file.relative_to(product.path).with_suffix("").parts)
        for file in package.rglob("*.py")
    }
    for folder in ("function", "tests"):
        files |= {file: file.stem for file in (product.path / folder).glob("*.py")}
    sources = {
        module.removesuffix(".__init__"): file.read_text(encoding="utf-8")
        for file, module in files.items()
    }
    defined = {}
    for module, source in sources.items():
        table = symtable.symtable(source, module, "exec").get_symbols()
        defined[module] = {each.get_name() for each in table if each.is_local()}
    for module in sources:
        parent, _, name = module.rpartition(".")
        defined.get(parent, set()).add(name)
    taken = set()
    for source in sources.values():
        nodes = list(ast.walk(ast.parse(source)))
        imports = [node for node in nodes if isinstance(node, ast.Import)]
        modules = {each.name for node in imports for each in node.names}
        for node in nodes:
            match node:
                case ast.ImportFrom(module=str(module)):
                    taken |= {(module, each.name) for each in node.names}
                case ast.Attribute(value=ast.Name(id=module), attr=name) if module in modules:
                    taken.add((module, name))
    taken = {(module, name) for module, name in taken if not name.startswith("__")}
    missing = [(module, name) for module, name in taken if name not in defined.get(module, {name})]
    return sorted(f"{module}.{name}" for module, name in missing)


# --- from an older version ---

# Words of the user's in files of the template's, each with the line there that they follow.
LAST = ""
USERS_EDITS = {
    ".gitignore": (LAST, "\nours/\n"),
    "Makefile": (LAST, "\nannounce: ## tell the team\n\t@echo announced\n"),
    "pyproject.toml": ('"tests/*" = ["S101"]\n', '"function/main.py" = ["E501"]\n'),
}


def with_edits(files: dict[str, bytes]) -> dict[str, str]:
    """The files of USERS_EDITS as the user has made them out of `files`."""
    edited = {}
    for name, (line, words) in USERS_EDITS.items():
        content = files[name].decode()
        assert line in content
        edited[name] = content.replace(line, line + words, 1) if line else content + words
    return edited


def users_files(product: Baked) -> dict[str, str]:
    """What a user changes and adds in a year."""
    settings = json.loads(product.read(SETTINGS))
    settings["function"]["environment"] = {"SNMP_RECEIVERS": "10.20.0.5:162"}
    package = f"six==1.17.0 \\\n    --hash=sha256:{'0' * 64}\n"
    return {
        "README.md": product.read("README.md") + "\n## On call\n\nRing 119. 当番\n",
        "events/ours.json": '{"ours": true}\n',
        "function/helpers.py": "HELP = True\n",
        "function/main.py": product.read("function/main.py") + "\n# ours\n",
        "function/requirements.in": product.read("function/requirements.in") + "six==1.17.0\n",
        "function/requirements.txt": product.read("function/requirements.txt") + package,
        HAND_OVER: product.read(HAND_OVER).replace("closed-functions", "our-subnetwork"),
        SETTINGS: json.dumps(settings, indent=4),
        "terraform/function/backend.tf": 'terraform {\n  backend "gcs" {}\n}\n',
        "terraform/function/environments/prod.tfvars.json": '{"project_id": "the-prod"}',
        "terraform/function/terraform.tfstate": '{"serial": 7}\n',
        "tests/test_main.py": product.read("tests/test_main.py") + "\n# ours\n",
        "tests/test_ours.py": "def test_ours() -> None:\n    assert True\n",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("releases", "kind"),
    [(FIRST, KINDS[0]), (FIRST, "storage"), (FLAT, KINDS[0])],
    indirect=["releases"],
)
def test_an_older_repository_becomes_this_version_but_for_what_is_the_users(
    kind: str, tmp_path: Path, releases: Path
) -> None:
    answers = {
        "function_kind": kind,
        "gcp_project_id": "a-project",
        "project_name": "障害通知 🚨",
        "project_slug": SLUG,
    }
    life = Life(tmp_path, releases, OLD, **answers)
    was = life.product.files()
    skipped = tomllib.loads(life.product.read("pyproject.toml"))["tool"]["cruft"]["skip"]
    ours = users_files(life.product)
    event = next(name for name in was if name.startswith("events/"))
    ours[event] = '{"edited": true}\n'
    removed = "terraform/.tflint.hcl"
    (life.product.path / removed).unlink()
    life.write(ours | with_edits(was))
    called = calls(tmp_path)

    life.update("--checkout", NEW)

    fresh = bake(tmp_path / "fresh", **answers).files()
    kept = {name for name in was if any(f"{name}/".startswith(f"{path}/") for path in skipped)}
    expected = {name: content for name, content in fresh.items() if name not in kept}
    expected |= {name: was[name] for name in kept}
    expected |= {name: text.encode() for name, text in (ours | with_edits(fresh)).items()}
    del expected[removed]
    updated = life.product.files()
    updated = {name: updated[name] for name in updated if not name.startswith(".git/")}
    state = json.loads(updated.pop(".cruft.json"))
    assert updated.keys() == expected.keys()
    assert {name for name in expected if updated[name] != expected[name]} == set()
    assert empty_folders(life.product) == []
    # The two versions differ, or this would show nothing.
    assert was[".gitignore"] != fresh[".gitignore"] or was["Makefile"] != fresh["Makefile"]

    assert state["commit"] == git(releases, "rev-parse", NEW).strip()
    assert {name: state["context"]["cookiecutter"][name] for name in answers} == answers
    assert life.cruft("check").returncode == 0
    assert life.cruft("check", "--checkout", OLD).returncode == 1
    compared = life.cruft("diff", "--exit-code")
    edited = re.findall(r"(?m)^diff --git upstream-template-old/(\S+) ", compared.stdout)
    assert (compared.returncode, set(edited)) == (1, set(USERS_EDITS))

    assert len(called) == 1  # at the bake
    assert calls(tmp_path) == called
    said = doctor(life.product, "doctor", "--local", "--json")
    assert (said.status, said.problems()) == (HEALTHY, []), said.output
    tested = own_test(life)
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout
    assert unmet(life.product) == []
    log = life.product.path / "function/structured_log.py"
    log.write_text(log.read_text(encoding="utf-8").replace("def log(", "def other("), "utf-8")
    assert "structured_log.log" in unmet(life.product)


# --- other answers ---


def differing(product: Baked, *arguments: str) -> list[str]:
    """What the doctor says of answers that the files do not give; nothing else may be wrong."""
    said = doctor(product, "doctor", "--local", "--json", *arguments)
    problems = [result for result in said.json()["results"] if result["verdict"] == "problem"]
    assert {result["symptom"] for result in problems} <= {"answers-differ"}, said.output
    assert said.status == (FOUND if problems else HEALTHY)
    return [result["seen"] for result in problems]


OTHER = {"region": "us-east1", "python_repository": "ar-other"}


@pytest.mark.slow
def test_answers_that_reach_half_of_the_repository_are_told_until_either_half_is_mended(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository, gcp_project_id="a-project")
    life.environment["CLOSED_FUNCTION_ALLOW"] = "1"  # of a shell that baked another repository
    assert differing(life.product) == []
    was = life.product.files()
    done = upgrade(life, "--answers", json.dumps(OTHER))
    assert done.returncode == DONE, done.stderr
    assert {name: answers(life)[name] for name in OTHER} == OTHER
    commit(life.product.path)

    differences = differing(life.product)
    assert [seen.split()[0] for seen in differences] == list(OTHER)
    assert all(HAND_OVER in seen and PLATFORM_SETTINGS in seen for seen in differences)
    assert doctor(life.product, "doctor", "--local").output.count("Cure: ") == 1
    tested = own_test(life)
    assert tested.returncode == 1
    assert "region is us-east1 in .cruft.json, but asia-northeast1 in" in tested.stdout

    # The files are brought in line.
    for name in (HAND_OVER, PLATFORM_SETTINGS):
        text = life.product.read(name)
        text = text.replace("asia-northeast1", "us-east1").replace("ar-buildpython", "ar-other")
        (life.product.path / name).write_text(text, encoding="utf-8")
    said = doctor(life.product, "doctor", "--local", "--json")
    assert said.problems() == ["hand-over-differs"]  # whose cure is `make lock`
    lock = "from closed_function.commands.lock import index_line; print(index_line(None))"
    first = life.python("-c", lock).stdout.strip()
    locked = life.product.read("function/requirements.txt").partition("\n")[2]
    life.write({"function/requirements.txt": f"{first}\n{locked}"})
    assert differing(life.product) == []
    assert own_test(life).returncode == 0

    # The answers are brought in line, in another copy.
    git(life.product.path, "reset", "--quiet", "--hard", "HEAD~1")
    assert differing(life.product) == differences
    for seen in differences:
        argument = re.search(r"make upgrade ANSWERS='(.+)'", seen)
        assert argument
        mended = upgrade(life, "--answers", argument[1])
        assert mended.returncode == DONE, mended.stderr
        commit(life.product.path)
    assert differing(life.product) == []
    # Untracked files count, also for who does not want to see them.
    git(life.product.path, "config", "status.showUntrackedFiles", "no")
    (life.product.path / "notes.txt").write_text("precious\n", encoding="utf-8")
    refused = upgrade(life)
    assert (refused.returncode, refused.stdout) == (USAGE, "")
    assert "?? notes.txt" in refused.stderr
    (life.product.path / "notes.txt").unlink()
    git(life.product.path, "config", "--unset", "status.showUntrackedFiles")
    now = life.product.files()
    assert {name for name in was if was[name] != now[name] and name[:5] != ".git/"} == {
        ".cruft.json"
    }
    assert len(calls(tmp_path)) == 1  # at the bake


@pytest.mark.slow
def test_another_ci_takes_the_place_of_the_former_but_for_a_file_that_the_user_edited(
    tmp_path: Path, template_repository: Path
) -> None:
    files = {ci: bake(tmp_path / ci, ci=ci).files() for ci in ("github-actions", "cloud-build")}
    of_github, of_cloud_build = (set(each) for each in files.values())
    gone, come = of_github - of_cloud_build, of_cloud_build - of_github
    assert gone
    assert come
    life = Life(tmp_path, template_repository, ci="github-actions")
    assert gone <= set(life.product.files())

    done = upgrade(life, "--answers", '{"ci": "cloud-build"}')
    assert done.returncode == DONE, done.stdout + done.stderr
    now = life.product.files()
    assert set(now) & (gone | come) == come
    assert {name: now[name] for name in come} == {name: files["cloud-build"][name] for name in come}
    assert empty_folders(life.product) == []

    git(life.product.path, "reset", "--quiet", "--hard")
    edited = min(gone)
    text = life.product.read(edited) + "# ours\n"
    life.write({edited: text})
    done = upgrade(life, "--answers", '{"ci": "none"}')
    assert done.returncode == LEFT_TO_MERGE
    assert f"{edited}: was not changed" in done.stdout
    assert life.product.read(edited) == text
    assert set(life.product.files()) & (gone | come) == {edited}


@pytest.mark.slow
def test_a_platform_comes_with_its_answer_and_leaves_the_users_files_when_it_goes(
    tmp_path: Path, template_repository: Path
) -> None:
    folder = "terraform/platform/"

    def platform_files() -> dict[str, bytes]:
        files = life.product.files()
        assert not list(life.product.path.rglob(".unused-*"))
        return {name: files[name] for name in files if name.startswith(folder)}

    life = Life(tmp_path, template_repository, platform="reuse")
    assert platform_files() == {}
    assert not (life.product.path / folder).exists()

    done = upgrade(life, "--answers", '{"platform": "create"}')
    assert done.returncode == DONE, done.stdout + done.stderr
    fresh = bake(tmp_path / "fresh", platform="create").files()
    assert platform_files() == {name: fresh[name] for name in fresh if name.startswith(folder)}
    assert f"{folder}tests/modes.tftest.hcl" in platform_files()

    life.write({f"{folder}backend.tf": 'terraform {\n  backend "gcs" {}\n}\n'})
    done = upgrade(life, "--answers", '{"platform": "reuse"}')
    assert done.returncode == DONE, done.stdout + done.stderr
    kept = {f"{folder}backend.tf", PLATFORM_SETTINGS}  # the settings are the user's, too
    assert set(platform_files()) == kept


@pytest.mark.slow
def test_a_changed_kind_changes_no_file_of_the_users_is_told_and_can_be_taken_back(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository, gcp_project_id="a-project")
    was = life.product.files()
    skipped = tomllib.loads(life.product.read("pyproject.toml"))["tool"]["cruft"]["skip"]
    done = upgrade(life, "--answers", '{"function_kind": "pubsub"}')
    assert done.returncode == DONE, done.stderr
    commit(life.product.path)
    now = life.product.files()
    users = {name for name in was if any(f"{name}/".startswith(f"{path}/") for path in skipped)}
    assert "function/snmp.py" in users
    assert {name for name in users if now.get(name) != was[name]} == set()
    # The new kind's code does not come: it would have to take the place of the user's.
    (seen,) = differing(life.product)
    assert "serves handle_message" in seen
    assert "deploys send_event" in seen

    done = upgrade(life, "--answers", json.dumps({"function_kind": KINDS[0]}))
    assert done.returncode == DONE, done.stderr
    assert differing(life.product) == []
    now = life.product.files()
    changed = {name for name in was if now.get(name) != was[name] and name[:5] != ".git/"}
    assert changed == {".cruft.json"}


# Each answer, another one, and the file that then contradicts it.
EACH_ANSWER = {
    "platform_project_id": ("other-project", HAND_OVER),
    "region": ("us-east1", HAND_OVER),
    "python_repository": ("ar-other", HAND_OVER),
    "gcp_project_id": ("other-project", SETTINGS),
    "python_version": ("3.12", SETTINGS),
    "platform": ("join", PLATFORM_SETTINGS),
    "access_policy_id": ("456", PLATFORM_SETTINGS),
}


@dataclass(frozen=True)
class Noted:
    """A repository for which cruft has noted `answers`."""

    product: Baked
    answers: dict[str, object]

    def differing(self, *arguments: str, **others: str) -> list[str]:
        """What the doctor says when `others` have been noted in place of these."""
        context = {"context": {"cookiecutter": {**self.answers, **others}}}
        (self.product.path / ".cruft.json").write_text(json.dumps(context), encoding="utf-8")
        return differing(self.product, *arguments)


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    given = {"gcp_project_id": "a-project", "python_version": "3.11", "access_policy_id": "123"}
    defaults = {
        name: each[0] if isinstance(each, list) else each for name, each in QUESTIONS.items()
    }
    answers = {**defaults, **given, "platform_project_id": given["gcp_project_id"]}
    return Noted(bake(tmp_path, **given), answers)


@pytest.mark.parametrize("question", EACH_ANSWER)
def test_an_answer_that_the_files_do_not_give_is_one_problem(question: str, noted: Noted) -> None:
    assert noted.differing() == []
    other, file = EACH_ANSWER[question]
    (seen,) = noted.differing(**{question: other})
    assert seen.startswith(f"{question} is {other} in .cruft.json, but ")
    assert f" in {file}" in seen
    (correction,) = re.findall(r"ANSWERS='(.+)'", seen)
    assert json.loads(correction) == {question: noted.answers[question]}


def test_what_is_no_answer_is_not_compared(noted: Noted) -> None:
    assert noted.differing(access_policy_id="") == []  # not known at the bake
    settings = json.loads(noted.product.read(PLATFORM_SETTINGS))
    settings["perimeter"]["mode"] = "none"
    (noted.product.path / PLATFORM_SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    assert noted.differing() == []
    assert len(noted.differing(region="us-east1")) == 1
    (noted.product.path / PLATFORM_SETTINGS).unlink()
    assert noted.differing(platform="reuse") == []


def test_an_environments_own_files_are_not_compared_with_the_answers(noted: Noted) -> None:
    product = noted.product
    environments = product.path / "terraform/function/environments"
    environments.mkdir()
    (environments / "prod.tfvars.json").write_text('{"project_id": "the-prod"}')
    files = {
        HAND_OVER: environments / "prod.platform.tfvars.json",
        "function/requirements.txt": product.path / "function/requirements.txt",  # `make lock ENV=`
    }
    for name, place in files.items():
        text = product.read(name).replace("asia-northeast1", "us-east1")
        place.write_text(text, encoding="utf-8")
    assert noted.differing("--env", "prod") == []
    (seen,) = noted.differing("--env", "prod", gcp_project_id="other-project")
    assert f"a-project in {SETTINGS}" in seen


@pytest.mark.parametrize("content", ["[]", "{", '{"context": 1}'])
def test_notes_of_cruft_that_say_nothing_are_no_problem(content: str, tmp_path: Path) -> None:
    product = bake(tmp_path, gcp_project_id="a-project")
    (product.path / ".cruft.json").write_text(content, encoding="utf-8")
    said = doctor(product, "doctor", "--local", "--json")
    assert (said.status, said.problems()) == (HEALTHY, [])


# --- what cannot be merged ---


# A file that the user and then the template bring, each with a text of its own.
NEWS = ".github/workflows/news.yml"


def bring_news(life: Life) -> None:
    """Let the template change a line of the Makefile and bring the file NEWS."""
    news = life.template / PRODUCT.name / NEWS
    news.parent.mkdir(parents=True, exist_ok=True)
    news.write_text("on: workflow_dispatch\n", encoding="utf-8")
    life.renew(f"{PRODUCT.name}/Makefile", "PORT ?= 8080", "PORT ?= 8181")


@pytest.mark.slow
def test_an_upgrade_names_what_the_user_and_the_template_both_changed(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository)
    life.write(
        {
            "Makefile": life.product.read("Makefile").replace("PORT ?= 8080", "PORT ?= 9090"),
            NEWS: "on: push\n",
        }
    )
    was = life.product.files()
    bring_news(life)

    done = upgrade(life)
    assert done.returncode == LEFT_TO_MERGE, done.stderr
    merge = "edit what is between <<<<<<< and >>>>>>>"
    assert f"  Makefile: {merge}" in done.stdout
    assert f"  {NEWS}: {merge}" in done.stdout
    makefile = life.product.read("Makefile")
    assert "PORT ?= 9090\n=======\nPORT ?= 8181\n" in makefile
    assert "on: push\n=======\non: workflow_dispatch\n" in life.product.read(NEWS)
    again = upgrade(life)
    assert again.returncode == USAGE
    assert "UU Makefile" in again.stderr

    take_back = re.search(r"To undo it instead: (.+)", done.stdout)
    assert take_back
    for command in take_back[1].split(" && "):
        git(life.product.path, *command.split()[1:])
    now = life.product.files()
    assert {name for name in was | now if was.get(name) != now.get(name)} <= {
        name for name in was | now if name.startswith(".git/")
    }


@pytest.mark.slow
def test_an_upgrade_names_what_it_left_where_git_does_not_know_the_templates_file(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository)
    # Edited before the first commit, so that Git has nothing to merge by.
    (life.product.path / ".git").rename(tmp_path / "forgotten")
    git(life.product.path, "init", "--quiet", "--initial-branch=main")
    edited = life.product.read("Makefile").replace("PORT ?= 8080", "PORT ?= 9090")
    life.write({"Makefile": edited, NEWS: "on: push\n"})
    bring_news(life)

    done = upgrade(life)
    assert done.returncode == LEFT_TO_MERGE, done.stderr
    assert "  Makefile: apply what is in Makefile.rej, then remove that" in done.stdout
    assert f"  {NEWS}: was not changed" in done.stdout
    assert life.product.read("Makefile") == edited
    assert "+PORT ?= 8181" in life.product.read("Makefile.rej")
    assert "on: workflow_dispatch" in life.cruft("diff").stdout


@pytest.mark.slow
def test_a_folder_goes_with_its_last_file_unless_the_user_has_something_in_it(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository)
    sources = "terraform/function/tests/sources"
    life.write({f"{sources}/good/ours.txt": "ours\n"})
    for folder in ("good", "without-main"):
        git(template_repository, "rm", "-r", "--quiet", f"{PRODUCT.name}/{sources}/{folder}")
    commit(template_repository)
    assert upgrade(life).returncode == DONE
    left = [name for name in life.product.files() if name.startswith(sources)]
    assert [name for name in left if "good" in name] == [f"{sources}/good/ours.txt"]
    assert not (life.product.path / sources / "without-main").exists()
    assert empty_folders(life.product) == []


# --- `make upgrade` ---


@pytest.mark.slow
def test_an_upgrade_is_refused_before_it_changes_anything(
    tmp_path: Path, template_repository: Path
) -> None:
    life = Life(tmp_path, template_repository)
    up_to_date = upgrade(life)
    assert (up_to_date.returncode, up_to_date.stderr) == (DONE, "")
    assert "is up to date" in up_to_date.stdout
    refusals = {
        ("--answers", "region"): (USAGE, "must be a JSON object"),
        ("--answers", '{"regoin": "us-east1"}'): (USAGE, "did you mean region?"),
        ("--answers", '{"_regions": []}'): (USAGE, "does not ask _regions"),
        ("--answers", '{"region": "us-eest1"}'): (FAILED, "region: 'us-eest1' is refused"),
        ("--answers", '{"ci": "jenkins"}'): (FAILED, "jenkins provided for choice variable ci"),
        ("--version", "1999.1.0"): (FAILED, "pathspec '1999.1.0' did not match"),
    }
    was = life.product.files()
    for arguments, (status, words) in refusals.items():
        refused = upgrade(life, *arguments)
        assert (refused.returncode, "Traceback" in refused.stderr) == (status, False)
        assert words in refused.stderr
    (life.product.path / "Makefile").write_text("# half done\n", encoding="utf-8")
    refused = upgrade(life)
    assert (refused.returncode, refused.stdout) == (USAGE, "")
    assert " M Makefile" in refused.stderr
    git(life.product.path, "checkout", "--quiet", "Makefile")
    now = life.product.files()
    assert {name for name in was if was[name] != now[name]} <= {".git/index"}
    # Only the answers to `cruft create` are saved when they are refused.
    assert not (life.folder / ".cookiecutter_replay").exists()

    (life.product.path / ".cruft.json").unlink()
    refused = upgrade(life)
    assert refused.returncode == USAGE
    assert refused.stderr.endswith(" --no-input --checkout VERSION TEMPLATE\n")


def test_an_upgrade_needs_git_and_cruft(tmp_path: Path) -> None:
    product = bake(tmp_path)
    (product.path / ".cruft.json").write_text("{}", encoding="utf-8")
    done = product.run("python3", "-m", "closed_function", "upgrade")
    assert done.returncode == USAGE
    assert "Run `git init` and commit" in done.stderr


@pytest.mark.slow
def test_an_upgrade_from_a_flat_tool_to_a_package_leaves_the_users_files(
    template_repository: Path, tmp_path: Path
) -> None:
    life = Life(tmp_path, with_releases(template_repository, FLAT), OLD)
    was = life.product.files()
    assert "tools/upgrade.py" in was
    skipped = tomllib.loads(life.product.read("pyproject.toml"))["tool"]["cruft"]["skip"]
    own = {name: was[name].decode() for name in was if name in skipped and name.endswith(".txt")}
    own = {name: f"{text}# the user's\n" for name, text in own.items()}
    assert "tools/requirements.txt" in own
    own |= {"function/lock.py": "OURS = 1\n", "function/main.py": "import lock\n"}
    life.write(own | with_edits(was))

    done = life.python("tools/upgrade.py")
    assert done.returncode == DONE, done.stdout + done.stderr
    assert "Merge these yourself" not in done.stdout

    now = life.product.files()
    assert [name for name in now if name.endswith(".rej")] == []
    assert {name for name in now if name.startswith("tools/")} == {
        "tools/requirements.in",
        "tools/requirements.txt",
    }
    assert {name: now[name].decode() for name in own} == own
    assert {name for name in skipped if name in was and name not in own} <= set(now)
    assert b"\nannounce: " in now["Makefile"]
    assert unmet(life.product) == []
    # From now on by the package, which has nothing to do.
    commit(life.product.path)
    again = upgrade(life)
    assert (again.returncode, again.stderr) == (DONE, "")
    assert "is up to date" in again.stdout
