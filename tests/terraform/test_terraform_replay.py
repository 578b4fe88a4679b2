"""What the replayed providers let Terraform see, and what they cannot; that they leave nothing."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from closed_network.terraform import first_error
from terraform_replay import __main__ as command_line
from terraform_replay import effects, values
from terraform_replay.clients import (
    Client,
    ProvidersError,
    client,
    find_programs,
    real_environment,
    required_providers,
)
from terraform_replay.recording import record
from terraform_replay.schemas import FOLDER, VERSIONS, recorded
from terraform_replay.server import Change, Replay, replay
from tests.support.machine import need

# Of the replay itself; the fast tier sees it at work in the tests of the stacks.
pytestmark = pytest.mark.slow

PROGRAMS = find_programs()

GOOD = """
variable "display_name" {
  default = "first"
}

data "google_project" "this" {
  project_id = "my-project"
}

data "google_storage_project_service_account" "this" {}

resource "google_service_account" "build" {
  for_each     = toset(["a", "b"])
  account_id   = "build-${each.key}"
  display_name = var.display_name
}

resource "google_project_iam_member" "build" {
  for_each = google_service_account.build
  project  = data.google_project.this.project_id
  role     = "roles/logging.logWriter"
  member   = each.value.member
}

resource "google_storage_bucket" "source" {
  name     = "source"
  location = "ASIA-NORTHEAST1"
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 3
    }
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 5
    }
  }
}

resource "google_artifact_registry_vpcsc_config" "this" {
  provider     = google-beta
  location     = "asia-northeast1"
  vpcsc_policy = "ALLOW"
  depends_on   = [time_sleep.propagation]
}

resource "time_sleep" "propagation" {
  create_duration = "300s"
  depends_on      = [google_project_iam_member.build]
}

output "made_up" {
  value = {
    number = data.google_project.this.number
    agent  = data.google_storage_project_service_account.this.email_address
    emails = [for account in google_service_account.build : account.email]
  }
}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Replay]:
    with replay() as served:
        yield served


SECOND = [pytest.param("tofu", marks=pytest.mark.slow)] if "tofu" in PROGRAMS else []


@pytest.fixture(params=["terraform", *SECOND])
def program(request: pytest.FixtureRequest) -> str:
    return need(PROGRAMS.get(request.param), request.param)


@pytest.fixture
def replayed(program: str, tmp_path: Path, running: Replay) -> Client:
    home = tmp_path / "home"
    home.mkdir()
    return Client(program, home, running.environment, "replay")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration that is good."""
    path = tmp_path / "configuration"
    path.mkdir()
    write(path, GOOD)
    return path


def write(folder: Path, text: str) -> None:
    (folder / "main.tf").write_text(required_providers() + text, encoding="utf-8")


def checked(done: subprocess.CompletedProcess[str], status: int = 0) -> str:
    """What a program printed, in one line, after it ended as it should."""
    text = re.sub(r"[\s│╷╵]+", " ", done.stdout + done.stderr)
    assert done.returncode == status, text
    return text


def refused(client: Client, folder: Path) -> list[tuple[str, str]]:
    """The errors that `validate` finds: summary and detail."""
    done = client.run(folder, "validate", "-json")
    errors = json.loads(done.stdout)["diagnostics"]
    assert done.returncode == (1 if errors else 0)
    return [(error["summary"], error["detail"]) for error in errors]


# What is seen


def test_a_good_configuration_is_accepted_and_planned(replayed: Client, folder: Path) -> None:
    checked(replayed.run(folder, "init", "-no-color"))
    assert refused(replayed, folder) == []
    assert "Plan: 7 to add, 0 to change" in checked(replayed.run(folder, "plan", "-no-color"))


@pytest.mark.parametrize(
    ("old", "new", "summary", "detail"),
    [
        pytest.param(
            "display_name = var",
            "display_nam = var",
            "Unsupported argument",
            'An argument named "display_nam" is not expected here. Did you mean "display_name"?',
            id="unknown attribute",
        ),
        pytest.param(
            '  role     = "roles/logging.logWriter"\n',
            "",
            "Missing required argument",
            'The argument "role" is required, but no definition was found.',
            id="missing required argument",
        ),
        pytest.param(
            "age = 3",
            'age = "three"',
            "Incorrect attribute value type",
            'Inappropriate value for attribute "age": a number is required.',
            id="wrong type",
        ),
        pytest.param(
            "    condition {\n      age = 3\n    }\n",
            "",
            "Insufficient condition blocks",
            'At least 1 "condition" blocks are required.',
            id="missing block",
        ),
        pytest.param(
            "    condition {\n      age = 3\n    }\n",
            "    condition {\n      age = 3\n    }\n    condition {}\n",
            "Too many condition blocks",
            'No more than 1 "condition" blocks are allowed',
            id="too many blocks",
        ),
        pytest.param(
            '"google_storage_bucket"',
            '"google_storage_buckets"',
            "Invalid resource type",
            'The provider hashicorp/google does not support resource type "google_storage_buckets".'
            ' Did you mean "google_storage_bucket"?',
            id="unknown resource type",
        ),
        pytest.param(
            "  provider     = google-beta\n",
            "",
            "Invalid resource type",
            "The provider hashicorp/google does not support resource type "
            '"google_artifact_registry_vpcsc_config".',
            id="type of the other provider",
        ),
        pytest.param(
            'account_id   = "build-${each.key}"',
            'account_id = "build-${each.key}"\n  email = "x@example.com"',
            "Value for unconfigurable attribute",
            'Can\'t configure a value for "email": its value will be decided automatically based '
            "on the result of applying this configuration.",
            id="value for a computed attribute",
        ),
        pytest.param(
            'project_id = "my-project"',
            'project_id = "my-project"\n  number = "1"',
            "Value for unconfigurable attribute",
            'Can\'t configure a value for "number": its value will be decided automatically based '
            "on the result of applying this configuration.",
            id="value for a computed attribute of a data source",
        ),
    ],
)
def test_a_mistake_is_refused_in_the_words_of_terraform(
    replayed: Client, folder: Path, old: str, new: str, summary: str, detail: str
) -> None:
    assert GOOD.count(old) == 1 or old == '"google_storage_bucket"'
    write(folder, GOOD.replace(old, new, 1))
    ((found, words),) = set(refused(replayed, folder))
    assert found == summary
    assert words.startswith(detail)


def test_a_value_for_a_computed_attribute_is_found_inside_blocks_too(
    replayed: Client, folder: Path
) -> None:
    function = """
    resource "google_cloudfunctions2_function" "this" {
      name     = "f"
      location = "asia-northeast1"
      service_config {
        %s = "x"
      }
    }
    """
    write(folder, function % "available_memory")
    assert refused(replayed, folder) == []
    write(folder, function % "uri")
    ((_, detail),) = refused(replayed, folder)
    assert detail.startswith('Can\'t configure a value for "service_config.0.uri"')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('vpcsc_policy = "ALLOW"', 'vpcsc_policy = "PERHAPS"', id="enum"),
        pytest.param('"build-${each.key}"', '"-${each.key}"', id="form of a name"),
        pytest.param('"ASIA-NORTHEAST1"', '"MARS"', id="place"),
        pytest.param('"300s"', '"a while"', id="duration"),
    ],
)
def test_the_real_providers_own_checks_are_not_replayed(
    replayed: Client, folder: Path, old: str, new: str
) -> None:
    assert old in GOOD
    write(folder, GOOD.replace(old, new))
    assert refused(replayed, folder) == []
    checked(replayed.run(folder, "plan", "-no-color"))


# What is applied


def test_what_was_applied_is_planned_again_as_it_is_changed_in_place_and_destroyed(
    replayed: Client, folder: Path, running: Replay
) -> None:
    before = len(running.changes())
    checked(replayed.run(folder, "apply", "-auto-approve", "-no-color"))
    made_up = json.loads(checked(replayed.run(folder, "output", "-json", "made_up")))
    assert re.fullmatch(r"[1-9]\d{11}", made_up["number"])
    assert re.fullmatch(r"\S+@\S+\.iam\.gserviceaccount\.com", made_up["agent"])
    assert len(set(made_up["emails"])) == 2

    checked(replayed.run(folder, "plan", "-detailed-exitcode"))
    assert "(known after apply)" not in checked(
        replayed.run(folder, "plan", "-detailed-exitcode", "-var=display_name=second"), status=2
    )
    checked(replayed.run(folder, "apply", "-auto-approve", "-var=display_name=second"))
    kept = json.loads(checked(replayed.run(folder, "output", "-json", "made_up")))
    assert kept == made_up

    assert checked(replayed.run(folder, "state", "list")) != ""
    checked(replayed.run(folder, "destroy", "-auto-approve"))
    assert checked(replayed.run(folder, "state", "list")) == ""
    actions = [change.action for change in running.changes()[before:]]
    assert actions == ["create"] * 7 + ["update"] * 2 + ["delete"] * 7


# What applying does besides what was planned

REWRITTEN = """
resource "google_secret_manager_secret_iam_member" "reads" {
  project   = "my-project-id"
  secret_id = "snmp"
  role      = "roles/secretmanager.secretAccessor"
  member    = "user:taro@example.com"
}

resource "time_sleep" "grant" {
  create_duration = "1s"
  triggers        = { secret = SECRET }
  depends_on      = [google_secret_manager_secret_iam_member.reads]
}
"""
ATTRIBUTE = "google_secret_manager_secret_iam_member.reads.secret_id"


def test_an_attribute_that_the_provider_writes_in_another_form_breaks_who_reads_it(
    replayed: Client, folder: Path
) -> None:
    write(folder, REWRITTEN.replace("SECRET", ATTRIBUTE))
    refused = checked(replayed.run(folder, "apply", "-auto-approve"), status=1)
    assert "Provider produced inconsistent final plan" in refused
    assert '"snmp"' in refused
    assert '"projects/my-project-id/secrets/snmp"' in refused
    checked(replayed.run(folder, "destroy", "-auto-approve"))

    write(folder, REWRITTEN.replace("SECRET", '"snmp"'))
    checked(replayed.run(folder, "apply", "-auto-approve"))
    checked(replayed.run(folder, "plan", "-detailed-exitcode"))


def test_every_form_is_of_an_attribute_that_is_recorded_and_is_no_change() -> None:
    recorded_types = recorded("google", FOLDER)["resource_schemas"]
    for kind, forms in effects.WRITTEN.items():
        block = recorded_types[kind]["block"]
        planned = dict.fromkeys([*block["attributes"], *block.get("block_types", {})])
        planned |= {name: "x" for name, of in block["attributes"].items() if of["type"] == "string"}
        state = effects.written(kind, block, planned)
        assert {name for name in forms if state[name] != planned[name]} == set(forms)
        assert effects.written(kind, block, state) == state
        assert effects.unwritten(kind, block, planned, state) == state


HELD = """
resource "google_pubsub_topic" "topic" {
  project = "my-project-id"
  name    = "alerts"
}

resource "google_pubsub_topic_iam_member" "publisher" {
  project = "my-project-id"
  topic   = google_pubsub_topic.topic.name
  role    = "roles/pubsub.publisher"
  member  = "user:taro@example.com"
  TIED
}
"""
TIED = "lifecycle {\n    replace_triggered_by = [google_pubsub_topic.topic.id]\n  }"


def test_what_is_made_anew_has_lost_its_grants_unless_they_are_made_anew_with_it(
    replayed: Client, folder: Path
) -> None:
    anew = ("apply", "-auto-approve", "-replace=google_pubsub_topic.topic")
    for tied, status in (("", 2), (TIED, 0)):
        write(folder, HELD.replace("TIED", tied))
        checked(replayed.run(folder, "apply", "-auto-approve"))
        checked(replayed.run(folder, "plan", "-detailed-exitcode"))
        checked(replayed.run(folder, *anew))
        checked(replayed.run(folder, "plan", "-detailed-exitcode"), status)


def test_a_grant_that_two_states_hold_is_gone_for_both_when_one_is_destroyed(
    replayed: Client, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    grant = HELD[HELD.index('resource "google_pubsub_topic_iam_member"') :]
    grant = grant.replace("google_pubsub_topic.topic.name", '"given"').replace("TIED", "")
    for member, status in (("hanako", 0), ("taro", 2)):
        write(folder, grant)
        write(other, grant.replace("taro", member))
        for each in (folder, other):
            checked(replayed.run(each, "apply", "-auto-approve"))
        checked(replayed.run(other, "destroy", "-auto-approve"))
        checked(replayed.run(folder, "plan", "-detailed-exitcode"), status)


def changes_of(kind: str, changes: list[Change]) -> list[Change]:
    return [change for change in changes if change.type == kind]


def test_the_journal_tells_who_waited_for_whom(tmp_path: Path, folder: Path) -> None:
    program = need(PROGRAMS.get("terraform"), "terraform")
    with replay(delay=0.2) as slow:
        terraform = Client(program, tmp_path, slow.environment, "replay")
        checked(terraform.run(folder, "apply", "-auto-approve"))
        changes = slow.changes()
    first, second = changes_of("google_service_account", changes)
    assert {first.values["account_id"], second.values["account_id"]} == {"build-a", "build-b"}
    assert second.started < first.ended  # neither waits for the other
    chain = [
        "google_service_account",
        "google_project_iam_member",
        "time_sleep",
        "google_artifact_registry_vpcsc_config",
    ]
    for earlier, later in itertools.pairwise(chain):
        last = max(change.ended for change in changes_of(earlier, changes))
        assert all(last < change.started for change in changes_of(later, changes))


def test_several_clients_are_served_at_once(replayed: Client, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        write(folder, GOOD)
    with ThreadPoolExecutor(3) as threads:
        for done in threads.map(lambda folder: replayed.run(folder, "plan", "-no-color"), folders):
            assert "Plan: 7 to add" in checked(done)


# Every form that a schema can have; the recorded ones have not all of them.

COMPUTED = {"computed": True, "type": "string"}
OPTIONAL = {"optional": True, "type": "string"}
EITHER = {"computed": True, "optional": True, "type": "string"}
INNER = {"attributes": {"given": OPTIONAL, "made": COMPUTED, "either": EITHER}}
TYPES = {
    "a_number": "number",
    "a_boolean": "bool",
    "a_list": ["list", "string"],
    "a_set": ["set", "number"],
    "a_map": ["map", "bool"],
    "an_object": ["object", {"inner": "string", "inners": ["list", ["object", {}]]}],
    "a_tuple": ["tuple", ["string", "number"]],
    "anything": "dynamic",
}
MODES = ("single", "list", "set", "map")
ODD: dict[str, Any] = {
    "block": {
        "attributes": {
            "id": COMPUTED,
            "secret": {"optional": True, "type": "string", "write_only": True},
            **{name: {"computed": True, "type": kind} for name, kind in TYPES.items()},
            **{
                f"{prefix}_{mode}": {**flags, "nested_type": {**INNER, "nesting_mode": mode}}
                for mode in MODES
                for prefix, flags in (
                    ("given", {"optional": True}),
                    ("made", {"computed": True}),
                )
            },
        },
        "block_types": {
            f"block_{mode}": {"nesting_mode": mode, "block": INNER} for mode in (*MODES, "group")
        },
    },
    "version": 0,
}
ODD_CONFIGURATION = """
terraform {
  required_providers {
    odd = { source = "hashicorp/odd" }
  }
}
variable "more" {
  type    = list(string)
  default = []
}
resource "odd_thing" "this" {
  given_single = { given = "x" }
  given_list   = [{ given = "x" }, { given = "x" }]
  given_set    = [{ given = "x" }, { given = "y", either = "z" }]
  given_map    = { key = { given = "x" } }
  block_single {
    given = "x"
  }
  block_map "key" {
    either = "x"
  }
  block_group {}
  block_list {}
  block_list {
    given = "x"
  }
  dynamic "block_set" {
    for_each = concat(["x", "y"], var.more)
    content {
      given = block_set.value
    }
  }
}
output "thing" {
  value = odd_thing.this
}
"""


def test_every_form_of_a_schema_is_planned_and_applied_without_contradiction(
    program: str, tmp_path: Path
) -> None:
    schema = {"provider": {"block": {}, "version": 0}, "data_source_schemas": {}}
    document = {"provider_schemas": {"odd": {**schema, "resource_schemas": {"odd_thing": ODD}}}}
    (tmp_path / "odd.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "main.tf").write_text(ODD_CONFIGURATION, encoding="utf-8")
    with replay(schemas=tmp_path) as served:
        odd = Client(program, tmp_path, served.environment, "replay")
        checked(odd.run(tmp_path, "apply", "-auto-approve", "-no-color"))
        checked(odd.run(tmp_path, "plan", "-detailed-exitcode", "-no-color"))
        more = '-var=more=["z"]'
        checked(odd.run(tmp_path, "apply", "-auto-approve", "-no-color", more))
        checked(odd.run(tmp_path, "plan", "-detailed-exitcode", "-no-color", more))
        thing = json.loads(checked(odd.run(tmp_path, "output", "-json", "thing")))
        checked(odd.run(tmp_path, "destroy", "-auto-approve", "-no-color", more))
    assert {block["given"] for block in thing["block_set"]} == {"x", "y", "z"}
    assert all(block["made"] for block in thing["block_set"])
    assert [len(thing[f"given_{mode}"]) for mode in MODES[1:]] == [2, 2, 1]
    assert thing["a_tuple"] == [thing["id"], 0]
    assert (thing["an_object"]["inners"], thing["a_map"], thing["a_boolean"]) == ([], {}, False)


def test_a_secret_that_is_only_written_is_not_kept() -> None:
    block = ODD["block"]
    given = dict.fromkeys([*block["attributes"], *block["block_types"]])
    planned = values.plan(block, {**given, "secret": "s3cret", "a_list": ["kept"]})
    assert (planned["secret"], planned["a_list"]) == (None, ["kept"])


# Terraform's own tests

TEST = """
mock_provider "google" {
  mock_data "google_project" {
    defaults = {
      number = "123456789012"
    }
  }
}
mock_provider "google-beta" {}
mock_provider "time" {}

run "the_number_is_the_mocks" {
  command = plan
  assert {
    condition     = data.google_project.this.number == "123456789012"
    error_message = "another number"
  }
}
"""


@pytest.mark.parametrize(
    ("old", "new", "status", "words"),
    [
        pytest.param("", "", 0, "1 passed, 0 failed", id="nothing wrong"),
        pytest.param('= "123456789012"', '= "1"', 1, "another number", id="wrong assertion"),
        pytest.param(
            "display_name = var",
            "display_nam = var",
            1,
            'An argument named "display_nam" is not expected here.',
            id="unknown attribute",
        ),
        pytest.param(
            'project_id = "my-project"',
            'project_id = "my-project"\n  number = "1"',
            1,
            'Can\'t configure a value for "number"',
            id="value for a computed attribute",
        ),
    ],
)
def test_terraform_test_tells_right_from_wrong(
    replayed: Client, folder: Path, old: str, new: str, status: int, words: str
) -> None:
    assert old in GOOD + TEST
    write(folder, GOOD.replace(old, new))
    (folder / "main.tftest.hcl").write_text(TEST.replace(old, new, 1), encoding="utf-8")
    assert words in checked(replayed.run(folder, "test", "-no-color"), status)


# What remains


def processes_of(home: Path) -> list[str]:
    """The running processes whose environment names `home`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = path.read_bytes()
        except OSError:
            continue
        if f"HOME={home}\0".encode() in environment:
            found.append(path.parent.name)
    return found


@pytest.mark.slow
def test_no_process_thread_or_socket_remains(tmp_path: Path, folder: Path) -> None:
    program = need(PROGRAMS.get("terraform"), "terraform")
    threads = set(threading.enumerate())
    with replay(delay=60) as served:
        attached = json.loads(served.environment["TF_REATTACH_PROVIDERS"])
        sockets = [Path(each["Addr"]["String"]) for each in attached.values()]
        assert len(sockets) == len(VERSIONS)
        assert all(socket.is_socket() for socket in sockets)
        terraform = Client(program, tmp_path, served.environment, "replay")
        checked(terraform.run(folder, "validate"))
        with ThreadPoolExecutor() as waiting:
            apply = waiting.submit(terraform.run, folder, "apply", "-auto-approve", timeout=2)
            while not (seen := processes_of(tmp_path)) and not apply.done():
                time.sleep(0.05)
            assert seen or not Path("/proc").is_dir()
            with pytest.raises(subprocess.TimeoutExpired):
                apply.result()
        assert processes_of(tmp_path) == []
        assert set(threading.enumerate()) - threads
    assert not any(socket.parent.exists() for socket in sockets)
    assert set(threading.enumerate()) <= threads


def test_the_command_line_runs_terraform_and_hands_its_status_on(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    need(PROGRAMS.get("terraform"), "terraform")
    assert command_line.main(["run", str(folder), "--", "validate", "-no-color"]) == 0
    assert "The configuration is valid" in capfd.readouterr().out
    write(folder, GOOD.replace("location", "locaton"))
    assert command_line.main(["run", str(folder), "--", "validate", "-no-color"]) == 1
    assert "Unsupported argument" in capfd.readouterr().err


# Recording


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """The recorded files, written in another way and with prose."""
    folder = tmp_path / "schemas"
    shutil.copytree(FOLDER, folder)
    for path in folder.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        (schema,) = document["provider_schemas"].values()
        schema["provider"]["block"]["description"] = "Prose"
        path.write_text(json.dumps(document), encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))}


def test_recording_from_the_replay_makes_the_same_files(running: Replay, copies: Path) -> None:
    program = need(PROGRAMS.get("terraform"), "terraform")
    assert contents(copies) != contents(FOLDER)
    record(program, {"PATH": os.defpath, **running.environment}, copies)
    assert contents(copies) == contents(FOLDER)


def test_recording_adds_a_type_when_told_and_refuses_one_that_no_provider_has(
    running: Replay, copies: Path
) -> None:
    program = need(PROGRAMS.get("terraform"), "terraform")
    path = copies / "google-beta.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    (schema,) = document["provider_schemas"].values()
    del schema["resource_schemas"]["google_project_service_identity"]
    path.write_text(json.dumps(document), encoding="utf-8")
    before, environment = contents(copies), {"PATH": os.defpath, **running.environment}
    with pytest.raises(ProvidersError, match="google_nothing"):
        record(program, environment, copies, ["google_project_service_identity", "google_nothing"])
    assert contents(copies) == before
    record(program, environment, copies, ["google_project_service_identity"])
    assert contents(copies) == contents(FOLDER)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty mirror, the only place where the user's Terraform looks for providers."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    configuration = tmp_path / "user.tfrc"
    text = f'provider_installation {{\n  filesystem_mirror {{ path = "{folder}" }}\n}}\n'
    configuration.write_text(text, encoding="utf-8")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(configuration))
    return folder


@pytest.mark.usefixtures("mirror")
def test_recording_without_providers_says_so_in_one_line_and_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    need(PROGRAMS.get("terraform"), "terraform")
    before = contents(FOLDER)
    assert command_line.main(["record"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Nothing was recorded: Failed to query available provider packages")
    assert contents(FOLDER) == before


def test_of_several_errors_the_first_is_the_reason() -> None:
    printed = "Warning: w\n\nError: first\n  of two\n\nError: second\n"
    assert first_error(printed) == "first of two"
    assert first_error("something else\n") == "something else"


# Real providers or replayed ones


def test_the_providers_that_the_tests_get_accept_a_good_configuration(
    terraforms: dict[str, Client], folder: Path
) -> None:
    for each in terraforms.values():
        checked(each.run(folder, "init", "-no-color"))
        assert refused(each, folder) == []
        shutil.rmtree(folder / ".terraform", ignore_errors=True)
        (folder / ".terraform.lock.hcl").unlink(missing_ok=True)


def test_the_real_providers_are_taken_where_the_users_configuration_finds_them(
    program: str, tmp_path: Path, running: Replay, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(name: str) -> Client:
        (tmp_path / name).mkdir()
        return client(program, tmp_path / name, tmp_path / f"{name}-fetched", running.environment)

    without = chosen("without")
    assert without.providers == "replay"
    assert "providers replayed from recorded schemas (archive 2.8.0" in without.description()

    version: dict[str, Any] = json.loads(without.run(tmp_path, "version", "-json").stdout)
    platform = version["platform"]
    (tmp_path / "asked").mkdir()
    write(tmp_path / "asked", "")
    asked = json.loads(without.run(tmp_path / "asked", "providers", "schema", "-json").stdout)
    # A mirror has a folder for each provider's full address.
    for address in asked["provider_schemas"]:
        name = address.rpartition("/")[2]
        place = mirror / address / VERSIONS[name] / platform
        place.mkdir(parents=True)
        executable = place / f"terraform-provider-{name}_v{VERSIONS[name]}"
        executable.write_text("not started by init", encoding="utf-8")
        executable.chmod(0o755)
    found = chosen("found")
    assert found.providers == "real"
    assert ": real providers (archive 2.8.0" in found.description()

    # From now on neither the user's configuration nor a network is needed.
    monkeypatch.delenv("TF_CLI_CONFIG_FILE")
    assert real_environment(program, tmp_path / "found-fetched") == found.environment
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    write(scratch, "")
    printed = checked(found.run(scratch, "init", "-no-color"))
    assert all(f"hashicorp/{name} v{number}" in printed for name, number in VERSIONS.items())
