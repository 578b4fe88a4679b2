"""Text from outside never looks like a line of ours, in any output of any command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from closed_function.redaction import one_line, quote
from cloud_stand_in.routing import Raw
from cloud_stand_in.server import StandIn
from tests.support.baking import Baked, bake
from tests.support.doctor import Said, doctor
from tests.support.healthy_cloud import HealthyCloud
from tests.support.repositories import commit, git

# A line break of each kind, what a terminal acts on, what turns the direction, and a credential.
BREAKS = ("\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\u2029")
HOSTILE = (
    "see "
    + "".join(f"{each}FORGED: all is well" for each in BREAKS)
    + " \x1b[2K\x1b]0;title\x07\x9b1A\u202edlo\u2066\u200f\u200b pass\u200bword=hunter2 end"
)
SHELL = "#!/bin/sh\ncat <<'END' {where}\n{text}\nEND\nexit {status}\n"
PYTHON = "import sys\nprint({text!r}, file=sys.{where})\nsys.exit({status})\n"


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    made = bake(tmp_path / "made", gcp_project_id="a-project", platform="join")
    git(made.path, "init", "--quiet")
    state = {"template": "/nowhere", "commit": "c", "context": {"cookiecutter": {}}}
    (made.path / ".cruft.json").write_text(json.dumps(state), encoding="utf-8")
    commit(made.path)
    return made


def assert_presentable(text: str) -> None:
    """The hostile text is there, and harmless."""
    assert "FORGED" in text
    for line in text.split("\n"):
        assert line.isprintable(), line
        assert not line.lstrip().startswith("FORGED"), text
    assert "hunter2" not in text


def texts(content: object) -> Iterator[str]:
    """Yield every text in a JSON document, the names included."""
    if isinstance(content, dict):
        yield from (each for pair in content.items() for part in pair for each in texts(part))
    elif isinstance(content, list):
        yield from (each for part in content for each in texts(part))
    elif isinstance(content, str):
        yield content


def assert_presentable_json(content: object) -> None:
    assert any("FORGED" in text for text in texts(content))
    for text in texts(content):
        if "FORGED" in text:  # the catalogue's own texts may have lines
            assert text.isprintable(), text
            assert "hunter2" not in text


def test_the_text_would_do_harm_as_it_is() -> None:
    with pytest.raises(AssertionError):
        assert_presentable(HOSTILE)
    assert_presentable(one_line(HOSTILE))
    assert_presentable(quote(HOSTILE))
    assert one_line("障害  通知\u3000🚨\t→ ok") == "障害 通知 🚨 → ok"
    assert quote("one\n\ntwo") == "> one\n>\n> two"


# --- what Google Cloud answers ---


def refuse(stand_in: StandIn, _: HealthyCloud) -> None:
    """Let every read fail with a hostile message."""
    error = {"error": {"code": 500, "message": HOSTILE}}
    stand_in.faults.instead = Raw(
        json.dumps(error).encode(), 500, {"content-type": "application/json"}
    )


def name(_: StandIn, cloud: HealthyCloud) -> None:
    """Let what is there have hostile names and states."""
    perimeter = cloud.resources.pop(cloud.closed)
    perimeter["name"] = f"accessPolicies/900/servicePerimeters/{HOSTILE}"
    cloud.resources[f"accesscontextmanager/{perimeter['name']}"] = perimeter
    cloud.resources[cloud.pool]["state"] = HOSTILE
    cloud.resources[cloud.docker]["format"] = HOSTILE
    source = {"bucket": "b", "object": "o", "generation": HOSTILE}
    cloud.put(
        f"cloudfunctions/{cloud.place}/functions/alert-to-snmp",
        state="FAILED",
        stateMessages=[{"message": HOSTILE}],
        updateTime="2026-01-01T00:00:00Z",
        url=HOSTILE,
        serviceConfig={"revision": HOSTILE},
        buildConfig={"runtime": HOSTILE, "source": {"storageSource": source}},
    )


@pytest.mark.parametrize("prepare", [refuse, name])
@pytest.mark.parametrize("command", ["doctor", "status"])
def test_what_an_api_answers(
    command: str,
    prepare: Callable[[StandIn, HealthyCloud], None],
    product: Baked,
    stand_in: StandIn,
    cloud: HealthyCloud,
    signed_in: dict[str, str],
    recorded: str,
) -> None:
    prepare(stand_in, cloud)
    environment = {**signed_in, "PATH": f"{recorded}:{signed_in['PATH']}"}
    said = doctor(product, command, environment=environment)
    assert [each.error for each in stand_in.asked if each.status == 501] == []
    assert_presentable(said.output)
    assert_presentable_json(doctor(product, command, "--json", environment=environment).json())


# --- what other programs print ---

Printed = tuple[list[str], str, str, str, int]
# Each command with the program that it runs, and where and what that one prints.
PRINTED: dict[str, Printed] = {
    "doctor": (["doctor"], "gcloud", HOSTILE, ">&2", 1),
    "status": (["status"], "gcloud", HOSTILE, ">&2", 1),
    "allow": (["allow"], "gcloud", f"PERMISSION_DENIED: {HOSTILE}", ">&2", 1),
    "allow that is not confirmed": (["allow"], "gcloud", HOSTILE, "", 0),
    "explain": (
        ["explain", "--build", "01234567-89ab-cdef-0123-456789abcdef"],
        "gcloud",
        HOSTILE,
        ">&2",
        1,
    ),
    "secrets": (["secrets"], "gcloud", HOSTILE, ">&2", 1),
    "lock": (["lock"], "uv", HOSTILE, "stderr", 1),
    "rehearse": (["rehearse", "--template", "x"], "uv", HOSTILE, "stderr", 1),
    "upgrade": (["upgrade"], "cruft", f"x {HOSTILE}", "stderr", 1),
    "sbom": (["sbom"], "cyclonedx_py", HOSTILE, "stderr", 1),
    "audit that fails": (["audit"], "pip_audit", HOSTILE, "stderr", 1),
    "audit": (["audit"], "pip_audit", "", "stdout", 1),
}


def run(product: Baked, folder: Path, printed: Printed) -> Said:
    command, program, text, where, status = printed
    programs = folder / "programs"
    programs.mkdir()
    if program == "gcloud":
        file = programs / program
        file.write_text(SHELL.format(text=text, where=where, status=status), encoding="utf-8")
        file.chmod(0o755)
    else:
        script = PYTHON.format(text=text, where=where, status=status)
        (programs / f"{program}.py").write_text(script, encoding="utf-8")
    paths = {"PATH": f"{programs}:/usr/bin:/bin", "PYTHONPATH": str(programs)}
    return doctor(product, *command, environment=paths)


def vulnerabilities(product: Baked) -> str:
    """Return pip-audit's answer: each package has one, with a hostile id."""
    lines = product.read("function/requirements.txt").splitlines()
    names = [*(line.partition("==")[0] for line in lines if "==" in line), "django"]
    vulnerability: dict[str, Any] = {"id": HOSTILE, "aliases": [HOSTILE], "fix_versions": [HOSTILE]}
    packages = [{"name": each.partition("[")[0], "vulns": [vulnerability]} for each in names]
    return json.dumps({"dependencies": packages})


def name_secret(product: Baked) -> None:
    file = product.path / "terraform/function/settings.auto.tfvars.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["function"]["secret_environment"] = {"A": {"secret": "a", "version": "1"}}
    file.write_text(json.dumps(settings), encoding="utf-8")


@pytest.mark.parametrize("case", PRINTED)
def test_what_another_program_prints(case: str, product: Baked, tmp_path: Path) -> None:
    command, program, text, where, status = PRINTED[case]
    if case == "secrets":
        name_secret(product)
    if case == "audit":
        text = vulnerabilities(product)
    said = run(product, tmp_path, (command, program, text, where, status))
    assert said.status in (1, 3), said.errors
    assert_presentable(said.output + said.errors)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["", "json"])
def test_what_a_log_says(options: list[str], product: Baked) -> None:
    text = HOSTILE.replace("\r", "").replace("\n", "")  # which end a line of a log
    log = f"ERROR: No matching distribution found for {text}\n".encode()
    said = doctor(product, "explain", *options, log=log)
    if options:
        assert_presentable_json(said.json())
    else:
        assert_presentable(said.output)


def test_what_the_hand_over_says(product: Baked) -> None:
    """It comes from the platform's owner."""
    file = product.path / "terraform/function/platform.auto.tfvars.json"
    handed = json.loads(file.read_text(encoding="utf-8"))
    handed["platform"]["python_index_url"] = HOSTILE
    file.write_text(json.dumps(handed), encoding="utf-8")
    assert_presentable(doctor(product, "doctor", "--local").output)
    assert_presentable_json(doctor(product, "doctor", "--local", "--json").json())
    said = doctor(product, "lock")
    assert_presentable(said.output + said.errors)
