"""Set up and plan a product's stacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from terraform_replay.clients import Client
from tests.support.baking import Baked

STACKS = ("platform", "function")
# What a user of each mode adds to the rendered settings before the first apply.
GIVEN: dict[str, dict[str, Any]] = {
    "create": {
        "perimeter": {"mode": "create", "deployers": []},
        "access_policy": {"organization_id": "987654321098"},
    },
    "join": {
        "perimeter": {"mode": "join", "name": "theirs", "deployers": ["user:taro@example.com"]},
        "access_policy": {"id": "123456789"},
    },
    "dry-run": {
        "perimeter": {"mode": "create", "enforcement": "dry-run"},
        "access_policy": {"id": "123456789"},
    },
    "none": {"perimeter": {"mode": "none"}},
}


def succeed(client: Client, folder: Path, *arguments: str) -> str:
    done = client.run(folder, *arguments, timeout=300)
    assert done.returncode == 0, f"{arguments}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def planned(client: Client, folder: Path) -> dict[str, Any]:
    succeed(client, folder, "plan", "-input=false", "-out=plan")
    document: dict[str, Any] = json.loads(succeed(client, folder, "show", "-json", "plan"))
    return document


def name_receivers(product: Baked) -> None:
    """Fill in the one blank that the settings of an `alert-to-snmp` function have."""
    function = json.loads(product.read("terraform/function/settings.auto.tfvars.json"))["function"]
    assert function["environment"] == {"SNMP_RECEIVERS": None}
    function["environment"] = {"SNMP_RECEIVERS": "10.20.0.5:162"}
    settings(product, "function", function=function)


def reach_receivers(product: Baked) -> None:
    """Name a receiver, and let the platform hand over that its network lets functions reach it."""
    name_receivers(product)
    file = product.path / "terraform/function/platform.auto.tfvars.json"
    handed = json.loads(file.read_text(encoding="utf-8"))
    allowance = {"ranges": ["10.20.0.0/24"], "protocol": "udp", "ports": ["162"]}
    handed["platform"]["egress_allowances"] = {"snmp": allowance}
    file.write_text(json.dumps(handed), encoding="utf-8")


def fill_in_platform(product: Baked) -> None:
    """Give the platform's settings what only a user knows; its policy is not there yet."""
    perimeter = {"mode": "create", "deployers": ["user:taro@example.com"]}
    policy = {"organization_id": "77"}
    settings(product, "platform", perimeter=perimeter, access_policy=policy)


def settings(product: Baked, stack: str, **changed: object) -> None:
    """Change the rendered settings of a stack as its user does."""
    file = product.path / "terraform" / stack / "settings.auto.tfvars.json"
    values = json.loads(file.read_text(encoding="utf-8")) | changed
    file.write_text(json.dumps(values), encoding="utf-8")
