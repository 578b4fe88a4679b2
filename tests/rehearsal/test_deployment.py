"""A rehearsal deploys what would work, and fails the rest at the right stage.

Terraform with the real providers applies the repository's own stacks to the stand-in. Without them
these tests are skipped, and the report's last line says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from closed_function.settings import merge
from closed_network.clients import Machine
from closed_network.organisation import organisation, unfilled
from closed_network.report import FAILED, NOT_PROVEN, OK, Report, StageFailedError
from closed_network.repository import read_repository
from closed_network.stages.deploy import PLATFORM, apply_the_platform
from closed_network.stages.run import Run
from scripts.demo import SETTINGS as FILLED_IN
from terraform_replay.clients import Client
from tests.support.baking import Baked, bake
from tests.support.rehearsals import Rehearsed, rehearse
from tests.support.template import CHOICES

Settings = dict[str, Any]
STAGES = ("6 platform", "7 deploy", "8 event")


def product(folder: Path, kind: str) -> Baked:
    """Return a product whose owner has filled in the settings."""
    answers = {"gcp_project_id": "a-project", "access_policy_id": "123456789"}
    made = bake(folder, function_kind=kind, **answers)
    for stack, change in FILLED_IN.items():
        if stack == "platform" or kind == "alert-to-snmp":
            set_in(made, stack, change)
    return made


def set_in(made: Baked, stack: str, change: Settings) -> None:
    file = made.path / "terraform" / stack / "settings.auto.tfvars.json"
    settings = merge(json.loads(file.read_text(encoding="utf-8")), change)
    file.write_text(json.dumps(settings), encoding="utf-8")


def replace_in(made: Baked, name: str, old: str, new: str) -> None:
    path = made.path / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def deployed(made: Baked, folder: Path, client: Client, *options: str) -> Rehearsed:
    return rehearse(made.path, folder, "--deploy", *options, **client.environment)


def stages_of(rehearsed: Rehearsed) -> dict[str, set[str]]:
    """Return the results of the deployment's stages."""
    checks = rehearsed.report["checks"]
    return {
        stage: {check["result"] for check in checks if check["stage"] == stage} for stage in STAGES
    }


@pytest.mark.slow
@pytest.mark.applies
@pytest.mark.parametrize("kind", CHOICES["function_kind"])
def test_every_kind_is_deployed_and_receives_its_events(
    kind: str, real_client: Client, tmp_path: Path
) -> None:
    rehearsed = deployed(product(tmp_path, kind), tmp_path, real_client)
    assert rehearsed.status == 0, rehearsed.output
    for results in stages_of(rehearsed).values():
        assert OK in results
        assert FAILED not in results
    traps = [c for c in rehearsed.report["checks"] if "the trap has" in c["claim"]]
    in_the_last = [check for check in traps if check["stage"] == "8 event"]
    assert len(in_the_last) == (3 if kind == "alert-to-snmp" else 0)


SNMPV3: Settings = {
    "function": {
        "environment": {
            "SNMP_VERSION": "3",
            "SNMP_USER": "operator",
            "SNMP_ENGINE_ID": "80007ed90561626364",
            "SNMP_ENTERPRISE_OID": "1.3.6.1.4.1.32473.7",
        },
        "secret_environment": {
            "SNMP_AUTH_PASSWORD": {"secret": "snmp-auth"},
            "SNMP_PRIV_PASSWORD": {"secret": "snmp-priv"},
        },
    }
}


# In a project of its own, on the same platform.
ANOTHER_FUNCTION: Settings = {
    "projects": {"c-project": "333333333333"},
    "build_service_accounts": ["other-build@c-project.iam.gserviceaccount.com"],
    "service_agents": {
        "c-project": {
            "storage_triggers": True,
            "alert_topics": ["projects/c-project/topics/alerts"],
            "kms_keys": ["projects/k-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"],
        }
    },
}


@pytest.mark.slow
@pytest.mark.applies
def test_an_environment_with_snmpv3_secrets_is_deployed(
    real_client: Client, tmp_path: Path
) -> None:
    made = product(tmp_path, "alert-to-snmp")
    environments: dict[str, Settings] = {
        "platform": {"project_id": "prod-project", "functions": ANOTHER_FUNCTION},
        "function": {"project_id": "prod-project", **SNMPV3},
    }
    for stack, change in environments.items():
        folder = made.path / "terraform" / stack / "environments"
        folder.mkdir(exist_ok=True)
        (folder / "prod.tfvars.json").write_text(json.dumps(change), encoding="utf-8")
    lock = made.path / "function" / "requirements.txt"
    text = lock.read_text(encoding="utf-8").replace("/a-project/", "/prod-project/", 1)
    lock.write_text(text, encoding="utf-8")
    rehearsed = deployed(made, tmp_path, real_client, "--env", "prod")
    assert rehearsed.status == 0, rehearsed.output
    assert stages_of(rehearsed) == {stage: {OK} for stage in STAGES}


@dataclass(frozen=True)
class Fault:
    """What is wrong in a repository, and what the rehearsal says of it, where."""

    change: Callable[[Baked], None]
    stage: str
    says: str


FAULTS = {
    "a setting of the platform": Fault(
        lambda made: set_in(made, "platform", {"pool": {"machine_type": "tiny"}}),
        "6 platform",
        "pool.machine_type",
    ),
    "a misspelt setting": Fault(
        lambda made: set_in(made, "function", {"function": {"min_instance": 0}}),
        "7 deploy",
        "min_instance",
    ),
    "a role of the build account": Fault(
        lambda made: replace_in(
            made,
            "terraform/platform/identities.tf",
            "roles/artifactregistry.reader",
            "roles/browser",
        ),
        "7 deploy",
        "may not read projects/a-project",
    ),
    "a role of the trigger account": Fault(
        lambda made: replace_in(
            made, "terraform/function/trigger.tf", "roles/run.invoker", "roles/run.viewer"
        ),
        "8 event",
        "may not invoke https://",
    ),
    "the switch": Fault(
        lambda made: set_in(made, "platform", {"upstreams": {"allow": False}}),
        "7 deploy",
        "ERROR: No matching distribution found for",
    ),
    "the index line": Fault(
        lambda made: set_in(made, "platform", {"repositories": {"python": "ar-other"}}),
        "7 deploy",
        "requirements.txt is not --index-url",
    ),
}


@pytest.mark.slow
@pytest.mark.applies
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_at_its_stage(fault: Fault, real_client: Client, tmp_path: Path) -> None:
    made = product(tmp_path, "pubsub")
    fault.change(made)
    rehearsed = deployed(made, tmp_path, real_client)
    assert rehearsed.status == 1, rehearsed.output
    assert rehearsed.report["failed_stage"] == fault.stage
    assert fault.says in rehearsed.sentence


# --- without Terraform's real providers ---


def first_stage(made: Baked, folder: Path) -> Report:
    """Run the deployment's first stage alone."""
    folder.mkdir()
    report = Report(str(made.path))
    repository = read_repository(made.path, None, None, None)
    machine = Machine(folder, "http://127.0.0.1:9")
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    run = Run(repository, machine, report, enclosed=False)
    with report.stage(STAGES[0]), run.resources:
        apply_the_platform(run)
    return report


def test_settings_that_are_not_filled_in_are_not_proven(tmp_path: Path) -> None:
    report = first_stage(bake(tmp_path, function_kind="alert-to-snmp"), tmp_path / "run")
    (check,) = report.checks
    assert (check.claim, check.result) == (PLATFORM, NOT_PROVEN)
    assert check.evidence == (
        "not filled in yet: project_id, perimeter.deployers, access_policy.id, "
        "function.environment.SNMP_RECEIVERS"
    )


def test_a_platform_of_somebody_else_is_not_proven(tmp_path: Path) -> None:
    made = bake(tmp_path, function_kind="http", platform="reuse", gcp_project_id="a-project")
    (check,) = first_stage(made, tmp_path / "run").checks
    assert (check.result, check.evidence) == (
        NOT_PROVEN,
        "terraform/platform is not in this repository",
    )


def test_without_terraform_nothing_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERRAFORM", "a-program-that-is-not-here")
    (check,) = first_stage(product(tmp_path, "http"), tmp_path / "run").checks
    assert check.result == NOT_PROVEN
    assert "neither Terraform nor OpenTofu is installed" in check.evidence


def test_without_providers_nothing_is_proven(
    terraform: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERRAFORM", terraform.program)
    for name in ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (check,) = first_stage(product(tmp_path, "http"), tmp_path / "run").checks
    assert check.result == NOT_PROVEN
    assert "Terraform has no providers here, run `make validate`: " in check.evidence


@pytest.mark.parametrize("text", ["{", "[]", '{"perimeter": {}, "perimeter": 1}'])
def test_settings_that_cannot_be_read_fail(text: str, tmp_path: Path) -> None:
    made = product(tmp_path, "http")
    file = made.path / "terraform" / "platform" / "settings.auto.tfvars.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StageFailedError, match="settings"):
        first_stage(made, tmp_path / "run")


EXISTING: Settings = {
    "network": {"create": False, "name": "default"},
    "peering": {"keep_ranges": ["theirs"]},
    "build_service_account": {"create": False, "account_id": "theirs"},
    "functions": {"projects": {"b-project": "222222222222"}},
    "perimeter": {"mode": "join", "name": "around", "deployers": ["user:taro@example.com"]},
    "access_policy": {"id": "123456789"},
    "repositories": {"kms_key_name": "projects/k-project/locations/r/keyRings/r/cryptoKeys/k"},
}


def test_what_the_settings_name_as_existing_is_there() -> None:
    platform = {"project_id": "a-project", "region": "asia-northeast1", **EXISTING}
    function = {
        "project_id": "b-project",
        "function": {"secret_volumes": {"/secrets": {"secret": "keys", "path": "k"}}},
        "trigger": {"kind": "storage", "bucket": "given", "topic": "projects/b-project/topics/t"},
    }
    assert list(unfilled(platform, function)) == []
    cloud = organisation(platform, function)
    assert {
        "accesscontextmanager/accessPolicies/123456789/servicePerimeters/around",
        "cloudkms/projects/k-project/locations/r/keyRings/r/cryptoKeys/k",
        "compute/projects/a-project/global/addresses/theirs",
        "compute/projects/a-project/global/networks/default",
        "iam/projects/a-project/serviceAccounts/theirs@a-project.iam.gserviceaccount.com",
        "pubsub/projects/b-project/topics/t",
        "secretmanager/projects/b-project/secrets/keys",
        "storage/b/given",
    } <= cloud.resources.keys()
    assert cloud.projects["b-project"] == "222222222222"
    assert cloud.caller == "user:taro@example.com"
    nothing = {
        **platform,
        "network": {},
        "perimeter": {"deployers": []},
        "access_policy": {"id": "1"},
    }
    created = organisation(
        {**nothing, "build_service_account": {}, "repositories": {}, "functions": {}},
        {"project_id": "a-project", "function": {}, "trigger": {"kind": "http"}},
    )
    assert created.resources.keys() == {
        "accesscontextmanager/accessPolicies/1",
        "cloudresourcemanager/projects/a-project",
    }
