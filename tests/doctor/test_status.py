"""`make status` against a stand-in of Google Cloud's APIs, with a token that gcloud gives.

What the stand-in answers follows the documentation of the APIs and public reports; no test here
saw the services themselves.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud_stand_in.errors import Json
from cloud_stand_in.server import TOKEN, StandIn
from cloud_stand_in.services.storage import object_key
from terraform_replay.clients import find_programs
from tests.support.baking import Baked, bake, bare_environment
from tests.support.gcloud import write_gcloud
from tests.support.healthy_cloud import HealthyCloud
from tests.support.machine import need
from tests.support.repositories import commit, git

pytestmark = pytest.mark.usefixtures("stand_in")
FIT, WRONG, USAGE, COULD_NOT_TELL = 0, 1, 2, 3
LOCK = "function/requirements.txt"
SETTINGS = "terraform/function/settings.auto.tfvars.json"
SOURCES = "gcf-v2-sources-111111111111-asia-northeast1"
UPLOADS = "a-project-alert-to-snmp-source"
BUILT = "alert-to-snmp/function-source.zip"


@dataclass
class Page:
    """What a run of the status said, for machines, and everything that it printed."""

    status: int
    lines: dict[str, Json]
    output: str
    seconds: float

    def verdicts(self) -> dict[str, str]:
        return {name: line["verdict"] for name, line in self.lines.items()}

    def seen(self, name: str) -> str:
        return str(self.lines[name]["seen"])


Status = Callable[..., Page]


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    return bake(tmp_path, gcp_project_id="a-project", platform="join", python_version="3.13")


def run_status(product: Baked, environment: dict[str, str], *options: str) -> Page:
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "closed_function", "status", "--json", *options],
        cwd=product.path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    assert TOKEN not in output
    lines = json.loads(done.stdout) if done.stdout else {}
    return Page(done.returncode, lines, output, time.monotonic() - start)


@pytest.fixture
def status(product: Baked, signed_in: dict[str, str], recorded: str) -> Status:
    """Run the status of `product` with gcloud's recorded answer, or other things where given."""

    def run(*options: str, **more: str) -> Page:
        path = f"{recorded}:{signed_in['PATH']}"
        return run_status(product, {**signed_in, "PATH": path, **more}, *options)

    return run


def terraform_names_archive(product: Baked, folder: Path) -> str:
    """The name that Terraform itself gives the archive of the function's source."""
    terraform = need(find_programs().get("terraform"), "terraform")
    source = product.read("terraform/function/source.tf")
    variable = {"function": {"default": {"source_dir": str(product.path / "function")}}}
    alone = folder / "terraform"
    alone.mkdir(exist_ok=True)
    (alone / "source.tf").write_text(source[: source.index("\n}\n") + 3], encoding="utf-8")
    (alone / "variable.tf.json").write_text(json.dumps({"variable": variable}), encoding="utf-8")
    # A path of this machine, not one below the module.
    text = (alone / "source.tf").read_text(encoding="utf-8")
    assert text.count("${path.module}/${var.function.source_dir}") == 1
    text = text.replace("${path.module}/${var.function.source_dir}", "${var.function.source_dir}")
    (alone / "source.tf").write_text(text, encoding="utf-8")
    said = subprocess.run(
        [terraform, "console"],
        cwd=alone,
        env=bare_environment(folder),
        input="local.source_hash\n",
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    (name,) = [line for line in said.stdout.splitlines() if line.startswith('"')]
    return f"alert-to-snmp-{json.loads(name)}.zip"


def deploy(cloud: HealthyCloud, archive: str = "", **changes: Any) -> Json:  # noqa: ANN401 - JSON
    """Let the function be there, built of a copy of `archive`."""
    updated = dt.datetime.now(dt.UTC) - dt.timedelta(days=12)
    copy = {"bucket": SOURCES, "object": BUILT}
    function = {
        "state": "ACTIVE",
        "updateTime": f"{updated:%Y-%m-%dT%H:%M:%S}.123456789Z",
        "url": "https://asia-northeast1-a-project.cloudfunctions.net/alert-to-snmp",
        "buildConfig": {
            "runtime": "python313",
            "source": {"storageSource": copy},
            "sourceProvenance": {"resolvedStorageSource": {**copy, "generation": "1700"}},
        },
        "serviceConfig": {"revision": "alert-to-snmp-00007-abc"},
        **changes,
    }
    add_object(cloud, SOURCES, BUILT, "1700")
    if archive:
        add_object(cloud, UPLOADS, archive, "1600")
    return cloud.add("cloudfunctions", f"{cloud.place}/functions/alert-to-snmp", **function)


def add_object(
    cloud: HealthyCloud,
    bucket: str,
    name: str,
    generation: str,
    md5: str = "rL0Y20zC+Fzt72VPzMSk2A==",
) -> None:
    content = {"name": name, "md5Hash": md5, "generation": generation}
    cloud.resources[object_key(bucket, name, generation)] = content


# What is deployed


def test_a_deployed_function_is_fit_and_is_what_lies_here(
    gcloud: str,
    cloud: HealthyCloud,
    stand_in: StandIn,
    product: Baked,
    signed_in: dict[str, str],
    tmp_path: Path,
) -> None:
    deploy(cloud, terraform_names_archive(product, tmp_path))
    with_gcloud = {**signed_in, "PATH": f"{Path(gcloud).parent}:{signed_in['PATH']}"}
    page = run_status(product, with_gcloud)
    assert page.status == FIT, page.output
    assert list(page.lines) == ["function", "revision", "source", "runtime", "lock", "upstreams"]
    assert set(page.verdicts().values()) == {"ok"}
    assert page.lines["function"]["state"] == "ACTIVE"
    assert page.lines["revision"]["revision"] == "alert-to-snmp-00007-abc"
    assert "(12 days ago)" in page.seen("revision")
    assert page.lines["source"]["generation"] == "1700"
    assert page.lines["source"]["deployed_is_here"] is True
    assert page.lines["runtime"]["runtime"] == "python313"
    assert page.lines["upstreams"]["policy"] == "ALLOW"
    assert {asked.headers["authorization"] for asked in stand_in.asked} == {f"Bearer {TOKEN}"}


def test_the_page_is_short_and_says_the_same_to_people(
    status: Status, cloud: HealthyCloud, product: Baked, signed_in: dict[str, str], recorded: str
) -> None:
    deploy(cloud)
    lines = status().lines
    printed = subprocess.run(
        [sys.executable, "-m", "closed_function", "status"],
        cwd=product.path,
        env={**signed_in, "PATH": f"{recorded}:{signed_in['PATH']}"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout.splitlines()
    assert len(printed) <= 12
    labels = {**{name: name for name in lines}, "upstreams": "switch"}
    assert printed == [f"{labels[name]:<10} {line['seen']}" for name, line in lines.items()]


def test_the_archive_is_named_as_terraform_names_it(
    status: Status, cloud: HealthyCloud, product: Baked, tmp_path: Path
) -> None:
    folder = product.path / "function"
    names = ("Z.py", "sub-1.txt", "sub/a.py", "sub/é ü.txt", "sub/.hidden", "sub/tests/test_it.py")
    for name in (*names, "conftest.py", "test_it.py", "tests/x.py", "__pycache__/x.pyc", ".git/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "of_a_link.py").write_text("", encoding="utf-8")
    (folder / "link").symlink_to(tmp_path / "linked")
    deploy(cloud, terraform_names_archive(product, tmp_path))
    assert status().lines["source"]["deployed_is_here"] is True

    (folder / "link").unlink()
    assert status().lines["source"]["deployed_is_here"] is False
    for name in "ab":  # which Terraform refuses; each would double the paths without end
        (folder / name).symlink_to(folder)
    assert status().lines["source"]["deployed_is_here"] is False


def test_a_source_that_has_changed_since_is_not_said_to_be_deployed(
    status: Status, cloud: HealthyCloud, product: Baked, tmp_path: Path
) -> None:
    deploy(cloud, terraform_names_archive(product, tmp_path))
    with (product.path / LOCK).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    page = status()
    assert page.status == FIT
    assert page.lines["source"]["deployed_is_here"] is False
    assert "is not what `make deploy` uploaded last" in page.seen("source")


def test_an_uploaded_source_that_is_not_the_one_built_is_told_apart(
    status: Status, cloud: HealthyCloud, product: Baked, tmp_path: Path
) -> None:
    archive = terraform_names_archive(product, tmp_path)
    deploy(cloud, archive)
    add_object(cloud, UPLOADS, archive, "1600", "another")
    page = status()
    assert page.lines["source"]["deployed_is_here"] is False
    assert f"uploaded as {archive}, but another is deployed" in page.seen("source")


def test_the_generation_that_was_built_is_read_not_the_latest(
    status: Status, cloud: HealthyCloud, product: Baked, tmp_path: Path
) -> None:
    deploy(cloud, terraform_names_archive(product, tmp_path))
    cloud.delete(object_key(SOURCES, BUILT, "1700"))
    add_object(cloud, SOURCES, BUILT, "1800")
    page = status()
    assert page.status == COULD_NOT_TELL
    assert page.lines["source"]["deployed_is_here"] is None
    assert "function-source.zip does not exist" in page.seen("source")


def test_a_function_that_is_not_deployed_yet_is_no_fault(status: Status) -> None:
    page = status()
    assert page.status == FIT, page.output
    assert list(page.lines) == ["function", "runtime", "lock", "upstreams"]
    assert "not deployed yet" in page.seen("function")
    assert page.lines["function"]["state"] is None


STATES = {
    "ACTIVE": ("ok", FIT),
    "FAILED": ("problem", WRONG),
    "UNKNOWN": ("problem", WRONG),
    "DEPLOYING": ("could not tell", COULD_NOT_TELL),
    "DELETING": ("could not tell", COULD_NOT_TELL),
}


@pytest.mark.parametrize("state", STATES)
def test_a_function_is_fit_when_it_is(state: str, status: Status, cloud: HealthyCloud) -> None:
    message = {
        "severity": "ERROR",
        "type": "X",
        "message": "Build failed.\nAuthorization: Bearer x",
    }
    deploy(cloud, state=state, stateMessages=[message])
    page = status()
    assert (page.verdicts()["function"], page.status) == STATES[state]
    assert f"{state}: Build failed." in page.seen("function")
    assert "Bearer" not in page.seen("function")


def test_the_runtime_is_that_of_what_is_deployed(status: Status, cloud: HealthyCloud) -> None:
    function = deploy(cloud)
    left = (dt.date(2029, 10, 10) - dt.datetime.now(dt.UTC).date()).days
    assert status().lines["runtime"]["days_left"] in (left, left - 1)
    function["buildConfig"]["runtime"] = "python312"
    page = status()
    assert page.lines["runtime"]["deprecated_on"] == "2028-10-02"
    assert "the settings here name python313" in page.seen("runtime")
    function["buildConfig"]["runtime"] = "python39"
    page = status()
    assert (page.status, page.verdicts()["runtime"]) == (WRONG, "problem")


# The switch


def test_a_switch_at_deny_is_wrong(status: Status, cloud: HealthyCloud) -> None:
    assert status().status == FIT
    cloud.resources[cloud.switch]["vpcscPolicy"] = "DENY"
    page = status()
    assert (page.status, page.verdicts()["upstreams"]) == (WRONG, "problem")
    assert page.seen("upstreams").startswith("DENY")
    assert "make allow" in page.seen("upstreams")


def test_a_switch_that_was_never_set_denies(status: Status, cloud: HealthyCloud) -> None:
    cloud.delete(cloud.switch)
    page = status()
    assert (page.status, page.lines["upstreams"]["policy"]) == (WRONG, "DENY")


def test_each_environment_has_its_own_function(
    status: Status, cloud: HealthyCloud, product: Baked
) -> None:
    deploy(cloud)
    assert status("--env", "prod").status == USAGE
    folder = product.path / "terraform/function/environments"
    folder.mkdir()
    (folder / "prod.tfvars.json").write_text('{"project_id": "the-prod"}')
    cloud.add_project("the-prod", "444444444444", "cloudfunctions")
    page = status("--env", "prod")
    assert "in the-prod, asia-northeast1: not deployed yet" in page.seen("function")
    assert status().lines["function"]["state"] == "ACTIVE"


# What may not be read, or cannot be


UNREADABLE = {
    "the function": ("cloudfunctions.functions.get", "function"),
    "its source": ("storage.objects.get", "source"),
    "the switch": ("artifactregistry.vpcscconfigs.get", "upstreams"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_may_not_be_read_could_not_be_told(
    what: str,
    status: Status,
    cloud: HealthyCloud,
    stand_in: StandIn,
    product: Baked,
    tmp_path: Path,
) -> None:
    permission, name = UNREADABLE[what]
    deploy(cloud, terraform_names_archive(product, tmp_path))
    assert status().status == FIT
    stand_in.faults.denied.add(permission)
    page = status()
    assert page.status == COULD_NOT_TELL
    doubtful = [each for each, verdict in page.verdicts().items() if verdict != "ok"]
    assert doubtful == [name]
    assert permission in page.seen(name)


def test_a_perimeter_that_keeps_the_caller_out_is_named(
    status: Status, cloud: HealthyCloud
) -> None:
    cloud.keep_caller_out("cloudfunctions")
    page = status()
    assert (page.status, page.verdicts()["function"]) == (COULD_NOT_TELL, "could not tell")
    assert "the service perimeter refuses your request" in page.seen("function")


def test_an_api_that_is_off_says_who_turns_it_on(status: Status, cloud: HealthyCloud) -> None:
    cloud.apis["a-project"].remove("cloudfunctions")
    page = status()
    assert page.status == COULD_NOT_TELL
    assert "cloudfunctions.googleapis.com is disabled" in page.seen("function")
    assert "`make deploy` enables it" in page.seen("function")


def test_an_answer_of_another_form_is_no_crash(status: Status, cloud: HealthyCloud) -> None:
    deploy(cloud, state=None, updateTime="yesterday", buildConfig=[], serviceConfig={})
    page = status()
    assert page.status == COULD_NOT_TELL
    verdicts = page.verdicts()
    assert (verdicts["revision"], verdicts["source"]) == ("could not tell", "could not tell")
    assert (verdicts["lock"], verdicts["upstreams"]) == ("ok", "ok")


def local_lines_and_a_reason(page: Page, reason: str) -> None:
    assert page.status == COULD_NOT_TELL
    assert reason in page.seen("function"), page.output
    verdicts = page.verdicts()
    assert (verdicts["function"], verdicts["upstreams"]) == ("could not tell", "could not tell")
    assert (verdicts["runtime"], verdicts["lock"]) == ("ok", "ok")


def test_without_gcloud_the_local_lines_are_told(
    status: Status, stand_in: StandIn, tmp_path: Path
) -> None:
    for program in ("git", "python3"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / program).symlink_to(need(shutil.which(program), program))
    local_lines_and_a_reason(status(PATH=str(tmp_path / "bin")), "gcloud is not installed")
    assert stand_in.asked == []


def test_not_signed_in_the_local_lines_are_told(
    gcloud: str, product: Baked, tmp_path: Path
) -> None:
    environment = bare_environment(tmp_path)
    environment["PATH"] = f"{Path(gcloud).parent}:{environment['PATH']}"
    page = run_status(product, {**environment, "CLOUDSDK_CONFIG": str(tmp_path / "gcloud")})
    local_lines_and_a_reason(page, "gcloud auth login")


def test_a_dead_network_is_a_reason_at_once(status: Status) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        page = status(HTTPS_PROXY=f"http://127.0.0.1:{held.getsockname()[1]}")
    assert page.status == COULD_NOT_TELL
    assert "Google Cloud cannot be reached" in page.seen("function")
    assert page.seconds < 10


@pytest.mark.slow
def test_neither_gcloud_nor_a_network_that_hangs_is_waited_for_long(
    status: Status, tmp_path: Path
) -> None:
    write_gcloud(tmp_path, "sleep 60")
    with socket.socket() as listener, ThreadPoolExecutor() as pool:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        gcloud = pool.submit(status, PATH=f"{tmp_path}:/usr/bin:/bin")
        network = pool.submit(status, HTTPS_PROXY=proxy)
    local_lines_and_a_reason(gcloud.result(), "gcloud was ended: no answer within 10 s")
    local_lines_and_a_reason(network.result(), "no answer in time")
    assert max(gcloud.result().seconds, network.result().seconds) < 20


# What lies here


def test_with_the_placeholder_nothing_is_deployed_and_nothing_is_asked(
    signed_in: dict[str, str], recorded: str, stand_in: StandIn, tmp_path: Path
) -> None:
    environment = {**signed_in, "PATH": f"{recorded}:{signed_in['PATH']}"}
    page = run_status(bake(tmp_path), environment)
    assert page.status == FIT
    assert "no project is named" in page.seen("function")
    assert "my-project-id" in page.seen("function")
    assert page.lines["runtime"]["runtime"] == "python313"
    assert page.lines["lock"]["packages"] > 10
    assert stand_in.asked == []
    named = bake(tmp_path / "named", gcp_project_id="a-project")
    assert run_status(named, environment).status == FIT
    assert stand_in.asked


def test_settings_that_cannot_be_read_are_said_to_be_so(status: Status, product: Baked) -> None:
    (product.path / SETTINGS).write_text("{", encoding="utf-8")
    page = status()
    assert page.status == COULD_NOT_TELL
    assert f"{SETTINGS} is not JSON" in page.seen("function")


def test_the_locks_age_is_that_of_its_last_commit(
    status: Status, product: Baked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lock() -> Json:
        return status().lines["lock"]

    count = product.read(LOCK).count("==")
    assert lock()["packages"] == count
    assert lock()["seen"] == f"{count} packages, not in git"

    git(product.path, "init", "--quiet", "--initial-branch=main")
    assert lock()["seen"].endswith("not in git")
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=40)
    monkeypatch.setenv("GIT_COMMITTER_DATE", long_ago.isoformat())
    commit(product.path)
    assert (lock()["days"], lock()["changed"]) == (40, long_ago.date().isoformat())
    monkeypatch.delenv("GIT_COMMITTER_DATE")

    # A commit of something else does not make it younger.
    (product.path / "notes.txt").write_text("", encoding="utf-8")
    commit(product.path)
    assert lock()["days"] == 40

    with (product.path / LOCK).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert lock()["days"] is None
    assert "changes that are not committed" in lock()["seen"]
    commit(product.path)
    assert lock()["days"] == 0
    assert lock()["seen"].endswith("(today)")

    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", product.path.as_uri(), str(shallow))
    shutil.rmtree(product.path)
    shallow.rename(product.path)
    assert lock()["days"] is None
    assert "shallow" in lock()["seen"]


def test_a_lock_that_is_missing_could_not_be_told(status: Status, product: Baked) -> None:
    (product.path / LOCK).unlink()
    page = status()
    assert page.verdicts()["lock"] == "could not tell"
    assert "is missing" in page.seen("lock")
