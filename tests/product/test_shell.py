"""What a user types, and what their shell holds, is no command and leads no command astray."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake, bare_environment
from tests.support.machine import need
from tests.support.template import TEMPLATE

# Each variable with a target that reads it.
TYPED = {
    "ANSWERS": "upgrade",
    "BUCKET": "state",
    "BUILD": "explain",
    "ENV": "plan",
    "EVENT": "send",
    "FORCE": "destroy",
    "HTML": "rehearse",
    "IGNORE": "audit",
    "LOG": "explain",
    "PIP_AUDIT_OSV_URL": "audit",
    "PORT": "send",
    "REPORT": "rehearse",
    "SNMP_RECEIVERS": "run",
    "STACK": "plan",
    "TEMPLATE": "rehearse",
    "UPGRADE": "lock",
    "VERSION": "upgrade",
    "YES": "deploy",
}
COMMANDS = (
    "x; touch ran; echo ",
    "`touch ran`",
    "$$(touch ran)",
    "$(shell touch ran)",
    "'; touch ran; '",
    '"; touch ran; "',
)

# Recipes that take what is typed as a part of their text.
CARELESS = "all:\n\t-echo $(NAME)\n\t-echo '$(NAME)'\n\t-echo \"$(NAME)\"\n"


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    """A product whose environments are there already, with programs that note how they ran."""
    made = bake(tmp_path / "made", gcp_project_id="a-project")
    for name in (".venv", ".venv-tools"):
        programs = made.path / name / "bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        (programs / "watchmedo").write_text('#!/bin/sh\nenv > served\necho "$@" > with\n')
        (programs / "watchmedo").chmod(0o755)
        (programs.parent / "ready").touch()
    return made


def make(
    product: Baked, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run make from an empty environment, without Terraform, gcloud or a network."""
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [need(shutil.which("make"), "make"), *arguments],
        cwd=product.path,
        env=bare_environment(folder, TERRAFORM="absent", **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if target in ("audit", "rehearse") else [])
        for name, target in TYPED.items()
    ],
)
def test_what_is_typed_is_never_run(name: str, product: Baked, tmp_path: Path) -> None:
    # Nothing is asked of a network.
    (product.path / "pip_audit.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    (product.path / "careless").write_text(CARELESS.replace("NAME", name), encoding="utf-8")
    python = f"PYTHON={sys.executable}"
    mark = product.path / "ran"
    for command in COMMANDS:
        for target in {TYPED[name], "run" if name == "PORT" else TYPED[name]}:
            make(product, tmp_path / "typed", python, target, f"{name}={command}")
            make(product, tmp_path / "exported", python, target, **{name: command})
            assert not mark.exists(), (target, command)
        make(product, tmp_path / "careless", "--file=careless", f"{name}={command}")
        mark.unlink()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("ADD", "schemas"),
        ("BENCH_TEMPLATES", "bench"),
        ("HTML", "demo"),
        ("ONLY", "test"),
        ("REPORT", "demo"),
        ("UPGRADE", "lock"),
    ],
)
def test_what_a_maintainer_types_is_never_run(name: str, target: str, tmp_path: Path) -> None:
    """Make prints what it would run, and expands it for that."""
    mark = tmp_path / "ran"
    for command in (f"$(shell touch {mark})", f'"; touch {mark}; "'):
        printed = make(Baked(TEMPLATE), tmp_path, "--dry-run", target, f"{name}={command}")
        assert printed.returncode == 0, printed.stderr
        assert "touch" not in re.sub(r"touch \.venv\S*/ready", "", printed.stdout)
        assert not mark.exists()
    careless = tmp_path / "careless"
    careless.write_text(CARELESS.replace("NAME", name), encoding="utf-8")
    printed = make(
        Baked(TEMPLATE), tmp_path, "--dry-run", f"--file={careless}", f"{name}={command}"
    )
    assert "touch" in printed.stdout


def test_the_served_function_gets_what_is_typed_as_it_is_typed(
    product: Baked, tmp_path: Path
) -> None:
    typed = "a$b$(shell echo c)#d"
    for given in ("typed", "exported"):
        variables = {"SNMP_COMMUNITY": typed} if given == "exported" else {}
        options = [f"SNMP_COMMUNITY={typed}"] if given == "typed" else []
        done = make(product, tmp_path / given, "run", *options, **variables)
        assert done.returncode == 0, done.stderr
        served = product.read("served").splitlines()
        assert f"SNMP_COMMUNITY={typed}" in served
        assert "SNMP_RECEIVERS=127.0.0.1:16200" in served
        assert product.read("with").strip().endswith("--port 8080")


# --- what the shell holds ---

# Ends whatever imports it, and leaves a mark.
FOREIGN = 'import pathlib, sys\npathlib.Path("ran").touch()\nsys.exit("led astray")\n'


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONSAFEPATH": "1"},
        {"PYTHONPATH": "FOREIGN"},
        {"PYTHONHOME": "/nonexistent"},
        {"PYTHONSTARTUP": "FOREIGN/argparse.py", "PYTHONINSPECT": "1"},
        {"PYTHONPATH": "FOREIGN", "PYTHONSAFEPATH": "1"},
    ],
    ids=",".join,
)
def test_what_the_shell_says_to_python_changes_no_command(
    variables: dict[str, str], product: Baked, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name in ("argparse", "json", "closed_function"):
        (foreign / f"{name}.py").write_text(FOREIGN, encoding="utf-8")
    given = {name: text.replace("FOREIGN", str(foreign)) for name, text in variables.items()}
    python = f"PYTHON={sys.executable}"
    plain = make(product, tmp_path / "plain", python, "explain", "LOG=Makefile")
    assert plain.stdout.startswith("The log shows no known cause.")
    for target in ("explain", "status", "lock"):
        options = ["LOG=Makefile"] if target == "explain" else ["ENV=none"]
        done = make(product, tmp_path / "given", python, target, *options, **given)
        expected = make(product, tmp_path / "plain", python, target, *options)
        assert (done.stdout, done.stderr) == (expected.stdout, expected.stderr)
    assert not list(tmp_path.glob("**/ran"))
    # Without make, Python does what it is told.
    bare = subprocess.run(
        [sys.executable, "-m", "closed_function", "explain", "Makefile"],
        cwd=product.path,
        env=bare_environment(tmp_path / "given", **given),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert bare.returncode != 0


def test_pip_is_told_where_its_index_is_and_nothing_else(product: Baked, tmp_path: Path) -> None:
    """Otherwise PIP_TARGET or PIP_PYTHON would install elsewhere, and PIP_DRY_RUN nothing."""
    shutil.rmtree(product.path / ".venv")
    recorder = tmp_path / "python"
    recorder.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/called\nenv >> {tmp_path}/told\n'
        f'[ "$2" != venv ] || {{ mkdir -p .venv/bin && cp {recorder} .venv/bin/python; }}\n',
        encoding="utf-8",
    )
    recorder.chmod(0o755)
    reaches_the_index = {
        "PIP_INDEX_URL": "https://index.example/simple/",
        "PIP_CERT": "/an/authority.pem",
        "PIP_PROXY": "http://proxy.example:3128",
        "PIP_FIND_LINKS": "/wheels",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    elsewhere = {
        "PIP_TARGET": str(tmp_path / "elsewhere"),
        "PIP_PYTHON": "/usr/bin/python3",
        "PIP_USER": "1",
        "PIP_DRY_RUN": "1",
        "PIP_NO_DEPS": "1",
        "PIP_CONSTRAINT": "/constraints.txt",
        "PIP_REQUIRE_VIRTUALENV": "0",
    }
    options = [f"PYTHON={recorder}", ".venv/ready"]
    done = make(product, tmp_path / "home", *options, **reaches_the_index, **elsewhere)
    assert done.returncode == 0, done.stderr
    called = (tmp_path / "called").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1] for line in called] == ["venv", "pip", "pip"]
    told = (tmp_path / "told").read_text(encoding="utf-8").splitlines()
    for name, text in reaches_the_index.items():
        assert told.count(f"{name}={text}") == len(called)
    assert not [line for line in told if line.partition("=")[0] in elsewhere]
