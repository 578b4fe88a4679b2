"""`make explain BUILD=ID` goes on where the log ends: at the start, and at the perimeter."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake
from tests.support.doctor import FOUND, HEALTHY, Said, doctor
from tests.support.gcloud import calls, fake_gcloud

LOGS = Path(__file__).with_name("logs")
BUILD = "01234567-89ab-cdef-0123-456789abcdef"
UNIQUE_ID = "VQQnKfXtZ16NHnOmdJAy0E92tVT"
TRACEBACK = (LOGS / "module-missing.log").read_text(encoding="utf-8")
REFUSED = f"""\
ERROR: (gcloud.x) PERMISSION_DENIED: Request is prohibited by organization's policy. \
vpcServiceControlsUniqueIdentifier: {UNIQUE_ID}
"""
NOT_READY = {
    "latestCreatedRevisionName": "alert-to-snmp-00002-abc",
    "latestReadyRevisionName": "alert-to-snmp-00001-xyz",
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "message": "The user-provided container failed to "
            "start and listen on the port defined provided by the PORT=8080 environment variable",
        }
    ],
}
READY = {**NOT_READY, "latestReadyRevisionName": "alert-to-snmp-00002-abc", "conditions": []}
DENIAL = {
    "protoPayload": {
        "authenticationInfo": {"principalEmail": "ci@a-project.iam.gserviceaccount.com"},
        "methodName": "google.storage.objects.get",
        "metadata": {
            "vpcServiceControlsUniqueId": UNIQUE_ID,
            "violationReason": "NO_MATCHING_ACCESS_LEVEL",
        },
        "status": {"code": 7, "message": "Request is prohibited by organization's policy."},
    }
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    return bake(tmp_path_factory.mktemp("reader"), gcp_project_id="a-project")


def explain_build(
    reader: Baked,
    folder: Path,
    *,
    status: str,
    log: str,
    service: object = READY,
    start: str = "",
    arguments: tuple[str, ...] = (),
) -> Said:
    """Explain a build of a cloud whose answers lie in files."""
    stamps = [f"2026-11-24T00:00:{second:02}Z" for second in range(60)]
    lines = [
        {"textPayload": line, "timestamp": stamp}
        for line, stamp in zip(start.splitlines(), stamps, strict=False)
    ]
    files = {
        "build": f"id: {BUILD}\nstatus: {status}\n",
        "log": log,
        "service": json.dumps({"status": service}),
        "start": json.dumps(lines),
        "denial": json.dumps([DENIAL]),
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    script = f"""case "$1 $2" in
"builds describe") cat "{folder}/build";;
"builds log") cat "{folder}/log";;
"run services") cat "{folder}/service";;
"logging read") case "$3" in *UniqueId*) cat "{folder}/denial";; *) cat "{folder}/start";; esac;;
*) exit 1;; esac"""
    path = os.pathsep.join([fake_gcloud(folder, script), os.defpath])
    command = ("explain", "--build", BUILD, *arguments)
    return doctor(reader, *command, environment={"PATH": path})


def test_a_build_that_succeeded_is_followed_by_the_start_of_its_revision(
    reader: Baked, tmp_path: Path
) -> None:
    said = explain_build(
        reader, tmp_path, status="SUCCESS", log="DONE\n", service=NOT_READY, start=TRACEBACK
    )
    assert said.status == FOUND, said.errors
    order = [
        f"== build {BUILD} ==",
        "== start of revision alert-to-snmp-00002-abc ==",
        "module-missing: ",
        "== state of revision alert-to-snmp-00002-abc ==",
        "container-not-ready: ",
    ]
    positions = [said.output.index(each) for each in order]
    assert positions == sorted(positions)
    assert any('revision_name="alert-to-snmp-00002-abc"' in call for call in calls(tmp_path))


def test_a_revision_that_serves_is_not_asked_for_its_log(reader: Baked, tmp_path: Path) -> None:
    said = explain_build(reader, tmp_path, status="SUCCESS", log="DONE\n", start=TRACEBACK)
    assert said.status == HEALTHY
    assert not any(call.startswith("logging read") for call in calls(tmp_path))


def test_a_build_that_failed_is_its_own_story(reader: Baked, tmp_path: Path) -> None:
    log = (LOGS / "pip-found-nothing.log").read_text(encoding="utf-8")
    said = explain_build(reader, tmp_path, status="FAILURE", log=log, arguments=("--json",))
    assert said.causes() == ["pip-found-nothing"]
    assert [call.split()[:2] for call in calls(tmp_path)] == [
        ["builds", "describe"],
        ["builds", "log"],
    ]


def test_a_refusal_of_the_perimeter_is_followed_by_its_record(
    reader: Baked, tmp_path: Path
) -> None:
    said = explain_build(reader, tmp_path, status="FAILURE", log=REFUSED, arguments=("--json",))
    assert said.causes() == ["request-prohibited", "vpc-sc-denied"]
    denied = said.json()["explained"][1]
    assert denied["log"] == f"the perimeter's record of {UNIQUE_ID}"
    assert "ci@a-project.iam.gserviceaccount.com: NO_MATCHING_ACCESS_LEVEL" in denied["what"]
    asked = [call for call in calls(tmp_path) if call.startswith("logging read")]
    assert len(asked) == 1
    assert f'vpcServiceControlsUniqueId="{UNIQUE_ID}"' in asked[0]
