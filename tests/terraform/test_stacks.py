"""`make platform`, `deploy`, `destroy` and `state` of a product, with Terraform itself.

The providers are the replay: what is shown is what our tool does, not what Google Cloud does.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from closed_function.declarations import Declaration, find_unknown, parse_declarations
from cloud_stand_in.server import TOKEN, StandIn, serve
from cloud_stand_in.services.storage import create_bucket, generations, live_object
from terraform_replay.clients import Client
from terraform_replay.server import Replay, replay
from tests.support.baking import Baked, bake, bare_environment
from tests.support.gcloud import (
    record_gcloud,
    refused_commands,
    signed_in_environment,
    write_gcloud,
)
from tests.support.healthy_cloud import HealthyCloud
from tests.support.stacks import GIVEN, name_receivers, reach_receivers, settings

HAND_OVER = "terraform/function/platform.auto.tfvars.json"
SETTINGS = "terraform/function/settings.auto.tfvars.json"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    """A repository with its own platform, whose owner has filled in what only they know."""
    made = bake(tmp_path, platform="create", function_kind="http", gcp_project_id="a-project")
    settings(made, "platform", **GIVEN["create"])
    return made


@pytest.fixture
def running() -> Iterator[Replay]:
    with replay() as started:
        yield started


@pytest.fixture
def environment(terraform: Client, running: Replay, tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    path = os.pathsep.join([str(Path(terraform.program).parent), os.defpath])
    return {
        **bare_environment(home),
        "PATH": path,
        "CHECKPOINT_DISABLE": "1",
        **running.environment,
    }


@pytest.fixture
def make(product: Baked, environment: dict[str, str]) -> Run:
    return maker(product, environment)


def maker(product: Baked, environment: dict[str, str]) -> Run:
    """Return what runs make in `product`."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--no-print-directory", f"PYTHON={sys.executable}", *arguments],
            cwd=product.path,
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    return run


def resources(product: Baked, stack: str, workspace: str = "default") -> list[str]:
    """The types in the state that a stack keeps in the repository."""
    folder = product.path / "terraform" / stack
    where = folder if workspace == "default" else folder / "terraform.tfstate.d" / workspace
    state = where / "terraform.tfstate"
    if not state.exists():
        return []
    kept = json.loads(state.read_text(encoding="utf-8"))["resources"]
    return sorted(each["type"] for each in kept if each["mode"] == "managed")


@pytest.mark.slow
def test_two_commands_make_the_platform_and_the_function(product: Baked, make: Run) -> None:
    made = make("platform", "YES=1")
    assert made.returncode == 0, made.stderr
    assert f"Handed over: {HAND_OVER}" in made.stdout
    assert "The switch: ALLOW" in made.stdout
    assert "google_artifact_registry_vpcsc_config" in resources(product, "platform")

    deployed = make("deploy", "YES=1")
    assert deployed.returncode == 0, deployed.stderr
    assert "google_cloudfunctions2_function" in resources(product, "function")
    assert "No changes." in make("plan").stdout

    destroyed = make("destroy", "YES=1")
    assert destroyed.returncode == 0, destroyed.stderr
    assert re.search(r"gcf-v2-sources-\d+-asia-northeast1,", destroyed.stdout)
    assert "images remain in ar-builddocker of a-project." in destroyed.stdout
    for absent in ("NUMBER", "secrets", "build_service_accounts", "shared-vpc"):
        assert absent not in destroyed.stdout.partition("These remain")[2]
    assert resources(product, "function") == []
    assert resources(product, "platform") != []
    destroyed = make("destroy", "STACK=platform", "YES=1", "FORCE=1")
    assert destroyed.returncode == 0, destroyed.stderr
    remains = destroyed.stdout.partition("These remain in a-project:\n")[2]
    *listed, policy = remains.splitlines()
    assert listed == [
        "- the switch of asia-northeast1, at ALLOW: `make deny` sets it to DENY;",
        "- the APIs that were enabled, and the service agents with them.",
    ]
    assert re.match(r"The access policy \S+ of the organisation 987654321098 remains:", policy)
    assert resources(product, "platform") == []


@pytest.mark.slow
def test_what_is_handed_over_is_what_the_template_guessed(product: Baked, make: Run) -> None:
    before = product.read(HAND_OVER)
    assert "run `make lock`" not in make("platform", "YES=1").stdout
    assert product.read(HAND_OVER) == before

    settings(product, "platform", repositories={"python": "ar-other"})
    assert "run `make lock`" in make("platform", "YES=1").stdout
    handed = json.loads(product.read(HAND_OVER))["platform"]
    assert handed["python_index_url"].endswith("/a-project/ar-other/simple/")
    refused = make("deploy", "YES=1")
    assert refused.returncode == 2
    assert "Run `make lock`" in " ".join(refused.stderr.split())
    assert len(refused.stderr) < 2000  # not the whole lock


@pytest.mark.slow
def test_an_environment_has_its_own_state_and_platform(product: Baked, make: Run) -> None:
    refused = make("platform", "ENV=prod", "YES=1")
    assert refused.returncode == 2
    assert "terraform/platform/environments/prod.tfvars.json does not exist" in refused.stderr

    for stack in ("platform", "function"):
        folder = product.path / "terraform" / stack / "environments"
        folder.mkdir()
        (folder / "prod.tfvars.json").write_text('{"project_id": "a-prod-project"}')
    before = product.read(HAND_OVER)
    assert make("platform", "ENV=prod", "YES=1").returncode == 0
    assert product.read(HAND_OVER) == before
    handed = json.loads(product.read("terraform/function/environments/prod.platform.tfvars.json"))
    assert handed["platform"]["project_id"] == "a-prod-project"
    assert resources(product, "platform") == []
    assert resources(product, "platform", "prod") != []

    lock = product.path / "function" / "requirements.txt"
    index, rest = lock.read_text(encoding="utf-8").split("\n", 1)
    lock.write_text(index.replace("a-project", "a-prod-project") + "\n" + rest, encoding="utf-8")
    deployed = make("deploy", "ENV=prod", "YES=1")
    assert deployed.returncode == 0, deployed.stderr
    assert resources(product, "function") == []
    assert "google_cloudfunctions2_function" in resources(product, "function", "prod")


@pytest.mark.slow
def test_a_function_of_another_project_says_what_the_platform_must_list(
    product: Baked, make: Run
) -> None:
    secret = {"TOKEN": {"secret": "a-token", "version": "1"}}
    function = json.loads(product.read(SETTINGS))["function"]
    function["secret_environment"] = secret
    settings(product, "function", project_id="another-project", function=function)
    first = make("platform", "YES=1")
    assert "Next: `make accounts`, `make secrets`, `make doctor` and `make deploy`." in first.stdout
    made = make("accounts", "YES=1")
    assert made.returncode == 0, made.stderr
    assert set(resources(product, "function")) == {
        "google_project_service",
        "google_project_service_identity",
        "google_service_account",
    }
    assert "then run `make secrets` and `make deploy`" in made.stdout
    attach = "gcloud compute shared-vpc associated-projects add another-project"
    assert f"{attach} --host-project=a-project\n" in made.stdout
    listed = json.loads(made.stdout[made.stdout.index('{\n  "functions"') :])
    build = "alert-to-snmp-build@another-project.iam.gserviceaccount.com"
    assert listed["functions"]["build_service_accounts"] == [build]
    assert list(listed["functions"]["projects"]) == ["another-project"]

    settings(product, "platform", **listed)
    let_in = make("platform", "YES=1")
    assert let_in.returncode == 0, let_in.stderr
    assert build in let_in.stdout
    assert "Next: `make secrets`, `make doctor` and `make deploy`." in let_in.stdout
    assert make("deploy", "YES=1").returncode == 0
    destroyed = make("destroy", "YES=1").stdout
    assert "- the secrets a-token: gcloud secrets delete NAME" in destroyed
    assert f"- build_service_accounts: {build}\n" in destroyed
    assert "from `functions` in terraform/platform/settings.auto.tfvars.json:" in destroyed
    assert f"{attach.replace('add', 'remove')} --host-project=a-project\n" in destroyed
    assert "images remain" not in destroyed
    settings(product, "platform", functions={})
    again = make("destroy", "YES=1").stdout
    assert "gcf-v2-sources-NUMBER-asia-northeast1" in again
    assert "build_service_accounts" not in again


@pytest.mark.slow
def test_a_given_topic_is_listed_by_the_platform_before_the_deployment(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    product = bake(tmp_path / "alert", platform="create", gcp_project_id="a-project")
    allowed = {"snmp": {"ranges": ["10.20.0.0/24"], "protocol": "udp", "ports": ["162"]}}
    settings(product, "platform", **GIVEN["create"], network={"egress_allowances": allowed})
    name_receivers(product)
    topic = "projects/a-project/topics/alerts"
    settings(product, "function", trigger={"kind": "alert", "topic": topic})
    make = maker(product, environment)

    assert make("platform", "YES=1").returncode == 0
    refused = make("deploy", "YES=1")
    assert refused.returncode != 0
    assert f"{topic}." in refused.stderr
    assert "`make" in refused.stderr
    assert "accounts`" in refused.stderr

    made = make("accounts", "YES=1")
    assert made.returncode == 0, made.stderr
    assert "google_monitoring_notification_channel" in resources(product, "function")
    assert "google_pubsub_subscription" not in resources(product, "function")
    listed = json.loads(made.stdout[made.stdout.index('{\n  "functions"') :])
    assert listed == {
        "functions": {
            "service_agents": {
                "a-project": {"alert_topics": [topic], "kms_keys": [], "storage_triggers": False}
            }
        }
    }
    settings(product, "platform", **listed)
    assert make("platform", "YES=1").returncode == 0
    deployed = make("deploy", "YES=1")
    assert deployed.returncode == 0, deployed.stderr


@pytest.mark.slow
def test_a_deployment_prints_how_alerts_reach_the_function_and_a_test_of_it(
    gcloud: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    product = bake(tmp_path / "alert", platform="create", gcp_project_id="a-project")
    reach_receivers(product)
    deployed = maker(product, environment)("deploy", "YES=1")
    assert deployed.returncode == 0, deployed.stderr
    printed = deployed.stdout[deployed.stdout.index("Only alert policies") :].replace("\\\n", "")
    commands = re.findall(r"(gcloud .+?)(?:\):)?\n", printed)
    assert [each.split()[1:4] for each in commands] == [
        ["alpha", "monitoring", "policies"],
        ["alpha", "monitoring", "policies"],
        ["pubsub", "topics", "publish"],
    ]
    assert refused_commands(gcloud, commands, tmp_path) == []
    topic, project, message = shlex.split(commands[2])[4:]
    assert (topic, project) == ("alert-to-snmp", "--project=a-project")
    incident = json.loads(message.removeprefix("--message="))["incident"]
    event = json.loads(product.read("events/incident-open.json"))
    sample = json.loads(b64decode(event["data"]["message"]["data"]))["incident"]
    assert set(incident) < set(sample)
    assert incident["state"] == sample["state"]


@pytest.mark.slow
def test_where_the_platform_has_nothing_to_list_make_accounts_says_so(make: Run) -> None:
    made = make("accounts", "YES=1")
    assert made.returncode == 0, made.stderr
    assert "This function needs nothing in the platform's `functions`." in made.stdout


MISSPELT: dict[str, tuple[dict[str, Any], str]] = {
    "a variable": ({"vpn": {}}, "there is no vpn; it has egress, function, "),
    "an attribute": (
        {"egress": {"dierct": {}}},
        "there is no egress.dierct; did you mean direct?",
    ),
    "a nested attribute": (
        {"egress": {"connector": {"nam": "c", "ip_cidr_range": "10.8.0.0/28"}}},
        "there is no egress.connector.nam; did you mean name?",
    ),
}


def test_make_passes_on_a_dollar_as_it_is_typed(product: Baked, make: Run) -> None:
    (product.path / "cost$5.log").write_text("all is well\n", encoding="utf-8")
    assert "Line 1: all is well\n" in make("explain", "LOG=cost$5.log").stdout
    said = make("send", "EVENT=--help")
    assert said.returncode == 2
    assert "--help" in said.stderr


# What is given and what its refusal says of it; each with the target that takes it.
REFUSED_VALUES = {
    ("deploy", "YES=no"): "'no' must be 1",
    ("deploy", "YES=0"): "'0' must be 1",
    ("destroy", "YES=true"): "'true' must be 1",
    ("platform", "YES="): "'' must be 1",
    ("accounts", "YES=yes"): "'yes' must be 1",
    ("state", "BUCKET=a-bucket", "YES=no"): "'no' must be 1",
    ("plan", "ENV="): "'' must be 1 to 30 of a-z, 0-9 and hyphens, such as prod; leave it out for",
    ("destroy", "YES=1", "ENV=$(UNDEFINED)"): "argument --env: '$(UNDEFINED)' must be 1 to 30",
    ("status", "ENV="): "argument --env: '' must be 1 to 30",
    ("doctor", "ENV="): "argument --env: '' must be 1 to 30",
    ("explain", "ENV="): "argument --env: '' must be 1 to 30",
    ("lock", "ENV="): "argument --env: '' must be 1 to 30",
    ("plan", "STACK="): "argument stack: invalid choice: ''",
    ("lock", "UPGRADE="): "argument --upgrade: invalid choice: ''",
    ("upgrade", "VERSION="): "argument --version: is empty",
    ("upgrade", "ANSWERS="): "argument --answers: is empty",
    ("audit", "IGNORE="): "argument --ignore: '' must be ids",
    ("explain", "BUILD="): "argument --build: '' must be a build's id",
    ("explain", "LOG="): "argument file: is empty",
    ("send", "EVENT="): "argument files: is empty",
    ("send", "PORT="): "argument --port: invalid int value: ''",
    ("run", "PORT="): "PORT: is empty: it must be a number, such as 8080",
    ("state", "BUCKET="): "BUCKET is '', but it must be a bucket's name",
}


@pytest.mark.parametrize("given", REFUSED_VALUES, ids=" ".join)
@pytest.mark.parametrize("where", ["typed", "exported"])
def test_a_value_that_says_nothing_or_not_1_is_refused(
    given: tuple[str, ...], where: str, product: Baked, make: Run, tmp_path: Path
) -> None:
    for environment in (".venv", ".venv-tools"):
        programs = product.path / environment / "bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        (programs.parent / "ready").touch()
    called = tmp_path / "called"
    program = tmp_path / "recorder"
    program.write_text(f"#!/bin/sh\ntouch {called}\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    target, *typed = given
    variables = dict(each.split("=") for each in typed) if where == "exported" else {}
    refused = make(target, *([] if variables else typed), TERRAFORM=str(program), **variables)
    assert refused.returncode == 2
    said = [each for each in refused.stderr.splitlines() if not each.startswith("make: ")]
    assert len(said) == 1, refused.stderr
    assert REFUSED_VALUES[given] in said[0]
    assert not called.exists()


def test_an_environment_may_stand_before_make(make: Run) -> None:
    done = make("plan", ENV="prod")
    assert "terraform/function/environments/prod.tfvars.json does not exist" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("case", MISSPELT)
def test_a_misspelt_setting_is_refused(case: str, product: Baked, make: Run) -> None:
    added, message = MISSPELT[case]
    good = make("plan")
    assert good.returncode == 0, good.stderr
    settings(product, "function", **added)
    refused = make("plan")
    assert refused.returncode == 2
    line = f"terraform/function/settings.auto.tfvars.json: {message}"
    assert any(each.startswith(line) for each in refused.stderr.splitlines())
    assert "Plan:" not in refused.stdout


@pytest.mark.slow
def test_settings_that_are_not_json_are_refused(product: Baked, make: Run) -> None:
    file = product.path / "terraform/function/settings.auto.tfvars.json"
    file.write_text(file.read_text(encoding="utf-8").replace(",", "", 1), encoding="utf-8")
    refused = make("plan")
    assert refused.returncode == 2
    assert f"{file.relative_to(product.path)} is not JSON: " in refused.stderr


@pytest.mark.slow
def test_the_placeholder_is_planned_but_never_applied(
    tmp_path: Path, product: Baked, make: Run
) -> None:
    placeholder = bake(tmp_path / "placeholder", platform="create", function_kind="http")
    for stack in ("platform", "function"):
        values = json.loads(placeholder.read(f"terraform/{stack}/settings.auto.tfvars.json"))
        settings(product, stack, project_id=values["project_id"])
    assert make("plan", "STACK=platform").returncode == 0
    for target in ("platform", "accounts", "deploy", "destroy"):
        refused = make(target, "YES=1")
        assert refused.returncode == 2
        assert "project_id is still the placeholder my-project-id" in refused.stderr
    assert resources(product, "platform") == resources(product, "function") == []


def test_a_repository_that_reuses_a_platform_has_none_to_make(tmp_path: Path) -> None:
    made = bake(tmp_path, platform="reuse")
    done = made.run(sys.executable, "-m", "closed_function", "apply", "platform")
    assert done.returncode == 2
    assert done.stderr.startswith("terraform/platform is not in this repository: it uses")
    assert done.stderr.count("\n") == 1


def test_without_terraform_the_message_says_what_to_install(
    product: Baked, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "closed_function", "plan", "function"]
    for more, message in (
        ({"PATH": "/nonexistent"}, "Terraform (1.11 or newer) or OpenTofu (1.10 or newer) is not"),
        ({"TERRAFORM": "no-such-program"}, "no-such-program is not installed."),
    ):
        done = subprocess.run(
            command,
            cwd=product.path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3
        assert done.stderr.startswith(message)


def test_what_a_user_mistypes_is_refused_before_anything_is_written(
    product: Baked, make: Run
) -> None:
    before = product.files()
    for arguments, message in (
        (["deploy", "ENV=Prod!"], "'Prod!' must be 1 to 30 of a-z, 0-9 and hyphens, such as prod"),
        (["plan", "STACK=both"], "invalid choice: 'both'"),
        (["state", "BUCKET=gs://state"], "BUCKET is 'gs://state', but it must be a bucket's name"),
        (["state"], "BUCKET is '', but it must be a bucket's name"),
    ):
        done = make(*arguments)
        assert done.returncode == 2
        assert message in done.stderr
    assert product.files() == before


@pytest.fixture
def cloud() -> HealthyCloud:
    """A cloud with a bucket for the state."""
    made = HealthyCloud()
    create_bucket(made, "a-project", "a-bucket", {"location": "asia-northeast1"})
    return made


@pytest.fixture
def stand_in(cloud: HealthyCloud, tmp_path: Path) -> Iterator[StandIn]:
    with serve(cloud, tmp_path) as running:
        yield running


@pytest.fixture
def state_environment(stand_in: StandIn) -> dict[str, str]:
    """What leads Terraform's own client of Cloud Storage to the stand-in."""
    return {
        "GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN,
        "HTTPS_PROXY": stand_in.url,
        "SSL_CERT_FILE": str(stand_in.authority),
    }


@pytest.mark.slow
def test_the_state_moves_to_a_bucket_and_is_used_from_there(
    product: Baked, make: Run, cloud: HealthyCloud, state_environment: dict[str, str]
) -> None:
    assert make("deploy", "YES=1").returncode == 0
    before = resources(product, "function")
    moved = make("state", "BUCKET=a-bucket", "YES=1", **state_environment)
    assert moved.returncode == 0, moved.stdout + moved.stderr
    key, _ = live_object(cloud, "a-bucket", "a-project/alert-to-snmp/function/default.tfstate")
    kept = json.loads(cloud.blobs[key])["resources"]
    assert sorted(each["type"] for each in kept if each["mode"] == "managed") == before
    assert 'prefix = "a-project/alert-to-snmp/platform"' in product.read(
        "terraform/platform/backend.tf"
    )
    planned = make("plan", **state_environment)
    assert planned.returncode == 0, planned.stderr
    assert "No changes." in planned.stdout


# By the methods of the requests that are refused.
WITHOUT_RIGHTS = {
    "GET/POST": {"storage.objects.create", "storage.objects.get", "storage.objects.list"},
    "POST": {"storage.objects.create"},
}


@pytest.mark.slow
@pytest.mark.parametrize("refused_methods", WITHOUT_RIGHTS)
def test_a_bucket_that_refuses_leaves_the_state_here(
    refused_methods: str,
    product: Baked,
    make: Run,
    stand_in: StandIn,
    state_environment: dict[str, str],
) -> None:
    assert make("deploy", "YES=1").returncode == 0
    before = resources(product, "function")
    assert before
    stand_in.faults.denied |= WITHOUT_RIGHTS[refused_methods]
    refused = make("state", "BUCKET=a-bucket", "YES=1", **state_environment)
    assert refused.returncode != 0
    assert "Permission 'storage.objects." in refused.stderr
    assert generations(stand_in.cloud, "a-bucket") == []
    assert list(product.path.glob("terraform/*/backend.tf")) == []
    assert resources(product, "function") == before
    assert "No changes." in make("plan").stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_deployment_keeps_what_was_made(
    name: str, product: Baked, environment: dict[str, str], terraform: Client
) -> None:
    assert terraform.program
    command = [sys.executable, "-m", "closed_function", "apply", "function", "--yes"]
    with replay(delay=2) as slow:
        process = subprocess.Popen(
            command,
            cwd=product.path,
            env={**environment, **slow.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while not slow.changes() and time.monotonic() < deadline:
            time.sleep(0.1)
        if name == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        else:
            process.terminate()  # the tool alone
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Interrupt received" in output
    assert "apply of terraform/function failed." in output.splitlines()[-1]
    assert "nothing was changed" not in output
    kept = resources(product, "function")
    assert "google_project_service" in kept
    assert "google_cloudfunctions2_function" not in kept
    assert not list(product.path.glob("terraform/function/.terraform.tfstate.lock.info"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "build-sources-denied.terraform",
            "failed. To see why: make explain BUILD=1a97db7d-c85b-499a-b677-97d1af267048\n",
        ),
        ("state-locked.colour", "failed. To see what is missing: make doctor\n"),
    ],
    ids=["a build", "no build"],
)
def test_a_deployment_that_fails_names_the_build_if_there_was_one(
    log: str, said: str, product: Baked, terraform: Client, make: Run, tmp_path: Path
) -> None:
    errors = Path(__file__).parents[1] / f"doctor/logs/{log}.log"
    fail = f'if [ "$1" = apply ]; then cat "{errors}" >&2; exit 1; fi'
    failed = make("deploy", "YES=1", TERRAFORM=wrapper(tmp_path, terraform, fail))
    assert failed.returncode != 0
    words = f"{errors.read_text(encoding='utf-8')}apply of terraform/function {said}make: *** "
    assert words in failed.stderr
    assert resources(product, "function") == []


@pytest.mark.slow
def test_a_deployment_that_is_not_approved_names_no_cause(
    product: Baked, environment: dict[str, str]
) -> None:
    declined = subprocess.run(
        ["make", "--no-print-directory", f"PYTHON={sys.executable}", "deploy"],
        cwd=product.path,
        env=environment,
        input="no\n",
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert "Apply cancelled." in declined.stdout
    assert "apply of terraform/function failed." in declined.stderr
    assert "make doctor" not in declined.stderr
    assert resources(product, "function") == []


UNWORKABLE = {
    "no port": (
        {"SNMP_RECEIVERS": "10.20.0.5"},
        "settings-invalid: SNMP_RECEIVERS: '10.20.0.5' is",
    ),
    "a misspelt name": (
        {"SNMP_RECEIVERS": "10.20.0.5:162", "SNMP_VERSON": "3"},
        "settings-invalid: SNMP_VERSON is unknown (did you mean SNMP_VERSION?)",
    ),
    "a receiver behind the firewall": (
        {"SNMP_RECEIVERS": "10.20.9.9:162"},
        "egress-denied: No entry of network.egress_allowances has 10.20.9.9, udp, port 162.",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", UNWORKABLE)
def test_what_the_function_could_not_work_with_is_refused_before_a_plan(
    case: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    product = bake(tmp_path / "alert", platform="create", gcp_project_id="a-project")
    reach_receivers(product)
    make = maker(product, environment)
    good = json.loads(product.read("terraform/function/settings.auto.tfvars.json"))["function"]
    variables, problem = UNWORKABLE[case]
    settings(product, "function", function={**good, "environment": variables})
    for command in (["plan"], ["deploy", "YES=1"]):
        refused = make(*command)
        assert refused.returncode != 0
        assert problem in refused.stderr
        assert "To see how to correct it: make doctor\n" in refused.stderr
        assert "Plan:" not in refused.stdout
    settings(product, "function", function=good)
    planned = make("plan")
    assert planned.returncode == 0, planned.stderr
    assert "Plan:" in planned.stdout


# --- make validate, make format ---


def test_the_format_is_told_mended_and_without_terraform_left_alone(
    terraform: Client, tmp_path: Path
) -> None:
    product = bake(tmp_path, function_kind="http")
    tool = [sys.executable, "-m", "closed_function", "format"]
    file = product.path / "terraform/function/versions.tf"
    right = file.read_text(encoding="utf-8")

    def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*tool, *options],
            cwd=product.path,
            env=bare_environment(tmp_path, **environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    real = {"TERRAFORM": terraform.program}
    assert run("--check", **real).returncode == 0
    file.write_text(right.replace("  ", "   ", 1), encoding="utf-8")
    checked = run("--check", **real)
    assert checked.returncode == 1
    assert "`make format` corrects it" in checked.stderr
    absent = run("--check", PATH="/nowhere")
    assert absent.returncode == 0
    assert "was not checked" in absent.stderr
    assert run("--check", PATH="/nowhere", CI="true").returncode == 3
    file.write_text(right + "locals {\n", encoding="utf-8")
    unread = run("--check", **real)
    assert unread.returncode == 1
    assert "cannot read these files" in unread.stderr
    file.write_text(right.replace("  ", "   ", 1), encoding="utf-8")
    assert run(**real).returncode == 0
    assert file.read_text(encoding="utf-8") == right


@pytest.mark.slow
def test_both_stacks_are_validated_until_one_is_broken(terraform: Client, tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http", platform="reuse")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "closed_function", "validate"],
            cwd=product.path,
            env={**terraform.variables(), "TERRAFORM": terraform.program},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    passed = run()
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "Success!" in passed.stdout
    with (product.path / "terraform/function/versions.tf").open("a", encoding="utf-8") as file:
        file.write('\noutput "wrong" {\n  value = local.absent\n}\n')
    broken = run()
    assert broken.returncode == 1
    assert "undeclared local value" in broken.stderr


# --- environments beside each other ---


def name_environment(product: Baked, stack: str, name: str, **values: object) -> None:
    """Write what differs in an environment."""
    folder = product.path / "terraform" / stack / "environments"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.tfvars.json").write_text(json.dumps(values), encoding="utf-8")
    handed_over = product.path / HAND_OVER
    if stack == "function" and "project_id" in values and handed_over.is_file():
        content = json.loads(handed_over.read_text(encoding="utf-8"))
        content["platform"].setdefault("function_projects", []).append(values["project_id"])
        handed_over.write_text(json.dumps(content), encoding="utf-8")


def wrapper(folder: Path, terraform: Client, script: str) -> str:
    """A program for the variable TERRAFORM that runs `script` before Terraform itself."""
    program = folder / "wrapped-terraform"
    program.write_text(f'#!/bin/sh\n{script}\nexec {terraform.program} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.mark.slow
def test_a_command_keeps_to_its_environment_whatever_others_select_meanwhile(
    product: Baked, make: Run, terraform: Client, tmp_path: Path
) -> None:
    select_prod = "mkdir -p .terraform; printf prod > .terraform/environment"
    other = {
        "TERRAFORM": wrapper(tmp_path, terraform, f'[ "$1" = workspace ] || {{ {select_prod}; }}')
    }
    for name in ("prod", "dev"):
        name_environment(product, "function", name, project_id=f"a-{name}-project")
        assert make("deploy", f"ENV={name}", "YES=1").returncode == 0
    assert make("deploy", "YES=1").returncode == 0
    in_prod = resources(product, "function", "prod")
    assert "google_cloudfunctions2_function" in in_prod

    assert "No changes." in make("plan", "ENV=dev", **other).stdout
    for arguments, workspace in ((["ENV=dev"], "dev"), ([], "default")):
        destroyed = make("destroy", *arguments, "YES=1", **other)
        assert destroyed.returncode == 0, destroyed.stderr
        assert resources(product, "function", workspace) == []
        assert resources(product, "function", "prod") == in_prod

    name_environment(product, "platform", "prod", project_id="a-prod-project")
    assert make("platform", "ENV=prod", "YES=1", **other).returncode == 0
    assert make("platform", "YES=1", **other).returncode == 0
    assert json.loads(product.read(HAND_OVER))["platform"]["project_id"] == "a-project"


@pytest.mark.slow
def test_a_command_waits_for_no_lock_of_another_environment(product: Baked, make: Run) -> None:
    import fcntl

    folder = product.path / "terraform/function"
    assert make("deploy", "YES=1").returncode == 0
    name_environment(product, "function", "prod", project_id="a-prod-project")
    with (folder / "terraform.tfstate").open("r+") as state:
        fcntl.lockf(state, fcntl.LOCK_EX)  # as a deployment of the default environment does
        refused = make("plan")
        assert "Error acquiring the state lock" in refused.stderr
        planned = make("plan", "ENV=prod")
    assert planned.returncode == 0, planned.stderr


@pytest.mark.slow
def test_what_the_users_shell_says_of_workspaces_changes_no_other_environment(
    product: Baked, make: Run, tmp_path: Path
) -> None:
    name_environment(product, "function", "prod", project_id="a-prod-project")
    data = tmp_path / "data"
    inherited = {"TF_WORKSPACE": "prod", "TF_DATA_DIR": str(data)}
    deployed = make("deploy", "YES=1", **inherited)
    assert deployed.returncode == 0, deployed.stderr
    assert resources(product, "function") != []
    assert resources(product, "function", "prod") == []
    assert not data.exists()
    # What is no redirection stays the user's.
    planned = make("plan", TF_CLI_ARGS_plan="-destroy")
    assert "0 to add, 0 to change" in planned.stdout


@pytest.mark.slow
def test_environments_move_to_a_bucket_together_and_new_ones_begin_there(
    product: Baked, make: Run, cloud: HealthyCloud, state_environment: dict[str, str]
) -> None:
    for name in ("prod", "stg"):
        name_environment(product, "function", name, project_id=f"a-{name}-project")
    assert make("deploy", "YES=1").returncode == 0
    assert make("deploy", "ENV=prod", "YES=1").returncode == 0
    moved = make("state", "BUCKET=a-bucket", "YES=1", TF_WORKSPACE="prod", **state_environment)
    assert moved.returncode == 0, moved.stderr
    assert "No changes." in make("plan", **state_environment).stdout
    assert "No changes." in make("plan", "ENV=prod", **state_environment).stdout
    shutil.rmtree(product.path / "terraform/function/.terraform")  # as in a new clone
    begun = make("deploy", "ENV=stg", "YES=1", **state_environment)
    assert begun.returncode == 0, begun.stderr
    names = [each["name"] for _, each in generations(cloud, "a-bucket")]
    of_function = {name.rpartition("/")[2] for name in names if "/function/" in name}
    assert of_function == {"default.tfstate", "prod.tfstate", "stg.tfstate"}


def test_two_commands_initialise_a_stack_one_after_the_other(
    product: Baked, make: Run, terraform: Client, tmp_path: Path
) -> None:
    alone = 'if [ "$1" = init ]; then mkdir at-work || exit 9; sleep 2; rmdir at-work; fi'
    program = wrapper(tmp_path, terraform, alone)
    name_environment(product, "function", "prod", project_id="a-prod-project")
    with futures.ThreadPoolExecutor() as executor:
        started = [
            executor.submit(make, "plan", *arguments, TERRAFORM=program)
            for arguments in ([], ["ENV=prod"])
        ]
        done = [each.result() for each in started]
    assert [each.returncode for each in done] == [0, 0], done
    assert "Waiting for another command in function/." in done[0].stderr + done[1].stderr


@pytest.mark.slow
def test_environments_that_would_make_the_same_names_are_refused(product: Baked, make: Run) -> None:
    name_environment(product, "function", "prod", project_id="a-project")
    unused = make("plan", "ENV=prod")
    assert unused.returncode == 0, unused.stderr  # nothing is made in the default environment

    (product.path / "terraform/function/environments/prod.tfvars.json").rename(
        product.path / "kept"
    )
    assert make("deploy", "YES=1").returncode == 0
    (product.path / "kept").rename(
        product.path / "terraform/function/environments/prod.tfvars.json"
    )
    for target in ("plan", "deploy", "destroy"):
        refused = make(target, "ENV=prod", *(["YES=1"] if target != "plan" else []))
        assert refused.returncode == 2
        assert refused.stderr.splitlines()[0] == (
            "prod and the default environment would create the same things (project_id a-project, "
            "function.name alert-to-snmp): set another in terraform/function/environments/"
            'prod.tfvars.json, such as {"function": {"name": "alert-to-snmp-prod"}}.'
        )
    refused = make("destroy", "YES=1")
    assert refused.returncode == 2
    assert "The default environment and prod would create the same things" in refused.stderr

    name_environment(
        product, "function", "prod", project_id="a-project", function={"name": "other"}
    )
    assert make("deploy", "ENV=prod", "YES=1").returncode == 0
    name_environment(product, "function", "stg", project_id="b-project")
    name_environment(product, "function", "dev", project_id="b-project")
    refused = make("plan", "ENV=stg")
    assert "stg and dev would create the same things (project_id b-project" in refused.stderr
    assert make("plan").returncode == 0  # neither of them concerns the others


def planned_function(
    product: Baked, terraform: Client, environment: dict[str, str]
) -> dict[str, Any]:
    """Return the values of the variables in prod.plan."""
    plan = product.path / "terraform/function/prod.plan"
    read = subprocess.run(
        [terraform.program, "show", "-json", plan.name],
        cwd=plan.parent,
        env={**environment, "TF_WORKSPACE": "prod"},
        capture_output=True,
        text=True,
        check=True,
    )
    variables = json.loads(read.stdout)["variables"]
    return {name: each["value"] for name, each in variables.items()}


@pytest.mark.slow
def test_an_environment_says_only_what_differs(
    product: Baked, make: Run, terraform: Client, environment: dict[str, str]
) -> None:
    given = json.loads(product.read("terraform/function/settings.auto.tfvars.json"))
    given["function"] |= {"environment": {"LEVEL": "info", "PLACE": "a", "ONCE": "1"}}
    given["function"] |= {"runtime_roles": ["roles/logging.logWriter"]}
    settings(product, "function", function=given["function"])
    own = {"LEVEL": "debug", "ONCE": None, "NEW": "b"}
    name_environment(
        product,
        "function",
        "prod",
        project_id="a-prod-project",
        function={"min_instances": 0, "environment": own},
    )
    planned = make("plan", "ENV=prod", TF_CLI_ARGS_plan="-out=prod.plan")
    assert planned.returncode == 0, planned.stderr
    values = planned_function(product, terraform, environment)
    assert values["project_id"] == "a-prod-project"
    assert values["function"] == given["function"] | {
        "min_instances": 0,
        "environment": {"LEVEL": "debug", "PLACE": "a", "NEW": "b"},
    }
    assert values["trigger"] == given["trigger"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"projet_id": "p"}, "there is no projet_id; did you mean project_id?"),
        (
            {"function": {"min_instance": 0}},
            "there is no function.min_instance; did you mean min_instances?",
        ),
        ({"trigger": "http", "min_instances": 0}, "there is no min_instances; it has egress, "),
    ],
)
def test_a_misspelt_name_of_an_environment_is_refused_before_any_plan(
    values: dict[str, Any], message: str, product: Baked, make: Run
) -> None:
    name_environment(product, "function", "prod", project_id="a-prod-project")
    assert make("plan", "ENV=prod").returncode == 0
    name_environment(product, "function", "prod", project_id="a-prod-project", **values)
    for target in ("plan", "doctor"):
        refused = make(target, "ENV=prod")
        said = refused.stdout + refused.stderr
        assert f"terraform/function/environments/prod.tfvars.json: {message}" in said
        assert "Plan:" not in said


@pytest.mark.slow
def test_the_settings_are_held_against_what_is_declared_not_against_an_environment(
    product: Baked, make: Run
) -> None:
    given = json.loads(product.read("terraform/function/settings.auto.tfvars.json"))
    given["function"] |= {"environment": {"SNMP_VERSION": "2c"}}
    settings(product, "function", function=given["function"])
    environment = {"environment": {"SNMP_VERSION": None, "OTHER": "1"}}
    name_environment(product, "function", "prod", project_id="a-prod-project", function=environment)
    planned = make("plan", "ENV=prod")
    assert planned.returncode == 0, planned.stderr


@pytest.mark.slow
def test_the_next_commands_that_are_printed_name_the_environment(product: Baked, make: Run) -> None:
    name_environment(product, "function", "prod", project_id="a-prod-project")
    made = make("accounts", "ENV=prod", "YES=1")
    assert made.returncode == 0, made.stderr
    # The platform is the default environment's.
    assert "`make platform`; then run `make deploy ENV=prod`." in made.stdout
    assert '"a-prod-project": ' in made.stdout
    name_environment(product, "platform", "prod", project_id="a-prod-project")
    made = make("platform", "ENV=prod", "YES=1")
    assert "another: run `make lock ENV=prod`." in made.stdout
    destroyed = make("destroy", "ENV=prod", "YES=1")
    assert "`make destroy STACK=platform ENV=prod` removes it" in destroyed.stdout


@pytest.mark.slow
def test_null_in_an_environment_removes_what_the_settings_name(product: Baked, make: Run) -> None:
    connector = {"name": "functions", "ip_cidr_range": "10.9.0.0/28"}
    settings(product, "function", egress={"connector": connector})
    name_environment(product, "function", "prod", project_id="a-prod-project", egress=None)
    planned = make("plan", "ENV=prod")
    assert planned.returncode == 0, planned.stderr
    assert "google_vpc_access_connector" not in planned.stdout
    assert "google_vpc_access_connector" in make("plan").stdout


@pytest.mark.slow
def test_the_switch_of_an_environment_is_that_of_its_own_platform(
    product: Baked, make: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    write_gcloud(tmp_path, 'echo "$@" >> ' + str(tmp_path / "called") + "; exit 1")
    there = {"PATH": f"{tmp_path}:{environment['PATH']}"}
    name_environment(product, "function", "prod", project_id="a-prod-project")
    make("deny", "ENV=prod", **there)
    handed = json.loads(product.read(HAND_OVER))
    index = "https://europe-west1-python.pkg.dev/a-prod-project/ar-buildpython/simple/"
    handed["platform"]["python_index_url"] = index
    own = product.path / "terraform/function/environments/prod.platform.tfvars.json"
    own.write_text(json.dumps(handed), encoding="utf-8")
    make("deny", "ENV=prod", **there)
    make("deny", **there)
    assert make("deny", "ENV=prdo", **there).returncode == 2
    called = (tmp_path / "called").read_text(encoding="utf-8").splitlines()
    assert [each.split()[-2:] for each in called] == [
        ["--project=a-project", "--location=asia-northeast1"],
        ["--project=a-prod-project", "--location=europe-west1"],
        ["--project=a-project", "--location=asia-northeast1"],
    ]


@pytest.mark.slow
def test_an_environment_in_hcl_is_converted_once(
    product: Baked, make: Run, terraform: Client, environment: dict[str, str]
) -> None:
    folder = product.path / "terraform/function/environments"
    folder.mkdir()
    old = """\
# Ours.
  project_id = "a-${"prod"}-project"
function = {
  name = "other" # its own
  entry_point = "handle_request"
  environment = { LEVEL = "debug" }
}
"""
    (folder / "prod.tfvars").write_text(old, encoding="utf-8")
    handed = json.loads(product.read(HAND_OVER))
    handed["platform"]["function_projects"] = ["a-prod-project"]
    (product.path / HAND_OVER).write_text(json.dumps(handed), encoding="utf-8")
    assert "`make plan ENV=prod` converts it" in make("doctor", "ENV=prod").stderr
    planned = make("plan", "ENV=prod", TF_CLI_ARGS_plan="-out=prod.plan")
    assert planned.returncode == 0, planned.stderr
    assert "Converted terraform/function/environments/prod.tfvars" in planned.stdout
    converted = json.loads((folder / "prod.tfvars.json").read_text(encoding="utf-8"))
    assert converted.pop("project_id") == "a-prod-project"
    given = json.loads(product.read("terraform/function/settings.auto.tfvars.json"))["function"]
    # What the old file left out was not set in prod, and is not set now.
    left_out = dict.fromkeys(given.keys() - {"name", "environment", "entry_point"})
    own = {"name": "other", "environment": {"LEVEL": "debug"}}
    assert converted == {"function": left_out | own}
    assert (folder / "prod.tfvars.old").read_text(encoding="utf-8") == old
    values = planned_function(product, terraform, environment)
    assert values["function"]["entry_point"] == "handle_request"

    (folder / "prod.tfvars").write_text("function = {\n", encoding="utf-8")
    assert "prod.tfvars and prod.tfvars.json are both there" in make("plan", "ENV=prod").stderr
    (folder / "prod.tfvars.json").unlink()
    assert "prod.tfvars and prod.tfvars.old are both there" in make("plan", "ENV=prod").stderr
    (folder / "prod.tfvars.old").unlink()
    wrong = {"function = {\n": "end of the file", 'projet_id = "p"\n': '"projet_id"'}
    for text, reason in wrong.items():
        (folder / "prod.tfvars").write_text(text, encoding="utf-8")
        refused = make("plan", "ENV=prod", TF_VAR_project_id="leaked")
        assert refused.returncode == 2
        assert "prod.tfvars cannot be converted: " in refused.stderr
        assert reason in refused.stderr
        assert [file.name for file in folder.iterdir()] == ["prod.tfvars"]


@pytest.mark.parametrize("stack", ["platform", "function"])
def test_the_declared_names_are_those_that_terraform_knows(
    stack: str, product: Baked, terraform: Client, tmp_path: Path
) -> None:
    folder = product.path / "terraform" / stack
    declared = parse_declarations((folder / "variables.tf").read_text(encoding="utf-8"))
    scratch = tmp_path / stack
    scratch.mkdir()
    for name in ("variables.tf", "settings.auto.tfvars.json", "platform.auto.tfvars.json"):
        if (folder / name).is_file():
            shutil.copy(folder / name, scratch)
    assert declared.fields
    values = ", ".join(f"{name} = var.{name}" for name in declared.fields)
    asked = subprocess.run(
        [terraform.program, "console"],
        cwd=scratch,
        env=terraform.variables(),
        input=f"jsonencode({{{values}}})\n",
        capture_output=True,
        text=True,
        check=True,
    )
    known = json.loads(json.loads(asked.stdout.strip().split("\n")[-1]))
    assert list(find_unknown(known, declared)) == []
    assert names(known, declared) == []


def names(known: object, declared: Declaration, path: str = "") -> list[str]:
    """Return the paths that are declared, and that an object of Terraform's lacks."""
    if declared.fields is None or not isinstance(known, dict):
        return []
    return [
        found
        for name, each in declared.fields.items()
        for found in (
            names(known[name], each, f"{path}{name}.") if name in known else [f"{path}{name}"]
        )
    ]


@pytest.mark.slow
def test_platforms_that_would_make_the_same_names_are_refused(product: Baked, make: Run) -> None:
    assert make("platform", "YES=1").returncode == 0
    made = resources(product, "platform")
    name_environment(product, "platform", "prod", pool={"name": "another"})
    refused = make("destroy", "STACK=platform", "ENV=prod", "YES=1")
    assert refused.returncode == 2
    assert 'such as {"project_id": "a-project-prod"}.' in refused.stderr
    assert "region asia-northeast1" in refused.stderr
    assert resources(product, "platform") == made
    name_environment(product, "platform", "prod", project_id="a-prod-project")
    assert make("plan", "STACK=platform", "ENV=prod").returncode == 0


# --- a platform in use ---

POOL = "projects/a-project/locations/asia-northeast1/workerPools/cb-workerpool"
PLACE = "projects/a-project/locations/asia-northeast1/functions"


@pytest.fixture
def signed_in(stand_in: StandIn, environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What lets gcloud, and what asks it, read the stand-in."""
    home = tmp_path / "signed-in"
    home.mkdir()
    there = signed_in_environment(stand_in, home)
    recorded = record_gcloud(there, tmp_path)
    there["PATH"] = f"{recorded}:{environment['PATH']}"
    del there["HOME"]
    return there


@pytest.mark.slow
def test_a_platform_that_functions_use_is_not_destroyed_without_an_override(
    product: Baked,
    make: Run,
    cloud: HealthyCloud,
    stand_in: StandIn,
    signed_in: dict[str, str],
) -> None:
    assert make("platform", "YES=1").returncode == 0
    made = resources(product, "platform")
    command = ("destroy", "STACK=platform", "YES=1")
    second = cloud.add("cloudfunctions", f"{PLACE}/second", buildConfig={"workerPool": POOL})
    another = {"workerPool": f"{POOL}-2"}
    cloud.add("cloudfunctions", f"{PLACE}/another", buildConfig=another)
    refused = make(*command, **signed_in)
    assert refused.returncode == 2
    assert f"These functions use this platform:\n- {PLACE}/second\n" in refused.stderr
    assert "another" not in refused.stderr
    assert resources(product, "platform") == made
    stand_in.faults.denied.add("cloudfunctions.functions.list")
    refused = make(*command, **signed_in)
    assert "It is not known whether functions use this platform: you may" in refused.stderr
    stand_in.faults.denied.clear()

    declined = make("destroy", "STACK=platform", "FORCE=1", **signed_in)
    assert "\nNothing was destroyed.\n" in declined.stderr
    plan, _, below = declined.stdout.partition("to destroy.")
    assert plan
    assert f"- {PLACE}/second" in below
    assert resources(product, "platform") == made

    # The settings may name another pool by now, and a project may be named by its number.
    settings(product, "platform", pool={"name": "renamed"})
    assert f"- {PLACE}/second" in make(*command, **signed_in).stderr
    by_number = POOL.replace("a-project", cloud.number("a-project"))
    second["buildConfig"]["workerPool"] = by_number
    assert f"- {PLACE}/second" in make(*command, **signed_in).stderr
    settings(product, "platform", pool={})
    for name in ("second", "another"):
        cloud.delete(f"cloudfunctions/{PLACE}/{name}")
    cloud.unreachable = [PLACE.removesuffix("/functions")]
    refused = make(*command, **signed_in)
    assert "It is not known whether functions use this platform: Google could" in refused.stderr
    cloud.unreachable = []
    stand_in.faults.denied.add("resourcemanager.projects.get")
    refused = make(*command, **signed_in)
    assert "It is not known whether functions use this platform: you may" in refused.stderr
    stand_in.faults.denied.clear()
    cloud.add("cloudfunctions", f"{PLACE}/second", buildConfig={"workerPool": POOL})
    assert make(*command, FORCE="1", **signed_in).returncode == 2  # not of this command line
    assert resources(product, "platform") == made

    cloud.delete(f"cloudfunctions/{PLACE}/second")
    destroyed = make(*command, **signed_in)
    assert destroyed.returncode == 0, destroyed.stderr
    assert resources(product, "platform") == []


@pytest.mark.slow
def test_where_the_api_is_off_no_function_uses_a_platform(
    product: Baked, make: Run, cloud: HealthyCloud, signed_in: dict[str, str]
) -> None:
    assert make("platform", "YES=1").returncode == 0
    cloud.apis["a-project"].remove("cloudfunctions")
    destroyed = make("destroy", "STACK=platform", "YES=1", **signed_in)
    assert destroyed.returncode == 0, destroyed.stderr
    assert resources(product, "platform") == []


@pytest.mark.slow
def test_where_nobody_is_signed_in_only_an_override_destroys_a_platform(
    product: Baked, make: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    write_gcloud(tmp_path, "echo 'You do not currently have an active account' >&2; exit 1")
    there = {"PATH": f"{tmp_path}:{environment['PATH']}"}
    assert make("platform", "YES=1").returncode == 0
    refused = make("destroy", "STACK=platform", "YES=1", **there)
    assert refused.returncode == 2
    assert "It is not known whether functions use this platform: gcloud is not" in refused.stderr
    assert "FORCE=1" in refused.stderr
    destroyed = make("destroy", "STACK=platform", "YES=1", "FORCE=1", **there)
    assert destroyed.returncode == 0, destroyed.stderr
    assert resources(product, "platform") == []


# --- Ctrl-C, and a helper that fails ---

# As Ctrl-C does: to all that belongs to the command. The first is a program that ends of it.
ENDS = 'if [ "$1" = COMMAND ]; then kill -INT 0; sleep 30; fi'
GOES_ON = """if [ "$1" = COMMAND ]; then trap '' INT; kill -INT 0; fi"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "script"),
    [
        pytest.param("init", ENDS, id="init ends"),
        pytest.param("init", GOES_ON, id="init goes on"),
        pytest.param("apply", ENDS, id="apply ends before its plan"),
    ],
)
def test_an_interrupt_before_terraform_applies_ends_the_command_with_nothing_done(
    command: str,
    script: str,
    product: Baked,
    environment: dict[str, str],
    terraform: Client,
    tmp_path: Path,
) -> None:
    program = wrapper(tmp_path, terraform, script.replace("COMMAND", command))
    done = subprocess.run(
        [sys.executable, "-m", "closed_function", "apply", "function", "--yes"],
        cwd=product.path,
        env={**environment, "TERRAFORM": program},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )
    assert done.returncode == 130, done.stdout + done.stderr
    assert done.stderr == "Interrupted; nothing was changed in Google Cloud.\n"
    assert resources(product, "function") == []


@pytest.mark.slow
def test_an_interrupt_at_the_question_ends_the_command_with_nothing_done(
    product: Baked, environment: dict[str, str], running: Replay
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "closed_function", "apply", "function"],
        cwd=product.path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        asked = b""
        while b"Enter a value:" not in asked:
            asked += os.read(process.stdout.fileno(), 4096)
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()
        errors = process.stderr.read().decode()
    assert process.returncode == 130
    assert errors.endswith("\nInterrupted; nothing was changed in Google Cloud.\n")
    assert running.changes() == []


@pytest.mark.slow
def test_a_state_whose_move_is_interrupted_stays_here(
    product: Baked, environment: dict[str, str], terraform: Client, tmp_path: Path
) -> None:
    program = wrapper(tmp_path, terraform, ENDS.replace("COMMAND", "init"))
    done = subprocess.run(
        [sys.executable, "-m", "closed_function", "state", "a-bucket", "prefix", "--yes"],
        cwd=product.path,
        env={**environment, "TERRAFORM": program},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )
    assert done.returncode == 130
    assert done.stderr == "Interrupted; nothing was changed in Google Cloud.\n"
    assert list(product.path.glob("terraform/*/backend.tf")) == []


@pytest.mark.slow
def test_a_setting_without_a_value_is_named_before_anything_is_applied(
    product: Baked, make: Run
) -> None:
    file = product.path / "terraform/function/settings.auto.tfvars.json"
    given = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**given, "project_id": "A"}), encoding="utf-8")
    invalid = make("deploy", "YES=1")
    assert invalid.returncode != 0
    assert "project_id is A, which is not a project ID" in " ".join(
        invalid.stderr.replace("│", " ").split()
    )
    del given["project_id"]
    file.write_text(json.dumps(given), encoding="utf-8")
    missing = make("deploy", "YES=1")
    assert missing.returncode != 0
    assert "settings.auto.tfvars.json: project_id has no value" in missing.stderr
    assert resources(product, "function") == []
