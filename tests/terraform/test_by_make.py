"""What a user types, from the first apply to the last destroy, with the real providers.

The commands stand in docs/verified.md, each with what Terraform says at its end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_stand_in import gcloud, terraform
from cloud_stand_in.server import serve
from scripts.demo import fill_in
from terraform_replay.clients import Client
from tests.support.applies import NUMBERS, PROJECT, REGION, new_cloud
from tests.support.baking import bake, bare_environment
from tests.support.machine import need
from tests.support.template import TEMPLATE

RECORDED = re.compile(r"^(.+?) +# (.+)$", re.MULTILINE)
# What `make destroy` says that it leaves.
LEFT = {
    f"artifactregistry/projects/{PROJECT}/locations/{REGION}/vpcscConfig",
    f"storage/b/gcf-v2-sources-{NUMBERS[PROJECT]}-{REGION}",
}


def recorded() -> list[tuple[str, str]]:
    """Return the commands of the page, and what is said of each."""
    page = (TEMPLATE / "docs" / "verified.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return RECORDED.findall(block)


@pytest.mark.slow
@pytest.mark.applies
def test_what_a_user_types_deploys_changes_and_destroys(
    real_client: Client, tmp_path: Path
) -> None:
    program = need(shutil.which("gcloud"), "gcloud")
    product = bake(tmp_path, gcp_project_id=PROJECT, access_policy_id="123456789").path
    fill_in(product)
    cloud = new_cloud()
    before = set(cloud.resources)
    path = [str(Path(each).parent) for each in (sys.executable, program, real_client.program)]
    with serve(cloud, tmp_path) as stand_in:
        environment = {
            **bare_environment(tmp_path, PATH=os.pathsep.join([*path, os.defpath])),
            **real_client.environment,
            **terraform.environment(stand_in.url),
            **gcloud.environment(stand_in, tmp_path),
            # Longer than what the stand-in needs to propagate a change.
            "TF_VAR_waits": '{iam="2s", peering="2s", perimeter="2s", service_agents="2s"}',
        }
        for command, says in recorded():
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=product,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
            assert says in " ".join(printed.split()), f"{command}: {printed[-3000:]}"
            assert done.returncode == 0, printed
    assert set(cloud.resources) - before == LEFT
