"""`make secrets` with the real gcloud, which reaches a stand-in of Secret Manager."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.server import TOKEN, serve
from tests.support.baking import Baked, bake, bare_environment
from tests.support.stacks import settings

VALUES = {"snmp-auth-password": "correct horse=battery", "snmp-priv-password": "staple-監視"}
GIVEN = "".join(f"{name}={value}\n" for name, value in VALUES.items())
Secrets = Callable[..., subprocess.CompletedProcess[str]]
# Runs the command of its arguments with a terminal of its own, and types the lines that it reads.
TERMINAL = """\
import os, pty, sys
lines = sys.stdin.read().splitlines(True)
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
shown = b""
while True:
    try:
        shown += (read := os.read(terminal, 1000))
    except OSError:
        break
    if not read:
        break
    if lines and shown.endswith(b": "):
        os.write(terminal, lines.pop(0).encode())
        shown += b"\\n"
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    made.add_project("a-project", "111111111111", "secretmanager")
    return made


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    made = bake(tmp_path / "product", gcp_project_id="a-project")
    name_secrets(made, "1")
    return made


def name_secrets(product: Baked, version: str) -> None:
    text = product.read("terraform/function/settings.auto.tfvars.json")
    function = json.loads(text)["function"]
    function["secret_environment"] = {
        name.upper().replace("-", "_"): {"secret": name, "version": version} for name in VALUES
    }
    settings(product, "function", function=function)


@pytest.fixture
def secrets(product: Baked, cloud: Cloud, gcloud: str, tmp_path: Path) -> Iterator[Secrets]:
    home = tmp_path / "home"
    home.mkdir()
    token = home / "token"
    token.write_text(TOKEN, encoding="utf-8")
    with serve(cloud) as running:
        endpoint = f"{running.url}/secretmanager.googleapis.com/"
        environment = bare_environment(
            home,
            PATH=os.pathsep.join([str(Path(gcloud).parent), os.defpath]),
            CLOUDSDK_CONFIG=str(home / "gcloud"),
            CLOUDSDK_AUTH_ACCESS_TOKEN_FILE=str(token),
            CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER=endpoint,
        )

        def run(
            given: str, *arguments: str, terminal: bool = False
        ) -> subprocess.CompletedProcess[str]:
            command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", "secrets"]
            command += arguments
            return subprocess.run(
                [sys.executable, "-c", TERMINAL, *command] if terminal else command,
                cwd=product.path,
                env=environment,
                input=given,
                capture_output=True,
                encoding="utf-8",
                check=False,
                timeout=120,
            )

        yield run


def kept(cloud: Cloud, project: str = "a-project") -> dict[str, str]:
    """Return the values of versions that the stand-in has, by secret/version."""
    start = f"projects/{project}/secrets/"
    return {
        name.removeprefix(start).replace("/versions", ""): value.decode()
        for name, value in cloud.blobs.items()
        if name.startswith(start)
    }


FIRST = {f"{name}/1": value for name, value in VALUES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("terminal", [False, True], ids=["lines", "terminal"])
def test_missing_secrets_are_created_and_their_values_are_not_shown(
    *, terminal: bool, secrets: Secrets, cloud: Cloud
) -> None:
    typed = "".join(f"{value}\n" for value in VALUES.values()) if terminal else GIVEN
    done = secrets(typed, terminal=terminal)
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert kept(cloud) == FIRST
    assert [value for value in VALUES.values() if value in printed] == []
    assert printed.count("Created: version 1 of the secret snmp-") == 2
    (replication, _) = [
        each["replication"] for each in cloud.resources.values() if "replication" in each
    ]
    assert "asia-northeast1" in json.dumps(replication)

    again = secrets("")
    assert again.returncode == 0, again.stderr
    assert again.stdout == "Every secret that the settings name is in a-project.\n"
    assert kept(cloud) == FIRST


@pytest.mark.slow
def test_a_raised_version_is_added_and_another_number_is_named(
    product: Baked, secrets: Secrets, cloud: Cloud
) -> None:
    secrets(GIVEN)
    name_secrets(product, "2")
    raised = secrets("snmp-auth-password=new\nsnmp-priv-password=newer\n")
    assert raised.returncode == 0, raised.stderr
    new = {"snmp-auth-password/2": "new", "snmp-priv-password/2": "newer"}
    assert kept(cloud) == FIRST | new
    name_secrets(product, "7")
    other = secrets(GIVEN)
    assert other.returncode != 0
    assert "The settings name version 7: set 3 there." in other.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("snmp-auth-password=correct\n", "secret snmp-priv-password of a-project is missing"),
        (GIVEN + "snmp-priv-password=\n", "its value is empty"),
        (GIVEN + "snmp-priv-password=staple \n", "its value is surrounded by white space"),
    ],
)
def test_without_a_value_for_each_nothing_is_created(
    given: str, why: str, secrets: Secrets, cloud: Cloud
) -> None:
    refused = secrets(given)
    assert refused.returncode != 0
    assert why in refused.stderr
    assert "correct" not in refused.stderr
    assert kept(cloud) == {}


@pytest.mark.slow
def test_secrets_of_an_environment_are_in_its_project(
    product: Baked, secrets: Secrets, cloud: Cloud
) -> None:
    cloud.add_project("a-prod-project", "222222222222", "secretmanager")
    file = product.path / "terraform/function/environments/prod.tfvars.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"project_id": "a-prod-project"}), encoding="utf-8")
    done = secrets(GIVEN, "ENV=prod")
    assert done.returncode == 0, done.stderr
    assert kept(cloud) == {}
    assert kept(cloud, "a-prod-project") == FIRST


@pytest.mark.slow
def test_gclouds_own_refusal_is_shown(secrets: Secrets, cloud: Cloud) -> None:
    cloud.apis["a-project"].remove("secretmanager")
    refused = secrets(GIVEN)
    assert refused.returncode != 0
    assert "$ gcloud secrets versions describe 1 --secret=snmp-auth-password" in refused.stderr
    assert "secretmanager.googleapis.com" in refused.stderr
    cloud.apis["a-project"].append("secretmanager")
    assert secrets(GIVEN).returncode == 0
    assert kept(cloud) == FIRST


def test_where_the_settings_name_no_secret_nothing_is_asked(tmp_path: Path) -> None:
    product = bake(tmp_path, gcp_project_id="a-project")
    done = subprocess.run(
        [sys.executable, "-m", "closed_function", "secrets"],
        cwd=product.path,
        env=bare_environment(tmp_path, PATH=os.defpath),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("function.secret_environment names no secret")
