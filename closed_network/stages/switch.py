"""Run stage 3: the switch is set to ALLOW."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import requests

from closed_network.report import StageFailedError
from closed_network.stand_in import API_HOST, switch_path

from .run import TOOL_TIMEOUT, Run


def set_the_switch(run: Run) -> None:
    """The repository's own tool, or gcloud itself, sets the switch to ALLOW."""
    gcloud = shutil.which("gcloud")
    if gcloud:
        allow_with_gcloud(run, gcloud)
    else:
        set_directly(run, "ALLOW")
    run.refuse_other_hosts("the tool for the switch", "a closed network does not reach")
    path = switch_path(run.repository.index)
    patched = [r for r in run.seen() if r.method == "PATCH" and r.path == path]
    if [request.status for request in patched] != [200]:
        raise StageFailedError("the switch of this project and location was not set to ALLOW")
    if not gcloud:
        why = "gcloud is not installed: the same request was sent without it"
        run.report.not_proven("the real gcloud sets the switch to ALLOW", why)
        return
    if "command/gcloud.artifacts.vpcsc-config.allow" not in patched[0].agent:
        raise StageFailedError("the switch was set, but not by the gcloud command")
    named = re.search(r"gcloud/([\d.]+)", patched[0].agent)
    run.report.versions["gcloud"] = named[1] if named else ""
    run.report.proven(
        "the real gcloud sets the switch to ALLOW",
        f"gcloud {run.report.versions['gcloud']}: PATCH {patched[0].path} answered 200",
    )


def allow_with_gcloud(run: Run, gcloud: str) -> None:
    repository, index = run.repository, run.repository.index
    command = [gcloud, "artifacts", "vpcsc-config", "allow"]
    command += [f"--project={index.project}", f"--location={index.location}"]
    if repository.switch_tool:
        command = [sys.executable, "-m", "closed_function", "allow"]
    environment = run.machine.gcloud_environment(gcloud)
    outcome = run.client(
        command,
        environment,
        repository.root,
        TOOL_TIMEOUT,
        readable=[repository.root, sdk_of(gcloud)],
        writable=[run.machine.folder / "gcloud"],
    )
    if outcome.status != 0:
        raise StageFailedError(f"the switch was refused: {outcome.output.strip()[-600:]}")


def sdk_of(gcloud: str) -> Path:
    """Return the folder of the Cloud SDK that `gcloud` is part of."""
    program = Path(gcloud).resolve()
    sdk = program.parents[1]
    return sdk if (sdk / "lib" / "gcloud.py").is_file() else program


def set_directly(run: Run, policy: str) -> None:
    """Send the request that gcloud sends."""
    with requests.Session() as session:
        session.trust_env = False
        path = switch_path(run.repository.index)
        session.patch(
            f"https://{API_HOST}{path}",
            json={"name": path.removeprefix("/v1/"), "vpcscPolicy": policy},
            headers={"Authorization": f"Bearer {run.machine.token}"},
            proxies={"https": run.machine.gate},
            verify=str(run.machine.authority),
            timeout=TOOL_TIMEOUT,
        )
