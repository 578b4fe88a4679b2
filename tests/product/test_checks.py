"""The checks that products come with find nothing in a fresh one, whatever was answered."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.baking import Baked, bake, bare_environment
from tests.support.environments import PYTHON, Environments, assert_done, make, make_environment
from tests.support.gcloud import refused_commands
from tests.support.machine import PYTHONS, TOOLS, need
from tests.support.repositories import commit, git
from tests.support.template import CHOICES, PRODUCT, TEMPLATE, combinations

# Every value of every question once at least, the rarer questions' in turn.
COVERING = [
    {name: values[index % len(values)] for name, values in CHOICES.items()}
    for index in range(max(len(values) for values in CHOICES.values()))
]


def test_the_covering_answers_have_every_choice() -> None:
    for name, values in CHOICES.items():
        assert {answers[name] for answers in COVERING} == set(values)


def repository_of(product: Baked) -> Baked:
    """Put the product into a Git repository that does not track its files yet."""
    git(product.path, "init", "--quiet", "--initial-branch=main")
    # The environments are links here, which .gitignore's folders do not match.
    (product.path / ".git/info/exclude").write_text(".venv\n.venv-tools\n", encoding="utf-8")
    return product


@pytest.mark.slow
@pytest.mark.parametrize("answers", COVERING, ids=lambda answers: ",".join(answers.values()))
def test_the_hooks_pass_a_fresh_product_unchanged_and_stop_a_bad_one(
    answers: dict[str, str], environments: Environments, tmp_path: Path
) -> None:
    python = PYTHONS.get(answers["python_version"], PYTHON)
    product = repository_of(environments.give(bake(tmp_path, **answers), python))
    commit(product.path)

    passed = make(product, "lint", python=python)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert git(product.path, "status", "--porcelain", "--ignored=no") == ""
    for check in ("ruff check", "ruff format", "mypy", "the locks", "terraform fmt", "yamllint"):
        (line,) = (line for line in passed.stdout.splitlines() if line.startswith(check))
        assert line.endswith("Passed"), check

    broken = {
        "function/main.py": "import os,sys\n",
        "function/requirements.in": "humanize==4.9.0\n",
        "terraform/function/versions.tf": "locals {\n a=1\n}\n",
        ".yamllint.yaml": "a:   1\n",
        "tools/run.sh": "#!/bin/sh\necho $1\n",
    }
    if answers["ci"] == "github-actions":
        broken[".github/workflows/ci.yml"] = "\n  other:\n    runs-on: x\n    steps: 1\n"
        broken[".github/dependabot.yml"] = "  - directory: /x\n"
    if answers["ci"] == "cloud-build":
        broken["cloudbuild.yaml"] = "images: 1\n"
        broken["renovate.json"] = "x"
    for name, text in broken.items():
        with (product.path / name).open("a", encoding="utf-8") as file:
            file.write(text)
    git(product.path, "add", "--all")
    stopped = make(product, "lint", python=python)
    assert stopped.returncode != 0
    failed = {
        line.partition("...")[0] for line in stopped.stdout.splitlines() if line.endswith("Failed")
    }
    assert {"ruff check", "ruff format", "terraform fmt", "yamllint", "shellcheck"} <= failed
    assert "the locks are fresh and the pieces agree" in failed
    if answers["ci"] == "github-actions":
        assert {"check-jsonschema (workflows)", "check-jsonschema (Dependabot)"} <= failed
    if answers["ci"] == "cloud-build":
        assert {"check-jsonschema (Cloud Build)", "check-jsonschema (Renovate)"} <= failed


@pytest.mark.slow
def test_packages_without_types_pass_and_a_module_that_is_missing_does_not(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="alert-to-snmp"))
    # The first two share a namespace: one has types, and the other has none.
    (product.path / "function/archive.py").write_text(
        "from google.cloud import error_reporting, logging\n"
        "from pysnmp.hlapi.v3arch import asyncio as hlapi\n\n\n"
        "def use() -> None:\n"
        "    error_reporting.Client()\n"
        "    logging.Client()\n"
        "    hlapi.SnmpEngine()\n",
        encoding="utf-8",
    )

    def mypy() -> list[str]:
        done = product.run(f"{TOOLS}/mypy", "--no-incremental")
        return [line for line in done.stdout.splitlines() if ": error: " in line]

    assert mypy() == []
    with (product.path / "function/archive.py").open("a", encoding="utf-8") as file:
        file.write("import reqests\ndef untyped(): pass\n")
    missing, untyped = mypy()
    assert 'module named "reqests"' in missing
    assert "[no-untyped-def]" in untyped


@pytest.mark.slow
def test_a_syntax_error_is_reported_once(environments: Environments, tmp_path: Path) -> None:
    product = repository_of(environments.give(bake(tmp_path, function_kind="http")))
    git(product.path, "add", "--all")
    with (product.path / "function/main.py").open("a", encoding="utf-8") as file:
        file.write("def broken(:\n")
    number = product.read("function/main.py").count("\n")

    tested = make(product, "test")
    assert tested.returncode != 0
    assert "passed" not in tested.stdout
    assert tested.stdout.count("SyntaxError") == 1
    assert f'File "function/main.py", line {number}' in tested.stdout

    linted = make(product, "lint")
    assert linted.returncode != 0
    (failed,) = [line for line in linted.stdout.splitlines() if line.endswith("Failed")]
    assert failed.startswith("Python's syntax.")
    assert f"function/main.py:{number}:" in linted.stdout


def test_make_lint_builds_no_environment_where_there_is_nothing_to_check(tmp_path: Path) -> None:
    product = repository_of(bake(tmp_path, function_kind="http"))
    nothing = make(product, "lint", python="false")
    assert nothing.returncode != 0
    assert "Git tracks no file, so nothing was checked. Run: git add --all\n" in nothing.stderr
    assert "venv" not in nothing.stdout

    git(product.path, "add", "--all")
    assert "false -m venv" in make(product, "lint", python="false").stdout


@pytest.mark.slow
def test_make_lint_says_what_it_does_not_check(environments: Environments, tmp_path: Path) -> None:
    product = repository_of(environments.give(bake(tmp_path, function_kind="http")))
    quick = "SKIP=environments,mypy,locks"
    git(product.path, "add", "--all")
    tracked = make(product, "lint", quick)
    assert tracked.returncode == 0, tracked.stdout
    assert "Not checked" not in tracked.stdout

    (product.path / "function/new module.py").write_text("import os,sys\n", encoding="utf-8")
    (product.path / "other.py").touch()
    partly = make(product, "lint", quick)
    assert partly.returncode == 0, partly.stdout
    (line,) = [line for line in partly.stdout.splitlines() if line.startswith("Not checked")]
    assert line == "Not checked, because Git does not track them: function/new module.py other.py"


@pytest.mark.slow
def test_make_hooks_lets_git_refuse_what_the_checks_find(
    environments: Environments, tmp_path: Path
) -> None:
    product = repository_of(environments.give(bake(tmp_path, function_kind="http")))
    checked = product.path / ".yamllint.yaml"  # by one linter alone
    good = product.read(checked.name)
    checked.write_text(good + "a:   1\n", encoding="utf-8")
    commit(product.path)  # nobody has asked for the hooks yet

    assert_done(make(product, "hooks"))
    checked.write_text(good + "b:   1\n", encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        commit(product.path)
    assert "too many spaces after colon" in refused.value.stderr

    checked.write_text(good, encoding="utf-8")
    commit(product.path)
    assert git(product.path, "status", "--porcelain") == ""


@pytest.mark.slow
def test_cloud_build_gets_what_git_tracks(gcloud: str, tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="pubsub", ci="cloud-build")
    git(product.path, "init", "--quiet", "--initial-branch=main")
    commit(product.path)
    for stray in (".venv/a", "terraform/function/.terraform/a", "function/__pycache__/a.pyc"):
        (product.path / stray).parent.mkdir(parents=True, exist_ok=True)
        (product.path / stray).touch()

    def uploaded() -> set[str]:
        done = subprocess.run(
            [gcloud, "meta", "list-files-for-upload", "."],
            cwd=product.path,
            env=bare_environment(tmp_path, PATH=os.environ["PATH"]),
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return set(done.stdout.splitlines())

    tracked = set(git(product.path, "ls-files").splitlines())
    assert uploaded() == tracked
    with (product.path / ".gcloudignore").open("a", encoding="utf-8") as file:
        file.write("closed_function/\n")
    assert "closed_function/__main__.py" in tracked - uploaded()


def test_outside_of_a_git_root_no_hook_is_installed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    product = bake(tmp_path, function_kind="http")
    for target in ("hooks", "lint"):
        done = make(product, target)
        assert done.returncode != 0
        assert "not the root of a Git repository. Run: git init -b main" in done.stderr
    assert not (tmp_path / ".git/hooks/pre-commit").exists()
    git(product.path, "init", "--quiet", "--initial-branch=main")
    assert make(product, "git-root").returncode == 0


# --- what the workflows decide by themselves ---


def job(product: Baked, workflow: str, name: str) -> dict[str, Any]:
    """A job of one of the product's workflows."""
    loaded = yaml.safe_load(product.read(f".github/workflows/{workflow}.yml"))
    found: dict[str, Any] = loaded["jobs"][name]
    return found


def test_the_required_check_stands_for_every_other_job(tmp_path: Path) -> None:
    product = bake(tmp_path, ci="github-actions")
    jobs = yaml.safe_load(product.read(".github/workflows/ci.yml"))["jobs"]
    required = jobs.pop("required")
    assert set(required["needs"]) == set(jobs)
    assert required["if"] == "always()"
    (step,) = required["steps"]
    assert step["run"] == "exit 1"
    bad = {"failure", "cancelled", "skipped"}
    assert set(re.findall(r"contains\(needs\.\*\.result, '(\w+)'\)", step["if"])) == bad
    assert "&&" not in step["if"]
    assert not any("if" in each for each in jobs.values())


def test_a_deployment_without_a_state_in_a_bucket_is_refused(tmp_path: Path) -> None:
    product = bake(tmp_path, ci="github-actions")
    steps = job(product, "deploy", "deploy")["steps"]
    (guard,) = (step for step in steps if "state" in step.get("name", ""))
    deploying = next(index for index, step in enumerate(steps) if "make deploy" in str(step))
    assert steps.index(guard) < deploying

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-c", guard["run"]],
            cwd=product.path,
            capture_output=True,
            text=True,
            check=False,
        )

    refused = run()
    assert refused.returncode == 1
    assert "make state BUCKET=" in refused.stdout
    (product.path / "terraform/function/backend.tf").touch()
    assert run().returncode == 0


@pytest.mark.parametrize("platform", CHOICES["platform"])
def test_a_change_is_not_checked_with_the_account_that_builds(
    platform: str, tmp_path: Path
) -> None:
    product = bake(
        tmp_path,
        ci="cloud-build",
        platform=platform,
        gcp_project_id="a-project",
        platform_project_id="the-platform",
    )
    account = yaml.safe_load(product.read("cloudbuild.yaml"))["serviceAccount"].rpartition("/")[2]
    hand_over = json.loads(product.read("terraform/function/platform.auto.tfvars.json"))
    assert account == "cb-checks@the-platform.iam.gserviceaccount.com"
    assert account != hand_over["platform"]["build_service_account"]
    if platform == "reuse":  # its owner creates the account
        assert "`ci_service_account`" in product.read("docs/operations.md")
        return
    settings = json.loads(product.read("terraform/platform/settings.auto.tfvars.json"))
    assert settings["ci_service_account"] == {}
    other = bake(tmp_path / "other", ci="github-actions", platform=platform)
    settings = json.loads(other.read("terraform/platform/settings.auto.tfvars.json"))
    assert "ci_service_account" not in settings


def test_gcloud_knows_the_commands_that_create_triggers(gcloud: str, tmp_path: Path) -> None:
    product = bake(tmp_path, ci="cloud-build", gcp_project_id="a-project")
    commands = {}
    for name in ("cloudbuild.yaml", "cloudbuild-deploy.yaml"):
        comment = re.sub(r"\s*\\\n#\s*", " ", product.read(name))
        (commands[name],) = re.findall(r"^#   (gcloud builds triggers .*)$", comment, re.MULTILINE)
    assert refused_commands(gcloud, commands.values(), tmp_path) == []
    assert refused_commands(gcloud, [f"{commands['cloudbuild.yaml']} --x"], tmp_path) != []
    # What is deployed is reviewed and approved.
    options = shlex.split(commands["cloudbuild-deploy.yaml"])
    assert {"--branch-pattern=^main$", "--require-approval"} <= set(options)
    checking = yaml.safe_load(product.read("cloudbuild.yaml"))["serviceAccount"]
    assert f"--service-account={checking}" in shlex.split(commands["cloudbuild.yaml"])


@pytest.mark.parametrize("ci", ["github-actions", "cloud-build"])
@pytest.mark.parametrize(
    ("named", "given"),
    [("", []), ("prod", ["ENV=prod"]), ("x; touch ran", ["ENV=x; touch ran"])],
    ids=["none", "one", "a command"],
)
def test_a_deployment_names_an_environment_only_where_there_is_one(
    named: str, given: list[str], ci: str, tmp_path: Path
) -> None:
    product = bake(tmp_path, ci=ci)
    if ci == "github-actions":
        (step,) = (
            each
            for each in job(product, "deploy", "deploy")["steps"]
            if each.get("name") == "Deploy"
        )
        assert list(step["env"].values()) == ["${{ vars.TERRAFORM_ENV }}"]
        command, variables = ["bash", "-e", "-c", step["run"]], dict.fromkeys(step["env"], named)
    else:
        steps = yaml.safe_load(product.read("cloudbuild-deploy.yaml"))["steps"]
        (step,) = (each for each in steps if each["id"] == "deploy")

        def substituted(text: str) -> str:
            return text.replace("$_ENV", named).replace("$$", "$")

        command = [step["entrypoint"], *map(substituted, step["args"])]
        variables = dict(substituted(each).split("=", 1) for each in step.get("env", []))
    programs = tmp_path / "bin"
    programs.mkdir()
    # Of all that make is given: its arguments, and ENV in its environment.
    (programs / "make").write_text('#!/bin/sh\nprintf "%s\\n" "$@" ${ENV+"exported $ENV"}\n')
    (programs / "make").chmod(0o755)
    path = os.pathsep.join([str(programs), os.defpath])
    done = subprocess.run(
        command,
        cwd=product.path,
        env=bare_environment(tmp_path, PATH=path, **variables),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["deploy", "YES=1", *given]
    assert not (product.path / "ran").exists()


def test_the_renewal_keeps_what_somebody_else_has_committed(tmp_path: Path) -> None:
    product = bake(tmp_path, ci="github-actions", function_kind="http")
    (script,) = (step["run"] for step in job(product, "renew", "renew")["steps"] if "env" in step)
    git(product.path, "init", "--quiet", "--initial-branch=main")
    commit(product.path)
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(product.path), str(origin))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text(f"#!/bin/sh\necho $@ >> {tmp_path}/gh\n", encoding="utf-8")
    (programs / "gh").chmod(0o755)

    def renew(number: int) -> subprocess.CompletedProcess[str]:
        clone = tmp_path / f"clone{number}"
        git(tmp_path, "clone", "--quiet", str(origin), str(clone))
        with (clone / "function/requirements.in").open("a", encoding="utf-8") as file:
            file.write(f"# {number}\n")
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=clone,
            env=bare_environment(tmp_path, PATH=f"{programs}:{os.environ['PATH']}", BASE="main"),
            capture_output=True,
            text=True,
            check=False,
        )

    for number in (1, 2):  # its own branch is renewed
        done = renew(number)
        assert done.returncode == 0, done.stderr
        assert f"# {number}" in git(origin, "show", "renew-packages:function/requirements.in")
    assert "pr create" in (tmp_path / "gh").read_text(encoding="utf-8")

    reviewer = tmp_path / "reviewer"
    git(tmp_path, "clone", "--quiet", "--branch=renew-packages", str(origin), str(reviewer))
    (reviewer / "function/main.py").write_text("# mended\n", encoding="utf-8")
    commit(reviewer)
    git(reviewer, "push", "--quiet", "origin", "renew-packages")
    refused = renew(3)
    assert refused.returncode == 1
    assert "has commits of somebody else" in refused.stdout
    assert git(origin, "show", "renew-packages:function/main.py") == "# mended\n"


# --- the linters of what other programs read, on all that is ever baked ---


def corpus(folder: Path) -> Path:
    """A folder with each different file that some combination bakes, as NUMBER/PATH."""
    texts: dict[str, list[bytes]] = {}
    for answers in combinations():
        product = bake(folder / "baked", **answers)
        for name, text in linted(product).items():
            known = texts.setdefault(name, [])
            if text not in known:
                known.append(text)
        shutil.rmtree(folder / "baked")
    for name, known in texts.items():
        for number, text in enumerate(known):
            path = folder / "corpus" / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
    return folder / "corpus"


def linted(product: Baked) -> dict[str, bytes]:
    kept = (".yml", ".yaml", ".sh", "renovate.json")
    return {name: text for name, text in product.files().items() if name.endswith(kept)}


def lint(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = need(shutil.which(program, path=str(TOOLS)) or shutil.which(program), program)
    return subprocess.run(
        [path, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


SCHEMA = ("check-jsonschema", "--builtin-schema")
WORKFLOWS, BUILDS = ".github/workflows/*.yml", "cloudbuild*.yaml"
LINTERS = {
    "actionlint": (["actionlint", "-shellcheck", f"{TOOLS}/shellcheck"], WORKFLOWS),
    "zizmor": (["zizmor", "--offline", "--pedantic", "--no-progress"], ".github/**/*.yml"),
    "workflows": ([*SCHEMA, "vendor.github-workflows"], WORKFLOWS),
    "Dependabot": ([*SCHEMA, "vendor.dependabot"], ".github/dependabot.yml"),
    "Cloud Build": ([*SCHEMA, "vendor.cloudbuild"], BUILDS),
    "Renovate": ([*SCHEMA, "vendor.renovate"], "renovate.json"),
    "yamllint": (["yamllint", "--strict", "-c", "{}/0/.yamllint.yaml"], "**/*.y*ml"),
}


def spoilt(text: str, suffix: str) -> str:
    """The text of a file with a fault that each linter that reads it must see."""
    for right, wrong in (
        ("steps:", "stepz:"),
        ("updates:", "updatez:"),
        ("contents: read", "contents: raed"),
        ('"extends": [', '"extends": 1, "x": ['),
    ):
        text = text.replace(right, wrong)
    return text if suffix == ".json" else f"{text}a:   [1 ]\n    - uses: actions/checkout@v6\n"


def product_files(template: Path, pattern: str = "*") -> list[str]:
    """Return the product's files in `template` that Git knows by `pattern`."""
    return git(template, "ls-files", "-z", "--", f"{PRODUCT.name}/{pattern}").split("\0")[:-1]


@pytest.mark.slow
def test_the_templates_checks_read_the_products_files_in_place(template_repository: Path) -> None:
    for name in (".venv", ".venv-tools"):
        (template_repository / name).symlink_to(TEMPLATE / name)

    def failed() -> set[str]:
        done = subprocess.run(
            [TOOLS / "pre-commit", "run", "--files", *product_files(template_repository)],
            cwd=template_repository,
            env={**make_environment(), "SKIP": "environments,mypy"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        lines = done.stdout.splitlines()
        assert any(line.endswith(("Passed", "Failed")) for line in lines), done.stdout + done.stderr
        return {line.partition("...")[0] for line in lines if line.endswith("Failed")}

    assert failed() == set()
    for pattern, text in {
        "closed_function/commands/lock.py": "import os,sys\n",
        "terraform/*platform*/pool.tf": "locals {\n a=1\n}\n",
        "*/workflows/ci.yml": "  x:   {runs-on: x, steps: [{uses: actions/checkout@v6}]}\n",
        "*/workflows/deploy.yml": "stepz: 1\n",
    }.items():
        (name,) = product_files(template_repository, pattern)
        with (template_repository / name).open("a", encoding="utf-8") as file:
            file.write(text)
    checks = {"ruff check", "ruff format", "terraform fmt", "yamllint", "zizmor"}
    assert failed() == checks | {"check-jsonschema (workflows)"}


def test_actionlint_reads_the_products_workflows_in_place(tmp_path: Path) -> None:
    command, _ = LINTERS["actionlint"]
    files = [TEMPLATE / name for name in product_files(TEMPLATE, "*/workflows/*.yml")]
    assert files
    done = lint(*command, *files)
    assert done.returncode == 0, done.stdout
    bad = tmp_path / "bad.yml"
    bad.write_text(spoilt(files[0].read_text(encoding="utf-8"), ".yml"), encoding="utf-8")
    assert lint(*command, bad).returncode != 0


@pytest.mark.slow
def test_no_linter_reports_anything_on_any_combination_and_each_does_on_a_bad_file(
    tmp_path: Path,
) -> None:
    folder = corpus(tmp_path)
    for name, (command, pattern) in LINTERS.items():
        words = [word.format(folder) for word in command]
        files = sorted(path for path in folder.glob(f"*/{pattern}") if path.is_file())
        assert files, name
        done = lint(*words, *files)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"

        bad = tmp_path / "bad" / files[0].relative_to(folder / "0")
        bad.parent.mkdir(parents=True, exist_ok=True)
        bad.write_text(spoilt(files[0].read_text(encoding="utf-8"), bad.suffix), encoding="utf-8")
        assert lint(*words, bad).returncode != 0, name
