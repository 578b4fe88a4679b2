"""The rehearsal passes what builds in a closed network, and fails the rest at the right stage."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from closed_function.index import Index
from closed_network import diagnosis
from closed_network.clients import BUILD_INSTALL
from closed_network.evidence import page as page_of
from closed_network.interpreters import THIS
from closed_network.journal import Journal, Request, report_request, requests_by_host
from closed_network.receiver import TRAP_OID, UPTIME_OID, decode, differences, expected_varbinds
from closed_network.report import CONTROLS, Report
from closed_network.repository import RepositoryError, entry_point, read_repository
from closed_network.stages.reach import CLAIMS
from closed_network.stand_in import API_HOST, ArtifactRegistry
from tests.support.baking import Baked, bake
from tests.support.rehearsals import INDEX_HOST, INDEX_LINE, processes_of, rehearse, temporary
from tests.support.template import TEMPLATE

TOKEN = "a-token"  # noqa: S105 - the stand-in's own
BASIC = "Basic " + base64.b64encode(f"oauth2accesstoken:{TOKEN}".encode()).decode()
SWITCH = "/v1/projects/my-project-id/locations/asia-northeast1/vpcscConfig"


# The stand-in


@pytest.fixture
def registry() -> ArtifactRegistry:
    return ArtifactRegistry(Index("asia-northeast1", "my-project-id", "ar-buildpython"), TOKEN)


def api(registry: ArtifactRegistry, method: str, path: str, body: object = None) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    answer = registry.answer(method, API_HOST, path, headers, json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


def page(
    registry: ArtifactRegistry,
    path: str = "/my-project-id/ar-buildpython/simple/x/",
    host: str = INDEX_HOST,
    credentials: str = BASIC,
) -> int:
    return registry.answer("GET", host, path, {"authorization": credentials}, b"").status


def test_the_switch_starts_at_deny_and_keeps_what_it_is_told(registry: ArtifactRegistry) -> None:
    assert api(registry, "GET", SWITCH)[1]["vpcscPolicy"] == "DENY"
    assert api(registry, "PATCH", SWITCH, {"vpcscPolicy": "ALLOW"})[1]["vpcscPolicy"] == "ALLOW"
    assert api(registry, "GET", SWITCH)[1]["vpcscPolicy"] == "ALLOW"
    assert api(registry, "PATCH", SWITCH, {"vpcscPolicy": "DENY"})[1]["vpcscPolicy"] == "DENY"


@pytest.mark.parametrize("body", [{}, None, [], {"vpcscPolicy": "allow"}, {"vpcscPolicy": 1}])
def test_the_switch_refuses_what_is_no_policy(registry: ArtifactRegistry, body: object) -> None:
    status, answer = api(registry, "PATCH", SWITCH, body)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert api(registry, "GET", SWITCH)[1]["vpcscPolicy"] == "DENY"


def test_the_index_is_denied_until_its_own_switch_is_set(registry: ArtifactRegistry) -> None:
    assert page(registry) == 403
    for other in (SWITCH.replace("my-project-id", "other"), SWITCH.replace("asia", "europe")):
        assert api(registry, "PATCH", other, {"vpcscPolicy": "ALLOW"})[0] == 200
    assert page(registry) == 403
    assert "403" not in str(api(registry, "PATCH", SWITCH, {"vpcscPolicy": "ALLOW"}))
    # Let through now: an empty package name is refused by the index itself.
    assert page(registry, "/my-project-id/ar-buildpython/simple/x/y/z/") == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"credentials": ""}, 401, id="no credentials"),
        pytest.param({"credentials": "Basic eDp5"}, 401, id="other credentials"),
        pytest.param({"path": "/my-project-id/other/simple/x/"}, 404, id="another repository"),
        pytest.param({"path": "/other/ar-buildpython/simple/x/"}, 404, id="another project"),
        pytest.param({"path": "/my-project-id/ar-buildpython/x/"}, 404, id="no simple in the path"),
        pytest.param({"host": "us-central1-python.pkg.dev"}, 404, id="another location"),
        pytest.param({}, 403, id="denied"),
    ],
)
def test_the_index_refuses_as_documented(
    registry: ArtifactRegistry, change: dict[str, str], status: int
) -> None:
    assert page(registry, **change) == status


def test_only_artifact_registry_is_served() -> None:
    assert ArtifactRegistry.serves(INDEX_HOST)
    assert ArtifactRegistry.serves(API_HOST)
    for host in ("example.com", f"{INDEX_HOST}.example.com", "python.pkg.dev", "x.googleapis.com"):
        assert not ArtifactRegistry.serves(host)


# What the stages read


def test_the_journal_counts_by_host() -> None:
    assert Journal().read() == []
    records, gate = socket.socketpair()
    with records, gate:
        journal = Journal(records)
        assert journal.read() == []
        for host in ("a", "b", "b"):
            report_request(request("/", 200, host=host), gate)
        assert journal.read()[0] == request("/", 200, host="a")
        assert requests_by_host(journal.read(1)) == {"b": 2}
        # More than a socket holds, so somebody reads all the time.
        for _ in range(5000):
            report_request(request("/", 200, host="c"), gate)
        assert requests_by_host(journal.read()) == {"c": 5000, "b": 2, "a": 1}


def test_a_trap_is_read_byte_by_byte(tmp_path: Path) -> None:
    record = (
        f"{UPTIME_OID} = Timeticks: (0) 0:00:00.00\t{TRAP_OID} = OID: .1.3.6.1.4.1.32473.1.0.1\t"
        '.1.1 = Hex-STRING: E9 9A 9C \nE5 AE B3 \t.1.2 = ""\t.1.3 = Hex-STRING: 22 3D 20 09 '
    )
    decoded = decode(record)
    assert decoded[".1.1"] == "障害"
    assert decoded[".1.2"] == ""
    assert decoded[".1.3"] == '"= \t'
    assert differences(decoded, {**decoded, UPTIME_OID: "whatever"}) == []
    assert len(differences(decoded, {**decoded, ".1.1": "x", ".1.9": "y"})) == 2

    event = tmp_path / "event.json"
    incident = {"incident_id": "0.1", "state": "OPEN", "started_at": 1_700_000_000, "ended_at": 0}
    data = base64.b64encode(json.dumps({"incident": incident}).encode()).decode()
    message = {"data": {"message": {"data": data, "messageId": "7"}}}
    event.write_text(json.dumps(message), encoding="utf-8")
    expected = expected_varbinds(event)
    assert expected[TRAP_OID] == ".1.3.6.1.4.1.32473.1.0.1"
    texts = [expected[f".1.3.6.1.4.1.32473.1.1.{number}.0"] for number in (1, 2, 5, 8, 9, 11)]
    assert texts == ["0.1", "open", "No Severity", "2023-11-14T22:13:20Z", "", "7"]


NOT_FOUND = """\
ERROR: Could not find a version that satisfies the requirement idna==9 (from versions: 1, 2)
ERROR: No matching distribution found for idna==9
"""


def request(path: str, status: int, *, host: str = INDEX_HOST, refused: bool = False) -> Request:
    return Request(host, "GET", path, status, 0, refused=refused, agent="pip")


@pytest.mark.parametrize(
    ("output", "status", "words"),
    [
        (NOT_FOUND, 404, "the index has no package idna"),
        (NOT_FOUND, 200, "the index has idna, but no file of idna==9 for Python 3.13"),
        (NOT_FOUND, 502, "could not be reached"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES x\n  idna==1 from https://h\n",
            200,
            "idna",
        ),
        ("ERROR: one\nERROR: two\n", 200, "pip failed: ERROR: two"),
        ("nothing", 200, "it printed no error"),
    ],
)
def test_the_requests_tell_apart_what_pip_says_alike(output: str, status: int, words: str) -> None:
    asked = [request("/my-project-id/ar-buildpython/simple/idna/", status)]
    assert words in diagnosis.why_pip_failed(output, asked, "3.13")
    assert diagnosis.documented_lines(output) == (output.splitlines() if "9" in output else [])


def test_what_a_build_would_not_have_is_noticed() -> None:
    asked = [request("/p/r/simple/a/a_b-1-py3-none-any.whl", 200), request("/p/r/simple/a/", 200)]
    wheels = diagnosis.served_wheels(asked)
    assert wheels == {"a_b-1-py3-none-any.whl"}
    assert diagnosis.source_distributions(asked) == []
    assert diagnosis.source_distributions([request("/p/r/simple/c/c-1.tar.gz", 200)])
    assert diagnosis.packages_from_elsewhere([Path("A.B-1.dist-info")], wheels) == []
    assert diagnosis.packages_from_elsewhere([Path("c-1.dist-info")], wheels) == ["c"]
    assert diagnosis.asked_elsewhere(asked) == ""
    refused = [request("", 403, host="example.com", refused=True)] * 2
    assert diagnosis.asked_elsewhere([*asked, *refused]) == "example.com (2 times)"


ERROR_HANDLER = "@functions_framework.errorhandler(400)\ndef e(e): ...\n"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("import functions_framework\n@functions_framework.http\ndef f(r): ...\n", "f"),
        (f"{ERROR_HANDLER}@functions_framework.typed(int)\ndef f(r): ...\n", "f"),
        (ERROR_HANDLER, None),
        ("from functions_framework import http\n@http\ndef f(r): ...\n", None),
        ("def f(r): ...\n", None),
        ("@functions_framework.http\ndef f(r): ...\n" * 2, None),
        ("def f(:\n", None),
    ],
)
def test_the_entry_point_is_found_or_asked_for(
    source: str, target: str | None, tmp_path: Path
) -> None:
    main = tmp_path / "main.py"
    main.write_text(source, encoding="utf-8")
    if target:
        assert entry_point(main) == target
    else:
        with pytest.raises(RepositoryError, match=re.escape(str(main))):
            entry_point(main)


def test_a_folder_that_is_no_function_repository_is_refused(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    assert read_repository(product.path, None, None, None).target == "handle_request"
    done = rehearse(tmp_path, tmp_path)
    assert done.status == 2
    assert "it begins with a line such as --index-url" in done.errors
    (product.path / "function/requirements.txt").write_text("x==1\n", encoding="utf-8")
    done = rehearse(product.path, tmp_path)
    assert done.status == 2
    assert "no index lines" in done.errors
    two = f"{INDEX_LINE}--extra-index-url https://example.com/simple/\n"
    (product.path / "function/requirements.txt").write_text(two, encoding="utf-8")
    done = rehearse(product.path, tmp_path)
    assert done.status == 2
    assert "--extra-index-url makes pip ask a second index" in done.errors


# Whole rehearsals


@pytest.mark.slow
@pytest.mark.usefixtures("gcloud", "snmptrapd")
def test_the_default_repository_is_denied_then_allowed_then_built_and_answers(
    tmp_path: Path,
) -> None:
    product = bake(tmp_path)
    before = product.files()
    html = tmp_path / "page.html"
    done = rehearse(
        *(product.path, tmp_path, "--html", str(html)), TMPDIR=str(temporary(tmp_path)), CI="true"
    )
    assert done.status == 0, done.output + done.errors
    assert product.files() == before
    assert list(temporary(tmp_path).iterdir()) == []

    assert set(done.results().values()) == {"ok"}
    evidence = [check["evidence"] for check in done.report["checks"]]
    (denied,) = [text for text in evidence if text.startswith("ERROR: Could not find a version")]
    assert denied.splitlines()[1].startswith("ERROR: No matching distribution found for ")
    assert "1 answered 403 by the stand-in" in evidence
    assert any(re.match(rf"gcloud [\d.]+: PATCH {SWITCH} answered 200", text) for text in evidence)
    traps = [text for text in evidence if text.startswith("snmptrapd received 12 varbinds equal")]
    assert len(traps) == 3

    lock = product.read("function/requirements.txt")
    locked = len(re.findall(r"^\S+==", lock, re.MULTILINE))
    assert done.report["packages"] == locked
    # Exactly a page and a file for each package, after the one page that was denied.
    assert done.report["requests"] == {INDEX_HOST: 2 * locked + 1, API_HOST: 1}
    assert done.report["refused"] == {}
    assert done.report["result"] == "passed"
    for claim in done.results():
        assert claim[:20] in done.output
    assert "PASSED" in done.output
    assert "make -C" not in done.output

    report = Report.from_dict(done.report)
    assert html.read_text(encoding="utf-8") == page_of(report)
    assert_that_it_is_documented(report, lock)


def assert_that_it_is_documented(report: Report, lock: str) -> None:
    """Each file with the hash of its bytes, each request in its stage, each client as it ran."""
    names = [file.package for file in report.files]
    assert names == sorted(re.findall(r"^([\w.-]+)(?:\[\S+\])?==", lock, re.MULTILINE))
    assert all(file.in_lock and f"sha256:{file.sha256}" in lock for file in report.files)
    assert report.versions.keys() - {"uv"} == {
        *("Python", "pip", "gcloud", "functions-framework", "snmptrapd", "mitmproxy", "proxpi")
    }
    assert list(report.journal) == list(report.began) == list(report.purposes)
    assert [request.refused for request in report.journal[CONTROLS]] == [True] * 3 + [False]
    for stage, asked in report.journal.items():
        began, seconds = report.began[stage], report.seconds[stage]
        assert all(began - 0.1 < request.time < began + seconds + 0.1 for request in asked)
    assert sum(map(len, report.journal.values())) == sum(report.requests.values()) + 4

    installs = [command for command in report.commands if command.words[1:] == BUILD_INSTALL]
    assert [(install.stage, install.status) for install in installs] == [
        ("2 denied", 1),
        ("4 build", 0),
    ]
    assert {
        Path(command.words[0]).name for command in report.commands if command.status is None
    } == {
        "functions-framework",
        "snmptrapd",
    }
    assert all("PIP_FIND_LINKS" not in command.environment for command in report.commands)


@pytest.mark.slow
def test_without_the_clients_the_claims_are_not_proven(tmp_path: Path) -> None:
    product = bake(tmp_path)
    # Only what the rehearsal itself needs is left: no gcloud, no snmptrapd, no unshare.
    hidden = "import shutil; which = shutil.which\n"
    hidden += "shutil.which = lambda name, *a, **k: "
    hidden += "None if name in ('gcloud', 'snmptrapd', 'unshare') else which(name, *a, **k)\n"
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(hidden, encoding="utf-8")
    done = rehearse(product.path, tmp_path, PYTHONPATH=str(site))
    assert done.status == 0, done.output + done.errors
    not_proven = {claim for claim, result in done.results().items() if result == "NOT PROVEN"}
    assert not_proven == {
        "there is no way around the gate",
        *CLAIMS.values(),
        "the real gcloud sets the switch to ALLOW",
        "the trap has the event's values",
        "no other trap is sent",
    }
    assert "NOT PROVEN: 8 of its claims" in done.output
    assert "PASSED" not in done.output
    assert done.report["isolation"].startswith("not enforced")


@pytest.mark.slow
def test_in_ci_a_claim_that_is_not_proven_fails(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    done = rehearse(product.path, tmp_path, "--no-namespace", CI="true")
    assert done.status == 1
    assert "With CI=true every claim must be proven." in done.errors
    assert done.results()["there is no way around the gate"] == "NOT PROVEN"


@pytest.mark.slow
@pytest.mark.parametrize("version", [v for v in ("3.12", "3.14") if v != THIS.version])
def test_the_lock_is_resolved_for_a_runtime_that_is_not_here(version: str, tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http", python_version=version)
    done = rehearse(product.path, tmp_path, HOME=str(tmp_path), PYENV_ROOT=str(tmp_path))
    assert done.status == 0, done.output
    assert done.results()["the lock has files for the runtime"] == "ok"
    assert f"the runtime's {version} is not on this machine" in done.report["interpreter"]
    assert done.results()["the runtime's own Python builds and serves"] == "NOT PROVEN"


@pytest.mark.slow
def test_a_package_that_only_the_runtime_needs_is_missed_here_but_not_there(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http", python_version="3.14")
    entry = NOWHERE.replace(" --hash", ' ; python_version >= "3.14" --hash')
    rewrite(product, "function/requirements.txt", lambda text: text + entry)
    done = rehearse(product.path, tmp_path, HOME=str(tmp_path), PYENV_ROOT=str(tmp_path))
    assert (done.status, done.report["failed_stage"]) == (1, "4 build")
    assert "the lock has no files for Python 3.14" in done.sentence
    assert "this-package-is-nowhere-to-be-found" in done.sentence


def rewrite(product: Baked, name: str, change: Callable[[str], str]) -> None:
    (product.path / name).write_text(change(product.read(name)), encoding="utf-8")


def without_the_framework(lock: str) -> str:
    (entry,) = re.findall(r"^idna==.*?(?=^\S)", lock, re.MULTILINE | re.DOTALL)
    return INDEX_LINE + str(entry)


def with_another_hash(lock: str) -> str:
    (entry,) = re.findall(r"^idna==.*?(?=^\S)", lock, re.MULTILINE | re.DOTALL)
    return lock.replace(entry, re.sub(r"sha256:\w{64}", "sha256:" + "0" * 64, entry))


NOWHERE = "this-package-is-nowhere-to-be-found==1.0 --hash=sha256:" + "0" * 64 + "\n"

FRAMEWORK = "functions-framework==3.10.2"
MORE_TRAPS = """
import threading
_notify = notify


def notify(settings, texts):
    _notify(settings, texts)
    threading.Timer(0.3, _notify, (settings, texts)).start()
"""

# What is done to a good repository, the stage that must fail, and words of its sentence.
BROKEN: dict[str, tuple[str, Callable[[str], str], str, list[str]]] = {
    "no functions-framework": (
        "function/requirements.txt",
        without_the_framework,
        "4 build",
        ["functions-framework is not in requirements.txt", "second pip", "requests "],
    ),
    "a second place for packages": (
        "function/requirements.txt",
        lambda text: text + "--find https://example.com/\n",
        "0 copy",
        ["names https://example.com/", "a closed build cannot reach"],
    ),
    "a package that does not exist": (
        "function/requirements.txt",
        lambda text: text + NOWHERE,
        "4 build",
        ["the index has no package this-package-is-nowhere-to-be-found"],
    ),
    "a wrong hash": (
        "function/requirements.txt",
        with_another_hash,
        "4 build",
        ["idna", "another hash than the lock", "make lock"],
    ),
    "a source distribution": (
        "function/requirements.txt",
        lambda _: INDEX_LINE + f"docopt==0.6.2\n{FRAMEWORK}\n",
        "4 build",
        ["docopt-0.6.2.tar.gz is a source distribution", "wheels"],
    ),
    "a requirement that pip cannot read": (
        "function/requirements.txt",
        lambda text: text + "== nonsense\n",
        "2 denied",
        ["pip failed for another reason"],
    ),
    "a module that is missing": (
        "function/main.py",
        lambda text: text.replace("\nimport ", "\nimport a_module_that_is_missing\nimport ", 1),
        "5 serve",
        ["could not serve the function", "No module named 'a_module_that_is_missing'"],
    ),
    "a file that only this machine has": (
        "function/requirements.txt",
        lambda text: text + "-r/etc/hostname\n",
        "0 copy",
        ["names /etc/hostname", "not in the function's folder"],
    ),
    "a marker that leaves the framework out": (
        "function/requirements.txt",
        lambda text: text.replace(f"{FRAMEWORK} \\", f'{FRAMEWORK} ; python_version < "3" \\'),
        "5 serve",
        ["functions-framework was not installed", "marker"],
    ),
    "a function that asks another host": (
        "function/main.py",
        lambda text: text.replace(
            'log("INFO", "Request received")',
            'import urllib.request; urllib.request.urlopen("https://example.com/")',
        ),
        "5 serve",
        ["request.json: the function answered 500"],
    ),
    "an event that is no JSON": (
        "events/request.json",
        lambda _: "{not json",
        "5 serve",
        ["request.json is not JSON"],
    ),
    "an answer that is no success": (
        "events/request.json",
        lambda _: "[]\n",
        "5 serve",
        ["request.json", "400"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_repository_fails_at_its_stage(case: str, tmp_path: Path) -> None:
    name, change, stage, words = BROKEN[case]
    product = bake(tmp_path, function_kind="http")
    rewrite(product, name, change)
    done = rehearse(product.path, tmp_path)
    assert done.status == 1, done.output
    assert done.report["failed_stage"] == stage, done.output
    assert f"FAILED at stage {stage}." in done.output
    assert f"make -C {product.path} doctor" in " ".join(done.output.split())
    for word in words:
        assert word in done.sentence


WRONG_TRAPS = {
    "another OID": (
        "function/snmp.py",
        lambda text: text.replace('"summary": 6', '"summary": 12'),
        "the trap differs: .1.3.6.1.4.1.32473.1.1.12.0: received",
    ),
    "no trap": (
        "function/main.py",
        lambda text: text.replace("        notify(SETTINGS, texts)\n", "        pass\n"),
        "0 traps received, not 1",
    ),
    "one too many": ("function/main.py", lambda text: text + MORE_TRAPS, "traps received"),
}


@pytest.mark.slow
@pytest.mark.usefixtures("snmptrapd")
@pytest.mark.parametrize("case", WRONG_TRAPS)
def test_a_wrong_trap_fails(case: str, tmp_path: Path) -> None:
    file, change, words = WRONG_TRAPS[case]
    product = bake(tmp_path)
    rewrite(product, file, change)
    # Elsewhere than in main.py it counts as well.
    (product.path / "function/main.py").rename(product.path / "function/core.py")
    (product.path / "function/main.py").write_text(
        "import functions_framework\nimport core\n\n\n"
        "@functions_framework.cloud_event\ndef send_event(event):\n    core.send_event(event)\n",
        encoding="utf-8",
    )
    done = rehearse(product.path, tmp_path)
    assert (done.status, done.report["failed_stage"]) == (1, "5 serve"), done.output
    assert words in done.sentence


@pytest.mark.slow
def test_a_package_that_only_this_machine_has_fails(tmp_path: Path) -> None:
    wheel = tmp_path / "only_here-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        metadata = "Metadata-Version: 2.1\nName: only-here\nVersion: 1.0\n"
        archive.writestr("only_here-1.0.dist-info/METADATA", metadata)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("only_here-1.0.dist-info/WHEEL", tags)
        archive.writestr("only_here-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    product = bake(tmp_path, function_kind="http")
    local = f"only-here @ {wheel.as_uri()} --hash=sha256:{digest}\n"
    rewrite(product, "function/requirements.txt", lambda text: text + local)
    done = rehearse(product.path, tmp_path)
    assert (done.status, done.report["failed_stage"]) == (1, "0 copy"), done.output
    assert f"names file:{wheel}, which is not in the function's folder" in done.sentence


@pytest.mark.parametrize("location", ["asia-northeast9", "mars-north1"])
def test_a_location_without_credentials_is_refused(location: str, tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    assert read_repository(product.path, None, None, None).index.location == "asia-northeast1"
    rewrite(
        product,
        "function/requirements.txt",
        lambda text: text.replace("asia-northeast1", location, 1),
    )
    done = rehearse(product.path, tmp_path)
    assert done.status == 2
    assert f"{location} is not a location" in done.errors


@pytest.mark.slow
def test_an_error_that_nobody_foresaw_fails_the_run(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    site = tmp_path / "site"
    site.mkdir()
    breaks = "import closed_network.clients as clients\n"
    breaks += "clients.Machine.prepare = lambda self, index: 1 / 0\n"
    (site / "sitecustomize.py").write_text(breaks, encoding="utf-8")
    done = rehearse(product.path, tmp_path, PYTHONPATH=f"{site}:{TEMPLATE}")
    assert done.status == 1
    assert done.report["result"] == "failed"
    assert "it failed: ZeroDivisionError" in done.sentence
    assert "PASSED" not in done.output


@pytest.mark.slow
def test_a_dangling_link_fails_before_the_first_stage(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    (product.path / "function" / "link").symlink_to(tmp_path / "nowhere")
    done = rehearse(product.path, tmp_path)
    assert (done.status, done.report["failed_stage"]) == (1, "0 copy")
    assert "cannot be copied" in done.sentence
    assert "PASSED" not in done.output


@pytest.mark.slow
def test_what_a_function_starts_ends_with_the_rehearsal(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    mark = f"sleep 7{tmp_path.stat().st_ino % 10**6}"
    start = f"import subprocess\nsubprocess.Popen({mark.split()!r}, start_new_session=True)\n"
    rewrite(
        product,
        "function/main.py",
        lambda text: text.replace("\nclass RequestError", f"\n{start}\n\nclass RequestError"),
    )
    done = rehearse(product.path, tmp_path)
    assert done.status == 0, done.output
    assert processes_of(mark) == []


@pytest.mark.slow
@pytest.mark.usefixtures("gcloud")
def test_a_tool_that_only_claims_to_set_the_switch_fails(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    (product.path / "closed_function/__main__.py").write_text("print('ALLOW')\n", encoding="utf-8")
    done = rehearse(product.path, tmp_path)
    assert (done.status, done.report["failed_stage"]) == (1, "3 allow")
    assert "was not set" in done.sentence


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize("request_to_end", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_rehearsal_leaves_nothing(
    request_to_end: signal.Signals, tmp_path: Path, short_folder: Path
) -> None:
    product = bake(tmp_path, function_kind="http")
    with subprocess.Popen(
        [sys.executable, "-m", "closed_network", "rehearse", str(product.path)],
        cwd=TEMPLATE,
        env={**os.environ, "TMPDIR": str(short_folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while (
            not list(short_folder.glob("rehearsal-*/machine/venv")) and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        assert processes_of(short_folder)
        process.send_signal(request_to_end)
        assert process.wait(timeout=60) != 0
    assert list(short_folder.iterdir()) == []
    assert processes_of(short_folder) == []
