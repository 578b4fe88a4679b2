"""An organisation as a user has it before the first apply, for a stand-in of Google Cloud.

Terraform creates most things; what the settings name as existing is there already.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from closed_function.checks.platform import unfilled_platform
from closed_function.files import read_object
from closed_function.repository import PLACEHOLDER
from closed_function.settings import merge
from cloud_stand_in.cloud import Cloud
from cloud_stand_in.services.compute import attach
from cloud_stand_in.services.kms import add_key
from cloud_stand_in.services.secret_manager import add_secret
from cloud_stand_in.services.service_networking import add_network
from cloud_stand_in.services.storage import create_bucket

Json = dict[str, Any]

ORGANIZATION = "123456789012"
ACCESS_POLICY = "987654321"
# What `gcloud services enable` of the first day enables.
APIS = ("cloudresourcemanager", "iam", "secretmanager")
# Google's service agents that a project has once it has functions.
AGENTS = (
    "gcf-admin-robot gcp-sa-artifactregistry gcp-sa-cloudbuild gcp-sa-eventarc "
    "gcp-sa-monitoring-notification gcp-sa-pubsub gs-project-accounts serverless-robot-prod"
).split()


def read_settings(root: Path, stack: str, environment: str | None) -> Json:
    """Return a stack's settings, as the environment has them. ValueError if a file is no object."""
    folder = root / "terraform" / stack
    settings = read_file(folder / "settings.auto.tfvars.json")
    if environment is None:
        return settings
    return merge(settings, read_file(folder / "environments" / f"{environment}.tfvars.json"))


def read_file(file: Path) -> Json:
    content, why = read_object(file)
    if why:
        raise ValueError(f"{file.name} {why}")
    return dict(content)


def unfilled(platform: Json, function: Json) -> Iterator[str]:
    """Yield the settings that the user has not filled in yet."""
    for settings in (platform, function):
        if settings.get("project_id") in (None, "", PLACEHOLDER):
            yield "project_id"
    yield from unfilled_platform(platform)
    for name, value in function.get("function", {}).get("environment", {}).items():
        if value is None:
            yield f"function.environment.{name}"


def organisation(platform: Json, function: Json) -> Cloud:
    """Return the stand-in's cloud before the first apply of stacks with these settings."""
    cloud = Cloud()
    add_projects(cloud, platform, function)
    deployers = [each for each in platform["perimeter"].get("deployers") or [] if "@" in each]
    cloud.caller = deployers[0] if deployers else cloud.caller
    policy = platform.get("access_policy", {})
    if not policy.get("organization_id"):
        add_perimeter(cloud, str(policy.get("id") or ACCESS_POLICY), platform["perimeter"])
    network = platform.get("network", {})
    if network.get("create") is False:
        ranges = platform.get("peering", {}).get("keep_ranges", [])
        name = network.get("name", "closed-network")
        add_network(cloud, platform["project_id"], name, *ranges)
    account = platform.get("build_service_account", {})
    if account.get("create") is False:
        name = account.get("account_id", "cb-builder")
        add_account(cloud, f"{name}@{platform['project_id']}.iam.gserviceaccount.com")
    for key in keys(platform, function):
        add_key(cloud, key)
    add_other_functions(cloud, platform.get("functions", {}), function)
    add_what_the_function_uses(cloud, platform["region"], function)
    return cloud


def add_other_functions(cloud: Cloud, listed: Json, function: Json) -> None:
    """Add what `functions` lists; the function's own `make accounts` creates its part."""
    own = f"{function['function'].get('name')}-build@{function['project_id']}."
    for email in listed.get("build_service_accounts", []):
        if not email.startswith(own):
            add_account(cloud, email)
    for project in listed.get("projects", {}):
        for domain in AGENTS:
            cloud.create_agent(project, domain)
    for may in listed.get("service_agents", {}).values():
        for topic in may.get("alert_topics", []):
            cloud.add("pubsub", topic)


def add_account(cloud: Cloud, email: str) -> None:
    name = f"projects/{email.partition('@')[2].partition('.')[0]}/serviceAccounts/{email}"
    cloud.add("iam", name, email=email, uniqueId="1")


def add_projects(cloud: Cloud, platform: Json, function: Json) -> None:
    listed = platform.get("functions", {}).get("projects", {})
    named = [platform["project_id"], function["project_id"], *listed]
    named += [key.split("/")[1] for key in keys(platform, function)]
    for number, project in enumerate(dict.fromkeys(named), start=111111111111):
        cloud.add_project(project, listed.get(project, str(number)), *APIS)
    if function["project_id"] != platform["project_id"]:
        for project in (platform["project_id"], function["project_id"]):
            cloud.apis[project].append("compute")
        attach(cloud, function["project_id"], platform["project_id"])
    for key in keys(platform, function):
        cloud.apis[key.split("/")[1]].append("cloudkms")


def add_perimeter(cloud: Cloud, policy: str, perimeter: Json) -> None:
    """Add the organisation's access policy, with the perimeter that the platform joins."""
    name = f"accessPolicies/{policy}"
    cloud.add(
        "accesscontextmanager",
        name,
        parent=f"organizations/{ORGANIZATION}",
        title="default policy",
        etag="1",
    )
    if perimeter.get("mode") == "join":
        joined = f"{name}/servicePerimeters/{perimeter['name']}"
        cloud.add(
            "accesscontextmanager",
            joined,
            title=perimeter["name"],
            perimeterType="PERIMETER_TYPE_REGULAR",
            status={"restrictedServices": ["artifactregistry.googleapis.com"]},
            etag="1",
        )


def keys(platform: Json, function: Json) -> list[str]:
    """Return the names of the keys with which the stacks encrypt."""
    named = [
        platform.get("repositories", {}).get("kms_key_name"),
        function["function"].get("kms_key_name"),
    ]
    for may in platform.get("functions", {}).get("service_agents", {}).values():
        named += may.get("kms_keys", [])
    return list(dict.fromkeys(filter(None, named)))


def secrets(function: Json) -> list[str]:
    """Return the names of the secrets that the function reads."""
    groups = (function["function"].get(f"secret_{each}", {}) for each in ("environment", "volumes"))
    return list(dict.fromkeys(used["secret"] for group in groups for used in group.values()))


def add_what_the_function_uses(cloud: Cloud, region: str, function: Json) -> None:
    project, trigger = function["project_id"], function["trigger"]
    for secret in secrets(function):
        add_secret(cloud, f"projects/{project}/secrets/{secret}")
    if topic := trigger.get("topic"):
        cloud.add("pubsub", topic)
    if bucket := trigger.get("bucket"):
        create_bucket(cloud, project, bucket, {"location": region})
