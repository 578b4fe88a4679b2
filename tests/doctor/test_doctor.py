"""The doctor says what is wrong with a repository and why a build failed, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_stand_in.server import TOKEN, StandIn
from cloud_stand_in.services.logging import add_build_log
from scripts.troubleshooting import PAGE, page
from tests.support.baking import Baked, bake, bare_environment
from tests.support.doctor import COULD_NOT_LOOK, FOUND, HEALTHY, USAGE, Said, doctor
from tests.support.gcloud import assert_ended, refused_commands
from tests.support.healthy_cloud import HealthyCloud
from tests.support.stacks import reach_receivers
from tests.support.template import PRODUCT, QUESTIONS

CATALOGUE = json.loads(
    (PRODUCT / "closed_function/symptoms/catalogue.json").read_text(encoding="utf-8")
)
TABLES = json.loads((PRODUCT / "closed_function/symptoms/tables.json").read_text(encoding="utf-8"))
SYMPTOMS = {entry["id"]: entry for entry in CATALOGUE["symptoms"]}
GROUPS = {entry["id"]: entry for entry in CATALOGUE["groups"]}
CAUSES = {**SYMPTOMS, **GROUPS}
LOGS = Path(__file__).with_name("logs")
SOURCES = json.loads((LOGS / "sources.json").read_text(encoding="utf-8"))
# Sentences of programs and services, by the cause that they show.
SENTENCES = json.loads(LOGS.with_name("sentences.json").read_text(encoding="utf-8"))


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    """A repository with a project of somebody's, whose runtime is not newer than this Python."""
    return bake(tmp_path, gcp_project_id="a-project", python_version="3.11")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """A repository that no test changes, to explain logs in."""
    return bake(tmp_path_factory.mktemp("reader"), gcp_project_id="a-project")


# What a fresh repository says


def test_a_fresh_repository_lacks_nothing_but_a_project(tmp_path: Path) -> None:
    fresh = bake(tmp_path)
    said = doctor(fresh, "doctor", "--json")
    assert (said.status, said.problems()) == (FOUND, ["placeholder-project"])
    found = doctor(fresh, "doctor")
    assert found.status == FOUND
    assert found.output.count("PROBLEM ") == 1
    assert "gcp_project_id and platform_project_id" in found.output
    assert "generate the repository again" in found.output.lower()


@pytest.mark.parametrize("kind", QUESTIONS["function_kind"])
@pytest.mark.parametrize("platform", ["create", "reuse"])
def test_a_repository_with_a_project_lacks_nothing(
    kind: str, platform: str, tmp_path: Path
) -> None:
    product = bake(tmp_path, gcp_project_id="a-project", function_kind=kind, platform=platform)
    if kind == "alert-to-snmp":
        reach_receivers(product)
    said = doctor(product, "doctor", "--local", "--json")
    assert (said.status, said.problems()) == (HEALTHY, []), said.output
    verdicts = {result["verdict"] for result in said.json()["results"]}
    assert verdicts == {"ok"}


def in_file(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        file = root / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return change


def in_pattern(name: str, pattern: str, replacement: str) -> Callable[[Path], None]:
    """Replace the first text that the pattern matches."""

    def change(root: Path) -> None:
        text = (root / name).read_text(encoding="utf-8")
        changed, count = re.subn(pattern, replacement, text, count=1)
        assert count == 1
        (root / name).write_text(changed, encoding="utf-8")

    return change


def in_bytes(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        content = (root / name).read_bytes()
        assert old in content
        (root / name).write_bytes(content.replace(old, new))

    return change


def append(name: str, more: str) -> Callable[[Path], None]:
    """Write `more` after the last character of a file, in place of its last line end."""

    def change(root: Path) -> None:
        file = root / name
        file.write_text(
            file.read_text(encoding="utf-8").removesuffix("\n") + more, encoding="utf-8"
        )

    return change


def as_utf_16(root: Path) -> None:
    file = root / REQUIREMENTS
    file.write_text(file.read_text(encoding="utf-8"), encoding="utf-16")


def folder_at(name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / name).unlink()
        (root / name).mkdir()

    return change


def without(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def without_package(name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        file = root / "function/requirements.txt"
        text = file.read_text(encoding="utf-8")
        shorter = re.sub(rf"^{name}==.*\n(?:    --hash.*\n)+", "", text, flags=re.MULTILINE)
        assert len(shorter) < len(text)
        file.write_text(shorter, encoding="utf-8")

    return change


def large(root: Path) -> None:
    with (root / "function/data.bin").open("wb") as file:
        file.truncate(100_000_001)


def elsewhere(root: Path) -> None:
    for name in (REQUIREMENTS, HAND_OVER):
        in_file(name, "asia-northeast1", "mars-north1")(root)


REQUIREMENTS = "function/requirements.txt"
INDEX = "--index-url https://asia-northeast1-python.pkg.dev/a-project/ar-buildpython/simple/\n"
HAND_OVER = "terraform/function/platform.auto.tfvars.json"
SETTINGS = "terraform/function/settings.auto.tfvars.json"
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no index line": (in_file(REQUIREMENTS, INDEX, ""), "index-line-wrong"),
    "two index lines": (in_file(REQUIREMENTS, INDEX, INDEX * 2), "index-line-wrong"),
    "an index elsewhere": (
        in_file(REQUIREMENTS, INDEX, "--index-url https://example.com/simple/\n"),
        "index-line-wrong",
    ),
    "no /simple/": (in_file(REQUIREMENTS, "/simple/\n", "/\n"), "index-line-wrong"),
    "no slash at the end": (in_file(REQUIREMENTS, "/simple/\n", "/simple\n"), "index-line-wrong"),
    "a misspelt option": (in_file(REQUIREMENTS, "--index-url", "--index-ur"), "index-line-wrong"),
    "a second index behind a comment that ends with a backslash": (
        append(REQUIREMENTS, "\n# a comment \\\n--in https://example.com/simple/\n"),
        "index-line-wrong",
    ),
    **{
        f"what pip reads in {line}": (append(REQUIREMENTS, f"\n{line}\n"), "package-elsewhere")
        for line in (
            *("-fhttps://example.com/", "--find https://example.com/", "--edit .", "--no-ind"),
            *("--trusted example.com", "-rmore.txt", "x@https://example.com/x.tar.gz"),
            *("x @ https://example.com/x.whl ; python_version > '9'", "${HOME}/x"),
        )
    },
    "an index line that is not the first": (
        in_file(REQUIREMENTS, INDEX, f"# The index\n{INDEX}"),
        "index-line-wrong",
    ),
    "Windows line ends": (in_bytes(REQUIREMENTS, b"\n", b"\r\n"), "index-line-wrong"),
    "a byte order mark": (
        in_bytes(REQUIREMENTS, b"--index", b"\xef\xbb\xbf--index"),
        "index-line-wrong",
    ),
    "a blank at its end": (in_file(REQUIREMENTS, "/simple/\n", "/simple/ \n"), "index-line-wrong"),
    "UTF-16": (as_utf_16, "index-line-wrong"),
    "a second index": (
        in_file(REQUIREMENTS, INDEX, INDEX + "--extra-index-url https://example.com/simple/\n"),
        "extra-index",
    ),
    "another repository": (
        in_file(REQUIREMENTS, "ar-buildpython", "ar-bildpython"),
        "hand-over-differs",
    ),
    "another region": (
        in_file(REQUIREMENTS, "asia-northeast1-", "asia-northeast2-"),
        "hand-over-differs",
    ),
    "a location that the build knows nothing of": (elsewhere, "no-credentials"),
    "no requirements": (without(REQUIREMENTS), "index-line-wrong"),
    "a folder in place of the requirements": (folder_at(REQUIREMENTS), "index-line-wrong"),
    "no framework": (without_package("functions-framework"), "framework-missing"),
    "a package that is not asked for any more": (without_package("pysnmp"), "lock-stale"),
    "a newer version asked for": (
        in_file("function/requirements.in", "pysnmp==7.1.30", "pysnmp==7.1.31"),
        "lock-stale",
    ),
    "a newer framework asked for": (
        in_file("function/requirements.in", "framework==3.10.2", "framework==9.9"),
        "lock-stale",
    ),
    "no requirements.in": (without("function/requirements.in"), "lock-stale"),
    "a package without a version": (
        in_file(REQUIREMENTS, INDEX, INDEX + f"idna>=3 --hash=sha256:{'0' * 64}\n"),
        "lock-incomplete",
    ),
    "a package without a hash": (
        in_file(REQUIREMENTS, INDEX, INDEX + "idna==3\n"),
        "lock-incomplete",
    ),
    "a package written onto the end of a hash": (
        append(REQUIREMENTS, "requests>=2"),
        "lock-incomplete",
    ),
    "a hash with a digit less": (
        in_pattern(REQUIREMENTS, r"(sha256:[0-9a-f]{63})[0-9a-f]", r"\1"),
        "lock-incomplete",
    ),
    "a hash with a digit more": (
        in_pattern(REQUIREMENTS, r"(sha256:[0-9a-f]{64})", r"\g<1>0"),
        "lock-incomplete",
    ),
    "a hash of another algorithm": (
        in_pattern(REQUIREMENTS, "sha256:", "sha512:"),
        "lock-incomplete",
    ),
    "a version in the lock that is not the one asked for": (
        in_file(REQUIREMENTS, "pysnmp==7.1.30", "pysnmp==7.1.29"),
        "lock-stale",
    ),
    "no note of the wheels": (
        in_pattern(REQUIREMENTS, r"# Wheels for .*\n", ""),
        "lock-edited",
    ),
    "no header": (in_file(REQUIREMENTS, "#    make lock\n", ""), "lock-edited"),
    "no wheels for the runtime": (
        in_file(REQUIREMENTS, "Python 3.11, 3.12", "Python 3.12"),
        "no-wheel-for-runtime",
    ),
    "a package of a URL": (
        in_file(REQUIREMENTS, INDEX, INDEX + "x @ https://u:secret@example.com/x.whl\n"),
        "package-elsewhere",
    ),
    "a package of a file": (
        in_file(REQUIREMENTS, INDEX, INDEX + "./vendor/x-1.0-py3-none-any.whl\n"),
        "package-elsewhere",
    ),
    "packages of a folder": (
        in_file(REQUIREMENTS, INDEX, INDEX + "--find-links wheels\n"),
        "package-elsewhere",
    ),
    "packages of another file": (
        in_file(REQUIREMENTS, INDEX, INDEX + "-r more.txt\n"),
        "package-elsewhere",
    ),
    "a repository asked for": (
        in_file("function/requirements.in", "pysnmp==7.1.30", "git+https://example.com/pysnmp"),
        "package-elsewhere",
    ),
    "no hand-over": (without(HAND_OVER), "hand-over-missing"),
    "a hand-over that is no JSON": (in_file(HAND_OVER, "{", "["), "hand-over-missing"),
    "a hand-over with a byte order mark": (
        in_bytes(HAND_OVER, b'{\n  "pl', b'\xef\xbb\xbf{\n  "pl'),
        "hand-over-missing",
    ),
    "a hand-over of another form": (
        in_file(HAND_OVER, '"platform": {', '"x": {'),
        "hand-over-missing",
    ),
    "a hand-over without a pool": (
        in_file(HAND_OVER, '"worker_pool"', '"pool"'),
        "hand-over-missing",
    ),
    "a hand-over with a number": (
        in_file(HAND_OVER, '"region": "asia-northeast1"', '"region": 1'),
        "hand-over-missing",
    ),
    "a pool in another region": (
        in_file(HAND_OVER, "asia-northeast1/workerPools", "asia-east1/workerPools"),
        "hand-over-contradictory",
    ),
    "a hand-over of another region": (
        in_file(HAND_OVER, '"region": "asia-northeast1"', '"region": "asia-east1"'),
        "hand-over-contradictory",
    ),
    "settings that are no JSON": (in_file(SETTINGS, '",\n', '"\n'), "settings-unreadable"),
    "no settings": (without(SETTINGS), "settings-unreadable"),
    "settings of another form": (
        in_file(SETTINGS, '"function": {', '"x": {'),
        "settings-unreadable",
    ),
    "an old runtime": (in_file(SETTINGS, "python311", "python310"), "runtime-deprecated"),
    "an unknown runtime": (in_file(SETTINGS, "python311", "python399"), "runtime-not-available"),
    "uv in the build": (
        in_file("terraform/function/function.tf", '_MANAGER = "pip"', '_MANAGER = "uv"'),
        "package-manager",
    ),
    "pip in a comment": (
        in_file("terraform/function/function.tf", "      GOOGLE_PYTHON", "      # GOOGLE_PYTHON"),
        "package-manager",
    ),
    "a build variable that leads pip elsewhere": (
        in_file(
            SETTINGS, '"function": {', '"function": {"build_environment": {"PIP_INDEX_URL": ""},'
        ),
        "package-manager",
    ),
    "a build variable that names a certificate": (
        in_file(
            SETTINGS,
            '"function": {',
            '"function": {"build_environment": {"REQUESTS_CA_BUNDLE": "ca.pem"},',
        ),
        "package-manager",
    ),
    "no main.py": (without("function/main.py"), "main-missing"),
    "code that does not compile": (
        in_file("function/main.py", "import functions_framework", "import functions_framework ("),
        "syntax-error",
    ),
    "code with a zero byte": (append("function/main.py", "\0"), "syntax-error"),
    "another entry point": (in_file(SETTINGS, "send_event", "send_evnt"), "entry-point-missing"),
    "a large source": (large, "source-too-large"),
    "a conflict in the lock": (append(REQUIREMENTS, "\n<<<<<<< HEAD\n"), "merge-conflict"),
    "a conflict in the code": (append("function/main.py", "\n>>>>>>> other\n"), "merge-conflict"),
    "a conflict in the settings": (append(SETTINGS, "\n<<<<<<< HEAD\n"), "merge-conflict"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_thing_is_one_problem(name: str, product: Baked) -> None:
    change, symptom = BROKEN[name]
    change(product.path)
    said = doctor(product, "doctor", "--local", "--json")
    assert (said.status, said.problems()) == (FOUND, [symptom])
    printed = doctor(product, "doctor", "--local")
    (seen,) = [r["seen"] for r in said.json()["results"] if r["verdict"] == "problem"]
    assert f"{symptom}: {seen}" in printed.output
    assert "Why: " in printed.output
    assert "Cure: " in printed.output
    assert "secret" not in printed.output + said.output


def test_a_lock_of_other_origin_is_not_judged_for_wheels(product: Baked) -> None:
    reach_receivers(product)
    in_pattern(REQUIREMENTS, r"# Wheels for .*\n(?:# .*\n)+", "")(product.path)
    said = doctor(product, "doctor", "--local", "--json")
    assert (said.status, said.problems()) == (HEALTHY, [])
    (unknown,) = [r for r in said.json()["results"] if r["verdict"] == "could not tell"]
    assert "make lock" in unknown["seen"]


def install(product: Baked, name: str, version: str, *modules: str) -> None:
    """Write what pip would of a package into the product's `.venv`."""
    packages = product.path / ".venv/lib/python3.11/site-packages"
    information = packages / f"{name}-{version}.dist-info"
    information.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (information / "METADATA").write_text(metadata, encoding="utf-8")
    record = "".join(f"{module},sha256=0,1\n" for module in modules)
    (information / "RECORD").write_text(record, encoding="utf-8")


def install_lock(product: Baked) -> None:
    """Fill the product's `.venv` as `make test` does; modules are named for their packages."""
    for name, version in re.findall(r"^(\S+)==(\S+)", product.read(REQUIREMENTS), re.MULTILINE):
        module = name.replace("-", "/" if name.startswith("google") else "_")
        install(product, name, version, f"{module}/__init__.py")
    install(product, "pytest", "8", "pytest/__init__.py", "py.py")
    install(product, "google-cloud-bigquery", "3", "google/cloud/bigquery/__init__.py")
    install(product, "PyYAML", "6", "yaml/__init__.py", "_yaml.cpython-311-x86_64-linux-gnu.so")


UNLOCKED = {
    "import reqests": "reqests, but no locked package has it.",
    "def later():\n    import boto3.session": "boto3.session, but no locked package has it.",
    "import json, pytest": "pytest, but requirements.txt lacks pytest.",
    "import yaml": "yaml, but requirements.txt lacks pyyaml.",
    "import _yaml": "_yaml, but requirements.txt lacks pyyaml.",
    "from google.cloud import bigquery": (
        "google.cloud.bigquery, but requirements.txt lacks google-cloud-bigquery."
    ),
    "import google.cloud.storag": "google.cloud.storag, but no locked package has it.",
    "from google.cloud import storag": "google.cloud.storag, but no locked package has it.",
}
# Those that are locked, own modules, and those that may be meant to be missing.
LOCKED_OR_OPTIONAL = """\
from __future__ import annotations
import compression.zstd, importlib.metadata, tomllib
import google.cloud.error_reporting, pysnmp.hlapi.v3arch.asyncio as hlapi
from google.cloud import error_reporting, logging
from flask import Flask, nothing
from typing import TYPE_CHECKING
from . import sibling
import snmp, helpers.one
if TYPE_CHECKING:
    from cloudevents.http import CloudEvent
    import pandas
try:
    import boto3
except ImportError:
    boto3 = None
"""


def test_an_import_of_what_is_not_locked_is_found(product: Baked) -> None:
    reach_receivers(product)
    (product.path / "function/helpers").mkdir()
    (product.path / "function/helpers/one.py").touch()
    more = product.path / "function/more.py"
    more.write_text(LOCKED_OR_OPTIONAL, encoding="utf-8")

    def checked() -> dict[str, str]:
        said = doctor(product, "doctor", "--local", "--json")
        (result,) = [r for r in said.json()["results"] if "what the code imports" in r["check"]]
        problems = [result["symptom"]] if result["symptom"] else []
        assert (said.status, said.problems()) == (FOUND if problems else HEALTHY, problems)
        found: dict[str, str] = result
        return found

    assert checked()["verdict"] == "ok"
    install_lock(product)
    assert checked()["verdict"] == "ok"
    for code, said in UNLOCKED.items():
        more.write_text(f"{LOCKED_OR_OPTIONAL}{code}\n", encoding="utf-8")
        found = checked()
        assert found["symptom"] == "module-missing"
        number = LOCKED_OR_OPTIONAL.count("\n") + code.count("\n") + 1
        assert found["seen"] == f"function/more.py, line {number} imports {said}"

    # Without the locked packages it is not known which modules they have.
    shutil.rmtree(product.path / ".venv/lib/python3.11/site-packages/idna-3.20.dist-info")
    assert checked()["verdict"] == "could not tell"
    shutil.rmtree(product.path / ".venv")
    assert checked()["verdict"] == "could not tell"


@pytest.mark.parametrize(
    ("runtime", "module", "problems"),
    [
        ("3.11", "telnetlib", []),
        ("3.12", "telnetlib", []),
        ("3.13", "telnetlib", ["module-missing"]),
        ("3.11", "distutils.version", []),
        ("3.12", "distutils.version", ["module-missing"]),
        ("3.14", "cgi", ["module-missing"]),
        ("3.14", "__main__", []),
    ],
)
def test_the_runtimes_standard_library_counts_and_not_that_of_this_python(
    runtime: str, module: str, problems: list[str], tmp_path: Path
) -> None:
    product = bake(tmp_path, gcp_project_id="a-project", python_version=runtime)
    install_lock(product)
    with (product.path / "function/main.py").open("a", encoding="utf-8") as main:
        main.write(f"\nimport {module}\n")
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == problems
    assert (f"Python {runtime} has it no more" in said.output) == bool(problems)
    if problems:  # a package with the same module takes its place
        top = module.partition(".")[0]
        more = f"legacy-{top}==1.0 --hash=sha256:{'0' * 64}\n"
        with (product.path / REQUIREMENTS).open("a", encoding="utf-8") as lock:
            lock.write(more)
        install(product, f"legacy-{top}", "1.0", f"{top}/__init__.py")
        assert "module-missing" not in doctor(product, "doctor", "--local", "--json").problems()


def test_what_is_asked_for_and_not_locked_is_one_problem_also_when_it_is_imported(
    product: Baked,
) -> None:
    install_lock(product)
    without_package("pysnmp")(product.path)
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == ["lock-stale"]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="no runtime is newer than this Python")
def test_syntax_that_a_newer_runtime_may_know_is_said_to_be_read_by_this_python(
    tmp_path: Path,
) -> None:
    product = bake(tmp_path, gcp_project_id="a-project", python_version="3.14")
    BROKEN["code that does not compile"][0](product.path)
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == ["syntax-error"]
    assert "the runtime is newer" in said.output


def set_environment(product: Baked, **environment: object) -> None:
    file = product.path / "terraform/function/settings.auto.tfvars.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["function"]["environment"] = environment
    file.write_text(json.dumps(settings), encoding="utf-8")


def allow_egress(product: Baked, allowances: object) -> None:
    """Let the platform hand over that its network allows this."""
    handed = json.loads(product.read(HAND_OVER))
    handed["platform"]["egress_allowances"] = allowances
    (product.path / HAND_OVER).write_text(json.dumps(handed), encoding="utf-8")


SNMP = {"ranges": ["10.20.0.0/24"], "protocol": "udp", "ports": ["160-162"]}


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"SNMP_RECEIVERS": "10.20.0.5"}, "SNMP_RECEIVERS: '10.20.0.5' is not host:port"),
        ({"SNMP_RECEIVERS": "10.20.0.5:162", "SNMP_VERSION": "v3"}, "SNMP_VERSION is 'v3'"),
    ],
)
def test_settings_that_the_function_refuses_are_found_before_a_deployment(
    environment: dict[str, str], problem: str, product: Baked
) -> None:
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == []
    assert "SNMP_RECEIVERS is not filled in yet" in said.output
    allow_egress(product, {"snmp": SNMP})
    set_environment(product, SNMP_RECEIVERS="10.20.0.5:162")
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == []
    set_environment(product, **environment)
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == ["settings-invalid"]
    assert problem in said.output


@pytest.mark.parametrize(
    ("receivers", "allowances", "problems"),
    [
        ("10.20.0.5:162", {}, 1),
        ("10.20.0.5:162", {"snmp": SNMP}, 0),
        ("10.20.0.5:162", {"snmp": {**SNMP, "ports": []}}, 0),
        ("10.20.0.5:162", {"snmp": {**SNMP, "protocol": "all", "ports": []}}, 0),
        ("10.20.0.5:163", {"snmp": SNMP}, 1),
        ("10.20.1.5:162", {"snmp": SNMP}, 1),
        ("10.20.0.5:162", {"snmp": {**SNMP, "protocol": "tcp"}}, 1),
        ("10.20.0.5:162,10.9.0.1:162,10.9.0.2:162", {"snmp": SNMP}, 2),
        ("receiver.example:162", {}, 0),
        ("[::ffff:10.20.0.5]:162", {"snmp": SNMP}, 0),
        ("[::ffff:10.20.1.5]:162", {"snmp": SNMP}, 1),
        # What no firewall's rule can have allows nothing.
        ("10.20.0.5:162", {"snmp": {**SNMP, "ranges": ["10.20.0.5/99", 7]}}, 1),
        ("10.20.0.5:162", {"snmp": {**SNMP, "ranges": ["10.20.0.5/99", "10.20.0.5"]}}, 0),
        ("10.20.0.5:162", {"snmp": {**SNMP, "ports": ["snmp", "160-", "162-161"]}}, 1),
        ("10.20.0.5:162", {"snmp": {**SNMP, "ports": ["snmp", 162]}}, 0),
    ],
)
def test_a_receiver_that_the_platforms_firewall_stops_is_a_problem(
    receivers: str, allowances: dict[str, object], problems: int, tmp_path: Path
) -> None:
    product = bake(tmp_path, gcp_project_id="a-project", platform="create")
    set_environment(product, SNMP_RECEIVERS=receivers)
    allow_egress(product, allowances)
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == ["egress-denied"] * problems
    allow_egress(product, None)
    assert doctor(product, "doctor", "--local", "--json").problems() == []


OTHER_SETTINGS = """\
class SettingsError(ValueError):
    pass
class Settings:
    receivers = {"a": ("10.20.0.5", 162)}
"""
READ = "def read_settings(environment):\n    "


@pytest.mark.parametrize(
    ("code", "verdict", "seen"),
    [
        ("return Settings()", "ok", ""),
        ("print('started'); return Settings()", "ok", ""),
        ("raise SettingsError('A is wrong')", "problem", "A is wrong."),
        ("raise SettingsError", "problem", "SettingsError, without a reason."),
        ("raise SettingsError('https://u:s3cret@host.example/')", "problem", "[hidden]"),
        ("raise SystemExit(0)", "could not tell", "ended the program"),
        ("raise SystemExit(3)", "could not tell", "exit status 3"),
        ("print('[]'); raise SystemExit(0)", "could not tell", "ended the program"),
        ("raise OSError('no disk')", "could not tell", "OSError: no disk"),
        ("Settings.receivers = {'a': ('x', 1, 2)}; return Settings()", "could not tell", "pairs"),
        ("Settings.receivers = {'a': ('x', True)}; return Settings()", "could not tell", "pairs"),
    ],
)
def test_only_an_answer_of_the_functions_settings_is_one(
    code: str, verdict: str, seen: str, product: Baked
) -> None:
    set_environment(product, SNMP_RECEIVERS="10.20.0.5:162")
    allow_egress(product, {"snmp": SNMP})
    file = product.path / "function/settings.py"
    file.write_text(f"{OTHER_SETTINGS}{READ}{code}\n", encoding="utf-8")
    said = doctor(product, "doctor", "--local", "--json")
    results = {each["check"]: each for each in said.json()["results"]}
    found = results["the function accepts its settings"]
    assert (found["verdict"], seen in found["seen"]) == (verdict, True), found
    assert ("the network lets the function reach 10.20.0.5:162" in results) == (verdict == "ok")
    assert said.status == (FOUND if verdict == "problem" else HEALTHY)
    assert "s3cret" not in said.output


@pytest.mark.slow
def test_settings_that_never_answer_are_ended_with_all_their_children(product: Baked) -> None:
    set_environment(product, SNMP_RECEIVERS="10.20.0.5:162")
    child = product.path / "child"
    code = (
        "import pathlib, subprocess\n"
        f"    pid = subprocess.Popen(['sleep', '600']).pid\n"
        f"    pathlib.Path({str(child)!r}).write_text(str(pid))\n    while True: pass\n"
    )
    file = product.path / "function/settings.py"
    file.write_text(f"{OTHER_SETTINGS}{READ}{code}", encoding="utf-8")
    said = doctor(product, "doctor", "--local", "--json")
    seen = [each["seen"] for each in said.json()["results"]]
    assert "function/settings.py gave no answer within 20 s" in seen
    assert_ended(int(child.read_text(encoding="utf-8")))


def test_the_functions_settings_are_texts_as_terraform_makes_them(product: Baked) -> None:
    values = {"A": True, "B": 1.0, "C": 0.50, "D": 1e3, "E": 7, "F": "x"}
    set_environment(product, **values)
    code = "raise SettingsError(' '.join(map(environment.__getitem__, 'ABCDEF')))"
    file = product.path / "function/settings.py"
    file.write_text(f"{OTHER_SETTINGS}{READ}{code}\n", encoding="utf-8")
    said = doctor(product, "doctor", "--local", "--json")
    assert "true 1 0.5 1000 7 x." in [each["seen"] for each in said.json()["results"]]


def test_another_environment_has_its_own_platform_and_project(product: Baked) -> None:
    environments = product.path / "terraform/function/environments"
    environments.mkdir()
    (environments / "prod.tfvars.json").write_text('{"project_id": "my-project-id"}')
    assert doctor(product, "doctor", "--local", "--json").problems() == []
    said = doctor(product, "doctor", "--local", "--json", "--env", "prod")
    assert said.problems() == ["placeholder-project"]
    (environments / "prod.tfvars.json").write_text('{"project_id": "the-prod"}')
    handed = product.read(HAND_OVER).replace("a-project", "the-prod")
    (environments / "prod.platform.tfvars.json").write_text(handed, encoding="utf-8")
    said = doctor(product, "doctor", "--local", "--json", "--env", "prod")
    assert said.problems() == ["hand-over-differs"]
    printed = doctor(product, "doctor", "--local", "--env", "prod").output
    assert "make lock ENV=prod" in printed
    assert "terraform/function/environments/prod.platform.tfvars.json" in printed
    assert "terraform/function/platform.auto.tfvars.json" not in printed
    assert (
        "What differs in prod is set in terraform/function/environments/prod.tfvars.json" in printed
    )


def test_the_doctor_knows_what_the_template_and_the_stack_offer(product: Baked) -> None:
    program = "import json; from closed_function import index, runtimes; "
    program += "print(json.dumps([sorted(index.SIGN_IN_LOCATIONS), runtimes.DEFAULT_RUNTIME, "
    program += "[*runtimes.RUNTIME_ENDS], runtimes.LOCKED_PYTHONS]))"
    known = json.loads(product.run(sys.executable, "-B", "-c", program).stdout)
    locations, default, runtimes, locked = known
    assert locations == sorted([*QUESTIONS["_regions"], *QUESTIONS["_multi_regions"]])
    assert sorted(locked) == sorted(QUESTIONS["python_version"])
    offered = [f"python{version.replace('.', '')}" for version in locked]
    assert set(offered) <= set(runtimes)
    variables = product.read("terraform/function/variables.tf")
    assert f'optional(string, "{default}")' in variables
    assert ", ".join(f'"{runtime}"' for runtime in offered) in variables


# The catalogue


def test_every_cause_is_complete_and_refers_to_others_that_exist() -> None:
    assert len(SYMPTOMS) == len(CATALOGUE["symptoms"])
    assert not set(SYMPTOMS) & set(GROUPS)
    for symptom in SYMPTOMS.values():
        texts = [symptom[name] for name in ("what", "why", "cure", "source")]
        assert all(text.strip() == text and text for text in texts), symptom["id"]
        assert symptom["confidence"] in ("high", "medium", "low")
        assert bool(symptom["confirm"]) == bool(symptom["shows"]), symptom["id"]
    for group in GROUPS.values():
        assert group["patterns"]
        assert set(group["symptoms"]) <= set(SYMPTOMS)
    for cause in CAUSES.values():
        assert set(cause["instead_of"]) <= set(CAUSES), cause["id"]


def test_every_problem_that_a_check_names_is_in_the_catalogue() -> None:
    named: set[str] = set()
    for file in (PRODUCT / "closed_function/checks").glob("*.py"):
        source = file.read_text(encoding="utf-8")
        named |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source)) & set(SYMPTOMS)
        unknown = set(re.findall(r'symptom="([^"]+)"', source)) - set(SYMPTOMS)
        assert not unknown, file.name
    assert "upstream-denied" in named
    grouped = {name for group in GROUPS.values() for name in group["symptoms"]}
    for name in ("grammar.py", "tracebacks.py", "tables.json"):
        source = (PRODUCT / "closed_function/symptoms" / name).read_text(encoding="utf-8")
        named |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source)) & set(SYMPTOMS)
    seldom = {name for name, entry in SYMPTOMS.items() if not entry["patterns"]} - grouped
    assert seldom <= named, "nothing ever tells these"


def test_every_cause_that_a_log_shows_has_a_text_from_elsewhere() -> None:
    explained = {name for each in SOURCES.values() for name in listed(each["explained_as"])}
    with_patterns = {name for name, cause in CAUSES.items() if cause["patterns"]}
    assert with_patterns - explained - SENTENCES.keys() == set()
    assert set(SOURCES) == {file.name for file in LOGS.iterdir()} - {"sources.json"}
    assert all(source["source"] for source in SOURCES.values())


def listed(explained: str | list[str] | None) -> list[str]:
    """The ids that sources.json gives for a text: none, one, or several in their order."""
    return [explained] if isinstance(explained, str) else explained or []


# In one process, because a process for each text takes minutes.
EXPLAIN_EACH = """
import contextlib, io, json, sys
from closed_function.__main__ import parse
said = {}
for log in sys.argv[1:]:
    options = parse(["explain", "--json", log])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = int(options.module.run(options))
    said[log] = [status, printed.getvalue()]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def explained(reader: Baked) -> dict[str, Said]:
    """What the doctor says of each text, by the text's name."""
    logs = [str(LOGS / name) for name in SOURCES]
    done = reader.run(sys.executable, "-B", "-c", EXPLAIN_EACH, *logs)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return {Path(log).name: Said(status, output, "") for log, (status, output) in said.items()}


@pytest.mark.parametrize("name", SOURCES)
def test_a_text_is_explained_as_what_it_is_and_as_nothing_else(
    name: str, explained: dict[str, Said]
) -> None:
    said = explained[name]
    wanted = listed(SOURCES[name]["explained_as"])
    assert said.causes() == wanted, said.output
    succeeded = said.json()["succeeded"]
    assert said.status == (FOUND if wanted and not succeeded else HEALTHY)


def test_every_pattern_is_in_some_text(reader: Baked) -> None:
    program = """
import json, pathlib, sys
from closed_function.symptoms.catalogue import load
from closed_function.symptoms.forms import encoding_of, normalise
from closed_function.symptoms.patterns import compile_pattern
patterns = {
    text: compile_pattern(text)
    for cause in load().causes().values() for text in (*cause.patterns, *cause.also)
}
logs = [log.read_bytes() for log in pathlib.Path(sys.argv[1]).glob("*.log")]
texts = [normalise(log.decode(encoding_of(log), "replace")).text for log in logs]
texts += [each for sentences in json.loads(sys.argv[2]).values() for each in sentences]
unseen = [
    text for text, compiled in patterns.items()
    if not any(next(each.matches(log), None) for each in compiled for log in texts)
]
print(json.dumps([len(patterns), unseen]))
"""
    done = reader.run(sys.executable, "-B", "-c", program, str(LOGS), json.dumps(SENTENCES))
    number, unseen = json.loads(done.stdout)
    assert number > 400
    assert unseen == []


def test_causes_that_print_the_same_text_are_told_apart_by_a_command(reader: Baked) -> None:
    group = GROUPS["pip-found-nothing"]
    alike = {"upstream-denied", "reader-missing", "not-in-index", "new-version-only"}
    assert alike <= set(group["symptoms"])
    said = doctor(reader, "explain", str(LOGS / "pip-found-nothing.log"))
    positions = [said.output.index(f"{name}: ") for name in group["symptoms"]]
    assert positions == sorted(positions)
    assert "To tell these causes apart: `make doctor`" in said.output
    # The commands are this repository's.
    assert "--project=a-project --location=asia-northeast1" in said.output


def test_the_commands_name_the_build_account_of_the_functions_own(product: Baked) -> None:
    log = str(LOGS / "pip-found-nothing.log")
    assert "cb-builder@a-project." in doctor(product, "explain", log).output
    own = '"function": {"own_build_service_account": true,'
    in_file(SETTINGS, '"function": {', own)(product.path)
    for said in (doctor(product, "explain", log), doctor(product, "explain", "--json", log)):
        assert "alert-to-snmp-build@a-project." in said.output
        assert "cb-builder@" not in said.output


@pytest.mark.slow
def test_gcloud_knows_every_command_that_is_advised(gcloud: str, tmp_path: Path) -> None:
    values = {
        "build_account": "b@a-project.iam.gserviceaccount.com",
        **dict.fromkeys(("location", "in_location"), "asia-northeast1"),
        "member": "user:taro@example.com",
        "role": "roles/run.admin",
    }
    commands = set()
    for symptom in SYMPTOMS.values():
        quoted = re.findall(r"`(gcloud [^`]+)`", f"{symptom['cure']} {symptom['why']}")
        if symptom["confirm"].startswith("gcloud "):
            quoted.append(symptom["confirm"])
        commands |= set(quoted)
    commands |= set(TABLES["grants"].values())
    assert len(commands) > len(TABLES["grants"])
    commands = {
        re.sub(r"\{(\w+)(?::([^{}]*))?\}", lambda n: values.get(n[1]) or n[2] or "a-name", each)
        for each in commands
    }
    known = sorted(command.partition(" | ")[0] for command in commands)
    wrong = "gcloud artifacts vpcsc-config allowx"
    assert refused_commands(gcloud, [*known, wrong], tmp_path) == [wrong]


def test_make_knows_every_target_that_is_advised() -> None:
    makefile = (PRODUCT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    advised = set(re.findall(r"\bmake ([a-z]+)", json.dumps(CATALOGUE)))
    assert {"allow", "doctor", "lock"} <= advised
    assert advised <= targets


def test_the_page_of_causes_is_made_of_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(CATALOGUE), "run `make docs`"
    assert "`make doctor`" in page(CATALOGUE)


# Logs of every form

TWO_LINES = (LOGS / "pip-found-nothing.log").read_bytes()
FORMS: dict[str, bytes] = {
    "as it is": TWO_LINES,
    "CRLF": TWO_LINES.replace(b"\n", b"\r\n"),
    "colours": b"\x1b[31;1m" + TWO_LINES.replace(b" ", b"\x1b[0m \x1b[1;31m"),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + TWO_LINES,
    "UTF-16": TWO_LINES.decode().encode("utf-16"),
    "Shift-JIS around it": "ビルドに失敗しました\n".encode("cp932") * 3 + TWO_LINES,
    "binary rubbish around it": bytes(range(256)) * 9 + b"\n" + TWO_LINES + bytes(range(256)),
    "one line of JSON": json.dumps({"textPayload": TWO_LINES.decode()}).encode(),
    "Cloud Build's prefix": re.sub(rb"(?m)^", b'Step #1 - "build": ', TWO_LINES),
    "progress without line ends": b"\r".join([b"Downloading 5%"] * 50) + b"\r" + TWO_LINES,
}


@pytest.mark.parametrize("name", FORMS)
def test_a_log_is_read_in_whatever_form(name: str, reader: Baked) -> None:
    said = doctor(reader, "explain", "--json", log=FORMS[name])
    assert said.causes()[:1] == ["pip-found-nothing"]


@pytest.mark.parametrize("width", [40, 78, 200])
def test_what_terraform_wraps_is_found(width: int, reader: Baked) -> None:
    import textwrap

    text = (LOGS / "build-sources-denied.log").read_text(encoding="utf-8")
    wrapped = [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(paragraph, width, break_long_words=False) or [""]
    ]
    boxed = "╷\n" + "".join(f"│ {line}\n" for line in wrapped) + "╵\n"
    said = doctor(reader, "explain", "--json", log=boxed.encode())
    assert said.causes()[:1] == ["build-sources-denied"]


def test_words_that_look_like_a_cause_are_none(reader: Baked) -> None:
    for log in (b"", b"\n" * 1000, os.urandom(200_000), "エラーはありません\n".encode() * 100):
        said = doctor(reader, "explain", "--json", log=log)
        assert (said.status, said.causes()) == (HEALTHY, [])
    neither = doctor(reader, "explain", log=b"all is well\n").output
    assert "neither an error nor success" in neither
    assert "Line 1: all is well" in neither
    ended_well = doctor(reader, "explain", log=b"Apply complete! Resources: 1 added\n").output
    assert "shows no failure" in ended_well
    assert "The log is empty" in doctor(reader, "explain", log=b"").output
    unknown = b"one\nERROR: the flux is inverted\nthree\nError: and the tide is out\n"
    said = doctor(reader, "explain", log=unknown)
    assert "no known cause" in said.output
    assert "Line 2: ERROR: the flux is inverted" in said.output
    assert "make doctor" in said.output


MAKES_END = "apply of terraform/function failed.\nmake: *** [Makefile:81: deploy] Error 1\n"
BOX = """\
╷
│ Error: Error waiting for creating Flux: it was denied
│
│   with google_flux.this,
│   on flux.tf line 1, in resource "google_flux" "this":
│
│ Details of the error: DETAIL, an Error that was denied.
╵
"""
RED_BOX = re.sub(r"(?m)^(.)", "\x1b[31m\\1\x1b[0m\x1b[0m", BOX).replace(
    "Error: Error", "\x1b[0m\x1b[1m\x1b[31mError: \x1b[0m\x1b[0m\x1b[1mError"
)


@pytest.mark.parametrize(
    ("log", "number", "said"),
    [
        (BOX, 2, "Error: Error waiting for creating Flux: it was denied"),
        (RED_BOX, 2, "Error: Error waiting for creating Flux: it was denied"),
        (
            "Error: the flux is inverted\n\n  on a.tf line 1:\n\nit was denied\n",
            1,
            "Error: the flux is inverted",
        ),
        ("the token was denied\n", 1, "the token was denied"),
    ],
    ids=["a box", "a box in colours", "no box", "a word alone"],
)
def test_the_first_error_is_the_sentence_that_says_what_is_wrong(
    log: str, number: int, said: str, reader: Baked
) -> None:
    explained = doctor(reader, "explain", log=(log + MAKES_END).encode())
    assert f"Its first error:\nLine {number}: {said}\n" in explained.output
    # Where there is nothing else, the line shows that something failed.
    explained = doctor(reader, "explain", log=f"Apply complete!\n{MAKES_END}".encode())
    assert "Its first error:\nLine 2: apply of terraform/function failed.\n" in explained.output


@pytest.mark.parametrize("box", [BOX, RED_BOX], ids=["a box", "a box in colours"])
def test_a_cause_in_the_details_of_a_box_is_shown_after_its_sentence(
    box: str, reader: Baked
) -> None:
    quota = "insufficient quota to create a new worker pool"
    log = (box.replace("DETAIL", quota) + MAKES_END).encode()
    (shown,) = doctor(reader, "explain", "--json", log=log).json()["explained"]
    assert (shown["id"], shown["line"]) == ("pool-quota", 2)
    sentence, _, detail = shown["text"].partition(" … ")
    assert sentence == "Error: Error waiting for creating Flux: it was denied"
    assert quota in detail
    outside = doctor(reader, "explain", "--json", log=log + f"after it: {quota}\n".encode())
    assert outside.json()["explained"][0]["text"] == shown["text"]
    alone = doctor(reader, "explain", "--json", log=f"{BOX}alone: {quota}\n".encode())
    assert alone.json()["explained"][0]["text"] == f"alone: {quota}"


def test_the_line_that_shows_it_is_told_without_what_is_secret(reader: Baked) -> None:
    line = next(line for line in TWO_LINES.decode().splitlines() if "Could not find" in line)
    secret = "Tr0ub4dor-and-3" * 20  # longer than what is shown
    forms = {
        "before": f"https://me:{secret}@h/ {line}",
        "after": f"{line} Authorization: Bearer {secret}",
        "cut in its middle": f"{'w' * 40} {line} {'w' * 30} https://me:{secret}@h/",
        "cut at its beginning": f"password={secret} {line}",
    }
    for form in forms.values():
        log = ("one\ntwo\n" * 100_000 + form + "\n").encode()
        said = doctor(reader, "explain", "--json", log=log)
        (first,) = said.json()["explained"]
        assert first["line"] == 200_001
        assert "Could not find a version" in first["text"]
        reexplained = doctor(reader, "explain", log=log)
        assert secret[:15] not in said.output + reexplained.output


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(b"Skipping link\nFetched page /simple/ as " + b" " * 100_000, id="blanks"),
        pytest.param(b"(from versions: " * 100_000, id="beginnings"),
        pytest.param(b"Retry(total=0, connection broken by ': /" * 50_000, id="first pieces"),
        pytest.param("│ ".encode() * 500_000, id="marks of Terraform"),
        pytest.param(b"\x1b[" * 500_000, id="escapes"),
    ],
)
def test_no_log_takes_longer_than_its_length(log: bytes, reader: Baked) -> None:
    # The runner's time limit is what a search that tries every way would meet.
    assert doctor(reader, "explain", "--json", log=log).causes() == []


def test_what_did_not_stop_a_run_is_said_not_to_have(reader: Baked) -> None:
    retried = (LOGS / "index-unreachable.log").read_bytes()
    for end in (
        b"Successfully installed idna-3.7\n",
        b"\nDONE\n",
        b"Apply complete! Resources: 1\n",
    ):
        said = doctor(reader, "explain", log=retried + end)
        assert said.status == HEALTHY
        assert said.output.startswith("The log ends in success")
        assert "index-unreachable: " in said.output
        # Not when something goes wrong after that.
        assert doctor(reader, "explain", log=retried + end + b"ERROR: no\n").status == FOUND


def test_a_text_across_two_pieces_of_a_log_is_found(reader: Baked) -> None:
    line = 1 + TWO_LINES[: TWO_LINES.index(b"(from versions")].count(b"\n")
    for filler in range((1 << 20) - 300, (1 << 20) + 9000, 950):
        said = doctor(reader, "explain", "--json", log=b"x" * filler + b"\n" + TWO_LINES)
        assert said.causes()[:1] == ["pip-found-nothing"]
        assert said.json()["explained"][0]["line"] == 1 + line


@pytest.mark.slow
def test_a_log_of_a_hundred_megabytes_is_read_in_little_memory(
    reader: Baked, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    line = b"2026-11-24T01:02:03Z  Step #1: a line of a build that does nothing unusual at all\n"
    with log.open("wb") as file:
        for _ in range(100):
            file.write(line * (1_000_000 // len(line)))
            file.write(os.urandom(10_000))
        file.write(b"\n" + TWO_LINES)
    limit = f"ulimit -v {600_000}; exec {sys.executable} -m closed_function explain --json {log}"
    done = subprocess.run(
        ["sh", "-c", limit],
        cwd=reader.path,
        env=bare_environment(tmp_path),
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert [cause["id"] for cause in json.loads(done.stdout)["explained"]] == ["pip-found-nothing"]


# Usage, and a build's log through gcloud

BUILD = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["explain", "no-such-file"], COULD_NOT_LOOK, "no-such-file: cannot be read"),
        (["explain", "."], COULD_NOT_LOOK, ".: cannot be read"),
        (["explain", "--build", "latest"], USAGE, "such as 01234567"),
        (["explain", "--build", BUILD, "file"], USAGE, "not allowed with"),
        (["explain", "--build", BUILD], COULD_NOT_LOOK, "gcloud is not installed"),
        (["doctor", "--env", "No"], USAGE, "such as prod"),
        (["doctor", "--env", "prod"], USAGE, "environments/prod.tfvars.json does not exist"),
        (["explain", "--env", "prod", "-"], USAGE, "environments/prod.tfvars.json does not exist"),
        (["heal"], USAGE, "invalid choice"),
        ([], USAGE, "required"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    arguments: list[str], status: int, words: str, reader: Baked, tmp_path: Path
) -> None:
    said = doctor(reader, *arguments, environment={"PATH": str(tmp_path)})
    assert said.status == status
    assert words in said.errors
    assert "Traceback" not in said.errors


@pytest.mark.slow
def test_the_log_of_a_build_is_fetched_by_gcloud(
    gcloud: str, reader: Baked, cloud: HealthyCloud, stand_in: StandIn, signed_in: dict[str, str]
) -> None:
    environment = {**signed_in, "PATH": os.pathsep.join([str(Path(gcloud).parent), os.defpath])}
    name = f"projects/a-project/locations/asia-northeast1/builds/{BUILD}"
    build = {"id": BUILD, "projectId": "a-project", "createTime": "2026-11-24T00:00:00Z"}
    logging = {"options": {"logging": "CLOUD_LOGGING_ONLY"}}
    cloud.add("cloudbuild", name, status="FAILURE", **build, **logging)
    log = add_build_log(cloud, "a-project", BUILD, TWO_LINES.decode())
    said = doctor(reader, "explain", "--json", "--build", BUILD, environment=environment)
    assert (said.status, said.causes()) == (FOUND, ["pip-found-nothing"]), said.errors
    cloud.delete(log)
    add_build_log(cloud, "a-project", BUILD, "all is well")
    said = doctor(reader, "explain", "--json", "--build", BUILD, environment=environment)
    assert (said.status, said.causes()) == (HEALTHY, [])
    other = BUILD.replace("0", "f")
    said = doctor(reader, "explain", "--build", other, environment=environment)
    assert said.status == COULD_NOT_LOOK
    assert f"gcloud builds describe {other} --project=a-project" in said.errors
    assert "NOT_FOUND" in said.errors
    assert {asked.headers["authorization"] for asked in stand_in.asked} == {f"Bearer {TOKEN}"}
    assert TOKEN not in said.output + said.errors


def test_a_build_is_named_that_a_log_of_terraform_names(reader: Baked) -> None:
    link = f"https://console.cloud.google.com/cloud-build/builds;region=asia-northeast1/{BUILD}"
    log = f"│ Build failed with status: FAILURE, see the build log at\n│ {link}?project=1\n"
    said = doctor(reader, "explain", log=log.encode())
    assert f"make explain BUILD={BUILD}" in said.output
    assert doctor(reader, "explain", "--json", log=log.encode()).json()["build"] == BUILD


@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_a_gcloud_that_hangs_is_ended_with_the_doctor(
    request_to_end: signal.Signals, reader: Baked, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "gcloud").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 300\n")
    (programs / "gcloud").chmod(0o755)
    path = os.pathsep.join([str(programs), os.defpath])
    process = subprocess.Popen(
        [sys.executable, "-m", "closed_function", "explain", "--build", BUILD],
        cwd=reader.path,
        env=bare_environment(tmp_path, PATH=path),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    process.send_signal(request_to_end)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + request_to_end
    assert "Interrupted" in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_without_somewhere_to_read_or_print_there_is_no_traceback(reader: Baked) -> None:
    for arguments in (
        "explain <&-",
        "doctor --local >&-",
        "doctor --local >/dev/full",
        "doctor 2>&-",
    ):
        done = reader.run("sh", "-c", f"{sys.executable} -m closed_function {arguments}")
        assert "Traceback" not in done.stderr, arguments
        assert done.returncode in (HEALTHY, FOUND, COULD_NOT_LOOK), arguments


def test_a_reader_that_has_seen_enough_is_no_error(reader: Baked) -> None:
    command = (
        f"{sys.executable} -m closed_function explain {LOGS / 'pip-found-nothing.log'} | head -n 1"
    )
    done = reader.run("sh", "-c", command)
    assert done.stdout.startswith("Line ")
    assert done.stderr == ""


def test_make_hands_over_what_was_typed(reader: Baked, tmp_path: Path) -> None:
    odd = tmp_path / "a log; touch marker"
    shutil.copyfile(LOGS / "pip-found-nothing.log", odd)
    for arguments in ([f"LOG={odd}"], []):
        done = subprocess.run(
            ["make", "explain", *arguments],
            cwd=reader.path,
            env=bare_environment(tmp_path, PYTHON=sys.executable),
            input=TWO_LINES.decode(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "pip-found-nothing: " in done.stdout, done.stderr
        assert (done.returncode, done.stderr) == (0, "")
    assert not (reader.path / "marker").exists()
    fresh = bake(tmp_path)
    done = subprocess.run(
        ["make", "doctor"],
        cwd=fresh.path,
        env=bare_environment(tmp_path, PYTHON=sys.executable),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "placeholder-project: " in done.stdout


@pytest.mark.parametrize("name", ["no framework", "another repository", "an unknown runtime"])
def test_the_products_own_test_notices_what_the_doctor_does(name: str, product: Baked) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--override-ini=filterwarnings=", "tests/test_repository.py"]
    assert product.run(*command).returncode == 0
    BROKEN[name][0](product.path)
    failed = product.run(*command)
    assert failed.returncode == 1
    assert "run `make doctor`" in failed.stdout
