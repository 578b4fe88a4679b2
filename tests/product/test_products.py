"""Products at work: their own commands, on every Python found here, and the real gcloud."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from closed_network.processes import started
from cloud_stand_in.errors import ApiError, denied, permission_denied, precondition
from cloud_stand_in.gcloud import environment as lead_gcloud
from cloud_stand_in.routing import Raw
from cloud_stand_in.server import StandIn, serve
from tests.support.baking import Baked, bake, bare_environment, cli
from tests.support.environments import (
    ALL_PASSED,
    COVERED,
    LOCKS,
    PYTHON,
    Environments,
    assert_all_passed,
    assert_done,
    make,
    make_command,
    make_environment,
)
from tests.support.gcloud import ALLOWED, assert_ended, calls, fake_gcloud
from tests.support.healthy_cloud import HealthyCloud
from tests.support.machine import PYTHONS
from tests.support.template import CHOICES, KINDS

VERSIONS = sorted(CHOICES["python_version"], key=lambda version: version.split(".")[1].zfill(3))
HAND_OVER = "terraform/function/platform.auto.tfvars.json"
PIN = re.compile(r"^([a-z0-9._-]+(?:\[\S+\])?==\S+)", re.MULTILINE)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def baked_with_hooks(folder: Path, *answers: str) -> Baked:
    assert_done(cli(folder, "project_slug=product", *answers))
    return Baked(folder / "out" / "product")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", PYTHONS)
def test_a_product_passes_its_own_tests(
    version: str, kind: str, environments: Environments, tmp_path: Path
) -> None:
    product = baked_with_hooks(tmp_path, f"function_kind={kind}", f"python_version={version}")
    environments.give(product, PYTHONS[version])
    done = make(product, "test", COVERED, python=PYTHONS[version])
    assert_all_passed(done)
    assert f"Python {version}." in done.stdout
    assert "Required test coverage of 95% reached" in done.stdout


@pytest.mark.slow
def test_a_burst_of_alerts_loses_nothing_though_a_worker_is_killed(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="alert-to-snmp"))
    done = make(product, "test", "PYTEST_ADDOPTS=-m load")
    assert_done(done)
    if " 2 skipped, " in done.stdout.splitlines()[-1]:
        pytest.skip("snmptrapd or the Pub/Sub emulator is not installed")
    assert_all_passed(done)
    assert " 2 passed, " in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_product_that_is_broken_fails_its_own_tests(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    source = product.read("function/main.py")
    broken = source.replace('{"keys": sorted(body)}', '{"keys": []}')
    assert broken != source
    (product.path / "function/main.py").write_text(broken, encoding="utf-8")
    (product.path / "function/untested.py").write_text("a = 1\n" * 100, encoding="utf-8")
    done = make(product, "test", COVERED)
    assert done.returncode != 0
    assert re.search(r"^function/untested\.py +100 +100 +0% +1-100$", done.stdout, re.MULTILINE)
    assert "Required test coverage of 95% not reached" in done.stdout
    assert not ALL_PASSED.fullmatch(done.stdout.splitlines()[-1])
    assert "2 failed" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_test_whose_program_is_missing_is_left_out_but_fails_in_ci(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="pubsub"))
    test = "tests/test_integration.py::test_a_published_message_is_processed_once"
    for in_ci, status, summary in (("", 0, "1 skipped"), ("true", 1, "1 error")):
        done = subprocess.run(
            [product.path / ".venv/bin/python", "-m", "pytest", test],
            cwd=product.path,
            env={**make_environment(), "PATH": str(tmp_path), "CI": in_ci},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, done.stdout
        assert summary in done.stdout.splitlines()[-1]
        assert "the Pub/Sub emulator is not installed: this check did not run" in done.stdout


# --- make lock ---


def locks(product: Baked) -> list[bytes]:
    return [(product.path / name).read_bytes() for name in LOCKS]


@pytest.mark.slow
def test_make_lock_takes_the_index_over_and_keeps_every_version(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    before = [PIN.findall(product.read(name)) for name in LOCKS]
    assert all(before)
    url = "https://europe-west1-python.pkg.dev/the-platform/ar-other/simple/"
    handed = json.loads(product.read(HAND_OVER))
    assert handed["platform"]["python_index_url"] != url
    handed["platform"]["python_index_url"] = url
    (product.path / HAND_OVER).write_text(json.dumps(handed), encoding="utf-8")

    assert_done(make(product, "lock"))
    assert product.read(LOCKS[0]).splitlines()[0] == f"--index-url {url}"
    assert [PIN.findall(product.read(name)) for name in LOCKS] == before
    assert product.read(LOCKS[0]).count("--index-url") == 1


@pytest.mark.slow
def test_make_lock_adds_a_dependency_with_its_hashes(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    before = product.read(LOCKS[0])
    assert "humanize" not in before
    with (product.path / "function/requirements.in").open("a", encoding="utf-8") as wanted:
        wanted.write("humanize==4.9.0\n")

    assert_done(make(product, "lock"))
    after = product.read(LOCKS[0])
    assert set(PIN.findall(after)) == {*PIN.findall(before), "humanize==4.9.0"}
    assert re.search(
        r"^humanize==4\.9\.0 \\\n    --hash=sha256:[0-9a-f]{64}\b", after, re.MULTILINE
    )
    assert after.splitlines()[:2] == before.splitlines()[:2]
    assert after.splitlines()[1].startswith("# Wheels for Linux x86_64: Python 3.11, ")


@pytest.mark.slow
def test_make_lock_raises_the_versions_that_are_asked_for_only_when_told(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    origin = product.path / "function/requirements.in"
    with origin.open("a", encoding="utf-8") as wanted:
        wanted.write("humanize == 4.9.0 # old\nidna>=3\nclick==8.*\n-c limits.txt\n")
    (product.path / "function/limits.txt").write_text("humanize<4.11\n", encoding="utf-8")
    before = origin.read_text(encoding="utf-8")

    refused = make(product, "lock", "UPGRADE=al")
    assert refused.returncode != 0
    assert "invalid choice: 'al'" in refused.stderr
    assert_done(make(product, "lock", "UPGRADE=1"))
    assert origin.read_text(encoding="utf-8") == before
    assert "\nhumanize==4.9.0 " in product.read(LOCKS[0])

    environments.hold(product)  # or the environment of all products would be made anew
    assert_done(make(product, "lock", "UPGRADE=all"))
    (version,) = re.findall(r"^humanize == (\S+) # old$", origin.read_text("utf-8"), re.MULTILINE)
    assert (4, 9, 0) < tuple(map(int, version.split("."))) < (4, 11)
    assert f"\nhumanize=={version} " in product.read(LOCKS[0])
    assert "\nidna>=3\nclick==8.*\n" in origin.read_text(encoding="utf-8")
    assert list(origin.parent.glob(".*")) == []


@pytest.mark.slow
def test_make_lock_says_which_environment_has_no_index_of_its_own(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    before = locks(product)
    typo = make(product, "lock", "ENV=prdo")
    assert "terraform/function/environments/prdo.tfvars.json does not exist" in typo.stderr
    folder = product.path / "terraform/function/environments"
    folder.mkdir()
    (folder / "prod.tfvars.json").write_text('{"project_id": "p-project"}')
    shared = make(product, "lock", "ENV=prod")
    assert "prod has no platform of its own" in shared.stderr
    assert "Run: make lock" in shared.stderr
    assert typo.returncode != 0
    assert shared.returncode != 0
    assert locks(product) == before


@pytest.mark.slow
def test_make_lock_mends_a_lock_that_cannot_be_installed(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    whole = product.read(LOCKS[0])
    file = product.path / LOCKS[0]
    broken = "\ufeff" + whole.replace("--index-url", "--index-ur").replace("\n", "\r\n")
    broken += "requests==2.32.3\n<<<<<<< HEAD\nx @ https://example.com/x.whl"
    file.write_text(broken, encoding="utf-8", newline="")
    assert_done(make(product, "lock"))
    assert product.read(LOCKS[0]) == whole
    file.write_text(whole, encoding="utf-16")
    assert_done(make(product, "lock"))
    assert product.read(LOCKS[0]).splitlines()[:2] == whole.splitlines()[:2]


@pytest.mark.slow
def test_make_lock_refuses_what_has_wheels_for_another_system_alone(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    before = locks(product)
    with (product.path / "function/requirements.in").open("a", encoding="utf-8") as wanted:
        wanted.write("pywin32==306\n")
    done = make(product, "lock")
    assert done.returncode != 0
    assert "not every package has a wheel" in done.stderr
    assert "so pywin32 needs a wheel for Linux x86_64. Remove its version from" in done.stderr
    assert locks(product) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "advice"),
    [
        ("docopt==0.6.2", "Remove its version from requirements.in and run `make lock` again"),
        ("docopt", "and no version has one: replace docopt, or the package that needs it"),
        ("closed-network-function-template-no-such-package", ""),
    ],
)
def test_make_lock_says_what_to_do_about_a_package_without_wheels(
    wanted: str, advice: str, environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    with (product.path / "function/requirements.in").open("a", encoding="utf-8") as origin:
        origin.write(f"{wanted}\n")
    done = make(product, "lock")
    assert done.returncode != 0
    assert advice in done.stderr
    assert ("A build cannot compile, so docopt needs a wheel" in done.stderr) == bool(advice)


@pytest.mark.slow
def test_make_lock_that_fails_says_why_and_leaves_both_files(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    before, handed = locks(product), product.read(HAND_OVER)

    url = "https://example.com/simple/"
    for bad, reason in (
        ({}, " does not name platform.python_index_url"),
        ({"python_index_url": url}, f": {url} is not a Python repository of Artifact Registry"),
    ):
        (product.path / HAND_OVER).write_text(json.dumps({"platform": bad}), encoding="utf-8")
        done = make(product, "lock")
        assert done.returncode != 0
        (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        assert line.startswith(f"{HAND_OVER}{reason}")
        assert locks(product) == before
    (product.path / HAND_OVER).write_text(handed, encoding="utf-8")

    absent = "closed-network-function-template-no-such-package"
    with (product.path / "function/requirements.in").open("a", encoding="utf-8") as wanted:
        wanted.write(f"{absent}==1.0\n")
    done = make(product, "lock")
    assert done.returncode != 0
    assert "lock] Error 1" in done.stderr
    words = " ".join(done.stderr.replace("\n> ", "\n").split())  # uv breaks its lines
    assert f"{product.path / 'function/requirements.in'}: no lock" in words
    assert f"Because {absent} was not found" in words
    assert "your requirements are unsatisfiable" in words
    assert "Traceback" not in words
    assert locks(product) == before


# --- make run and make send ---


def wait_until_served(port: int, process: subprocess.Popen[str], output: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail(f"nobody answers on port {port}:\n{output.read_text(encoding='utf-8')}")


@pytest.mark.slow
def test_make_send_delivers_to_make_run_and_says_when_nobody_listens(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    port = f"PORT={free_port()}"
    (product.path / "events/second.json").write_text('{"b": 1, "a": 2}\n', encoding="utf-8")
    (tmp_path / "list.json").write_text("[1]\n", encoding="utf-8")

    def assert_not_delivered() -> None:
        done = make(product, "send", port)
        assert done.returncode != 0
        (words,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        assert words.startswith("request.json: not delivered (")
        assert words.endswith("; is `make run` running?")
        assert "200" not in done.stdout

    assert_not_delivered()
    output = tmp_path / "output"
    command = [*make_command(PYTHON), "run", port]
    with (
        output.open("w", encoding="utf-8") as written,
        started(command, make_environment(), product.path, written.fileno()) as process,
    ):
        wait_until_served(int(port.removeprefix("PORT=")), process, output)
        sent = make(product, "send", port)
        assert_done(sent)
        answers = [line for line in sent.stdout.splitlines() if ".json: " in line]
        assert [answer.split(" ")[:2] for answer in answers] == [
            ["request.json:", "200"],
            ["second.json:", "200"],
        ]
        one = make(product, "send", port, "EVENT=events/second.json")
        assert_done(one)
        answer = one.stdout.partition("second.json: 200 ")[2]
        assert json.loads(answer) == {"keys": ["a", "b"]}
        assert "request.json" not in one.stdout
        refused = make(product, "send", port, f"EVENT={tmp_path / 'list.json'}")
        assert refused.returncode != 0
        assert "list.json: 400 " in refused.stdout
    assert_not_delivered()


def answer_of(port: int) -> dict[str, Any] | None:
    """What the function answers to a request now; None when nobody does."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/", data=b"{}", headers={"Content-Type": "application/json"}
    )
    try:
        local = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with local.open(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except OSError:
        return None


def wait_for_answer(port: int, key: str, output: Path) -> Any:  # noqa: ANN401 - any JSON
    """What the function answers under `key`, as soon as it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = answer_of(port)
        if answer and key in answer:
            return answer[key]
        time.sleep(0.1)
    pytest.fail(f"no answer has {key}:\n{output.read_text(encoding='utf-8')}")


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_group_to_end(group: int) -> None:
    deadline = time.monotonic() + 10
    while group_exists(group):
        assert time.monotonic() < deadline, f"processes of group {group} still run"
        time.sleep(0.05)


def telling_its_group(source: str, key: str) -> str:
    """main.py with an answer that has the process group of the function under `key`."""
    changed = source.replace('"keys": sorted(body)', f'"{key}": __import__("os").getpgid(0)')
    assert changed != source
    return changed


@pytest.mark.slow
def test_make_run_serves_what_is_saved_and_waits_for_what_can_be_served(
    environments: Environments, tmp_path: Path
) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    main, source = product.path / "function/main.py", product.read("function/main.py")
    port, output = free_port(), tmp_path / "output"
    command = [*make_command(PYTHON), "run", f"PORT={port}"]
    ends = "The function has ended. It starts again when its code is saved.\n"
    with (
        output.open("w", encoding="utf-8") as written,
        started(command, make_environment(), product.path, written.fileno()) as process,
    ):
        wait_for_answer(port, "keys", output)
        main.write_text(telling_its_group(source, "edited"), encoding="utf-8")
        groups = [wait_for_answer(port, "edited", output)]
        assert ends not in output.read_text(encoding="utf-8")

        for number, (broken, reason) in enumerate(
            (("(", "SyntaxError"), ("raise ValueError('refused')", "ValueError: refused")), 1
        ):
            main.write_text(f"{source}{broken}\n", encoding="utf-8")
            deadline = time.monotonic() + 60
            while output.read_text(encoding="utf-8").count(ends) < number:
                assert time.monotonic() < deadline, output.read_text(encoding="utf-8")
                time.sleep(0.1)
            assert reason in output.read_text(encoding="utf-8")
            assert answer_of(port) is None
            main.write_text(telling_its_group(source, f"mended {number}"), encoding="utf-8")
            groups.append(wait_for_answer(port, f"mended {number}", output))

        assert group_exists(groups[-1])
        process.terminate()
        process.wait(timeout=30)
        for group in (process.pid, *groups):
            wait_for_group_to_end(group)
    assert output.read_text(encoding="utf-8").count(ends) == 2


@pytest.mark.slow
def test_ctrl_c_ends_make_run_and_the_function(environments: Environments, tmp_path: Path) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    main = product.path / "function/main.py"
    main.write_text(telling_its_group(main.read_text(encoding="utf-8"), "group"), encoding="utf-8")
    port, output = free_port(), tmp_path / "output"
    command = [*make_command(PYTHON), "run", f"PORT={port}"]
    with (
        output.open("w", encoding="utf-8") as written,
        started(command, make_environment(), product.path, written.fileno()) as process,
    ):
        group = wait_for_answer(port, "group", output)
        # The function has a group of its own, which a terminal does not interrupt.
        assert group != process.pid
        assert group_exists(group)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
        wait_for_group_to_end(process.pid)
        wait_for_group_to_end(group)


# --- the switch and a gcloud that is not one ---


def run_switch(
    product: Baked, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the product's tool as make does, in a bare environment."""
    return subprocess.run(
        [sys.executable, "-m", "closed_function", *arguments],
        cwd=product.path,
        env=bare_environment(folder, **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=120,
    )


def command(verb: str, project: str = "a-project", location: str = "europe-west1") -> str:
    return f"artifacts vpcsc-config {verb} --project={project} --location={location}"


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    """A product whose repository is in the-platform, us-east4."""
    return bake(
        tmp_path.resolve(),
        project_slug="product",
        platform_project_id="the-platform",
        region="us-east4",
    )


GOOD = "--index-url https://us-east4-python.pkg.dev/the-platform/ar-buildpython/simple/"
BAD_REQUIREMENTS = {
    "a missing file": (None, "the file is missing"),
    "an empty file": ("", "no index lines; exactly one is needed"),
    "no index line": ("flask==3.0.0\n", "no index lines; exactly one is needed"),
    "a comment for the index line": (f"# {GOOD}\n", "no index lines; exactly one is needed"),
    "two index lines": (f"{GOOD}\n{GOOD}\n", "2 index lines; exactly one is needed"),
    "a second index": (f"{GOOD}\n--extra-index-url https://example.com/simple/\n", "a second"),
    "another host": ("--index-url https://example.com/p/r/simple/\n", "example.com"),
    "another host with the right beginning": (
        GOOD.replace("pkg.dev", "pkg.dev.example.com") + "\n",
        "pkg.dev.example.com",
    ),
    "http": (GOOD.replace("https", "http") + "\n", "http://us-east4-python.pkg.dev"),
    "a path without simple": (GOOD.removesuffix("simple/") + "\n", "/the-platform/ar-buildpython/"),
    "credentials": (GOOD.replace("://", "://someone:pass-word@") + "\n", "has credentials"),
    "a port that is none": (GOOD.replace(".dev", ".dev:x]") + "\n", "not a"),
}


@pytest.mark.parametrize("case", BAD_REQUIREMENTS)
def test_requirements_that_name_no_switch_are_refused_in_one_line(
    case: str, product: Baked, tmp_path: Path
) -> None:
    text, reason = BAD_REQUIREMENTS[case]
    path = fake_gcloud(tmp_path, ALLOWED)
    good = run_switch(product, tmp_path, "describe", PATH=path)
    assert_done(good)
    assert "The switch of the-platform in us-east4: ALLOW" in good.stdout
    assert calls(tmp_path) == [command("describe", "the-platform", "us-east4")]

    file = product.path / "function/requirements.txt"
    assert file.read_text(encoding="utf-8").startswith(f"{GOOD}\n")
    file.unlink()
    if text is not None:
        file.write_text(text, encoding="utf-8")
    refused = run_switch(product, tmp_path, "describe", PATH=path)
    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"{file}: ")
    assert reason in line
    assert "--index-url https://asia-northeast1-python.pkg.dev/my-project-id/" in line
    assert "pass-word" not in line
    assert len(calls(tmp_path)) == 1


def test_project_and_location_that_are_given_need_no_requirements(
    product: Baked, tmp_path: Path
) -> None:
    path = fake_gcloud(tmp_path, ALLOWED)
    (product.path / "function/requirements.txt").unlink()
    given = ("--project=a-project", "--location=europe-west1")
    assert_done(run_switch(product, tmp_path, "allow", *given, PATH=path))
    assert calls(tmp_path) == [command("allow")]
    for half in given:
        assert run_switch(product, tmp_path, "allow", half, PATH=path).returncode == 2
    assert len(calls(tmp_path)) == 1


@pytest.mark.parametrize(
    ("action", "verb", "policy"),
    [("allow", "allow", "ALLOW"), ("deny", "deny", "DENY"), ("describe", "describe", "DENY")],
)
def test_an_action_is_one_command_of_gcloud_and_reports_the_policy(
    action: str, verb: str, policy: str, product: Baked, tmp_path: Path
) -> None:
    path = fake_gcloud(tmp_path, f"echo 'vpcscPolicy: {policy}'")
    done = run_switch(product, tmp_path, action, "--project", "a-project", PATH=path)
    assert_done(done)
    assert calls(tmp_path) == [command(verb, "a-project", "us-east4")]
    assert done.stdout.splitlines() == [
        f"$ gcloud {command(verb, 'a-project', 'us-east4')}",
        f"The switch of a-project in us-east4: {policy}",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["show"], id="an unknown action"),
        pytest.param([], id="no action"),
        pytest.param(["describe", "--timeout", "0"], id="no time"),
        pytest.param(["describe", "--timeout", "-1"], id="less than no time"),
        pytest.param(["describe", "--timeout", "nan"], id="no number"),
        pytest.param(["describe", "--timeout", "inf"], id="for ever"),
        pytest.param(["describe", "--timeout", "soon"], id="no figure"),
        pytest.param(["describe", "--colour"], id="an unknown option"),
    ],
)
def test_bad_arguments_are_a_usage_error_and_call_nothing(
    arguments: list[str], product: Baked, tmp_path: Path
) -> None:
    path = fake_gcloud(tmp_path, ALLOWED)
    refused = run_switch(product, tmp_path, *arguments, PATH=path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("python3 -m closed_function")
    assert refused.stderr.count("\n") == 1
    assert calls(tmp_path) == []
    assert_done(run_switch(product, tmp_path, "describe", "--timeout", "30", PATH=path))
    assert len(calls(tmp_path)) == 1


def test_a_gcloud_that_hangs_is_ended_with_its_children_after_the_given_time(
    product: Baked, tmp_path: Path
) -> None:
    grandchild = tmp_path / "grandchild"
    path = fake_gcloud(tmp_path, f'sleep 600 & echo $! > "{grandchild}"; wait')
    begun = time.monotonic()
    done = run_switch(product, tmp_path, "allow", "--timeout", "1", PATH=path)
    assert 1 <= time.monotonic() - begun < 10
    assert done.returncode == 3
    assert "gcloud was ended: no answer within 1 s." in done.stderr
    assert_ended(int(grandchild.read_text(encoding="utf-8")))


# --- the real gcloud and a local Artifact Registry API ---

TOKEN = "ya29.a0AfH6SMBexample-token_value"  # noqa: S105 - shaped like one, and none
CONFIG = "projects/the-platform/locations/us-east4/vpcscConfig"
CONFIG_PATH = f"/v1/{CONFIG}?alt=json"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[StandIn]:
    """A stand-in in which the switch may be set."""
    cloud = HealthyCloud(project="the-platform", location="us-east4")
    folder = tmp_path / "registry"
    folder.mkdir()
    with serve(cloud, folder) as running:
        running.token = TOKEN
        yield running


def real(
    gcloud: str, product: Baked, registry: StandIn, action: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the tool with the real gcloud, which knows nothing but the token and the stand-in."""
    assert registry.authority
    folder = registry.authority.parent
    led = {
        **lead_gcloud(registry, folder),
        "PATH": os.pathsep.join([str(Path(gcloud).parent), os.defpath]),
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_SURVEY_DISABLE_PROMPTS": "true",
    }
    done = run_switch(product, folder, action, **{**led, **environment})
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


def requests_of(registry: StandIn) -> list[tuple[str, str, Any]]:
    """Return the requests that the stand-in got, each of which had to have the token."""
    assert {each.headers["authorization"] for each in registry.asked} <= {f"Bearer {TOKEN}"}
    return [
        (each.method, each.path, json.loads(each.content) if each.content else None)
        for each in registry.asked
    ]


@pytest.mark.slow
def test_the_real_gcloud_sends_one_exact_request_for_each_action(
    gcloud: str, product: Baked, registry: StandIn
) -> None:
    switch = f"artifactregistry/{CONFIG}"
    expected: list[tuple[str, str, Any]] = []
    for action, policy in (("allow", "ALLOW"), ("deny", "DENY"), ("describe", "DENY")):
        done = real(gcloud, product, registry, action)
        assert_done(done)
        line = f"The switch of the-platform in us-east4: {policy}"
        assert done.stdout.splitlines()[-1] == line
        change = None if action == "describe" else {"name": CONFIG, "vpcscPolicy": policy}
        expected.append(("PATCH" if change else "GET", CONFIG_PATH, change))
        assert requests_of(registry) == expected
        assert registry.cloud.resources[switch]["vpcscPolicy"] == policy
    registry.cloud.delete(switch)
    done = real(gcloud, product, registry, "describe")
    assert done.stdout.splitlines()[-1].endswith(": DENY"), done.stderr


REFUSALS = {
    "no rights": permission_denied("artifactregistry.vpcscconfigs.update", CONFIG),
    "another perimeter": denied(
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x1",
        "SECURITY_POLICY_VIOLATED",
        uid="x1",
    ),
    "the API is off": denied(
        "Artifact Registry API has not been used in project the-platform before",
        "SERVICE_DISABLED",
        consumer="projects/111111111111",
    ),
    "no perimeter": precondition("The project is not in a perimeter"),
    "unknown": ApiError(404, "NOT_FOUND", "Location us-east4 is not found"),
    "broken": ApiError(500, "INTERNAL", "Internal error encountered"),
    "away": ApiError(503, "UNAVAILABLE", "The service is currently unavailable"),
}


def refuse(registry: StandIn, refusal: ApiError) -> None:
    """Let the stand-in answer whatever it is asked with a refusal."""
    registry.faults.instead = Raw(
        json.dumps(refusal.content()).encode(), refusal.http, {"content-type": "application/json"}
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_told_in_gclouds_words_with_the_three_causes(
    case: str, gcloud: str, product: Baked, registry: StandIn
) -> None:
    refuse(registry, REFUSALS[case])
    error = REFUSALS[case].content()["error"]
    done = real(gcloud, product, registry, "allow")
    assert done.returncode == 1, done.stderr
    assert requests_of(registry) == [
        ("PATCH", CONFIG_PATH, {"name": CONFIG, "vpcscPolicy": "ALLOW"})
    ]
    refusal, causes = done.stderr.split("The three known causes")
    assert refusal.startswith(
        "The service refused:\n> ERROR: (gcloud.artifacts.vpcsc-config.allow) "
    )
    assert error["status"] in refusal
    assert error["message"] in refusal
    assert all(detail["reason"] in refusal for detail in error["details"])
    assert "accesscontextmanager.policies.update" in causes
    assert "perimeters list" in causes
    assert "artifactregistry.vpcscconfigs.update in the project" in causes
    assert "get-iam-policy the-platform " in causes


@pytest.mark.slow
def test_a_token_that_the_service_repeats_is_hidden(
    gcloud: str, product: Baked, registry: StandIn
) -> None:
    refuse(registry, denied(f"Not with {TOKEN}, nor with Bearer {TOKEN}"))
    done = real(gcloud, product, registry, "describe")
    assert done.returncode == 1
    assert "Not with [hidden], nor with [hidden]" in done.stderr
    assert "artifactregistry.vpcscconfigs.get in the project" in done.stderr


@pytest.mark.slow
def test_a_token_that_is_not_accepted_asks_for_a_login(
    gcloud: str, product: Baked, registry: StandIn
) -> None:
    led = lead_gcloud(registry, product.path.parent)
    registry.token = "another"  # noqa: S105 - no secret
    done = real(gcloud, product, registry, "allow", **led)
    assert requests_of(registry) != []
    assert_asks_for_a_login(done)
    assert "invalid authentication credentials" in done.stderr


def assert_asks_for_a_login(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("gcloud is not signed in:\n")
    assert done.stderr.splitlines()[-1] == "Run: gcloud auth login"
    assert "causes" not in done.stderr


@pytest.mark.slow
def test_without_credentials_the_service_is_not_asked(
    gcloud: str, product: Baked, registry: StandIn
) -> None:
    nobody = {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": ""}
    assert_asks_for_a_login(real(gcloud, product, registry, "allow", **nobody))
    assert registry.asked == []
    assert_done(real(gcloud, product, registry, "allow"))
    assert len(registry.asked) == 1


@pytest.mark.slow
def test_a_service_that_nobody_reaches_is_told_as_a_crash_before_the_time_is_up(
    gcloud: str, product: Baked, registry: StandIn
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/"
    endpoint = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY": nowhere}
    done = real(gcloud, product, registry, "allow", **endpoint)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("gcloud crashed (exit status 1):\n")
    assert "Connection refused" in done.stderr
