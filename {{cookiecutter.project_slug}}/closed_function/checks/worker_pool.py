"""Checks of the private worker pool."""

from collections.abc import Iterator
from urllib.parse import quote

from closed_function.checks.reads import FULL_NAME, Cloud, gcloud_command
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result


def check_worker_pool(cloud: Cloud, name: str) -> Iterator[Result]:
    runs, closed = "the worker pool is running", "the worker pool has no external address"
    if not FULL_NAME.fullmatch(name):
        for claim in (runs, closed):
            yield Result(claim, UNKNOWN, "the hand-over names no worker pool")
        return
    _, project, _, location, _, pool = name.split("/")
    options = (f"--region={location}", f"--project={project}")
    command = gcloud_command("builds", "worker-pools", "describe", pool, *options)
    answer = cloud.get(
        "cloudbuild",
        f"v1/{quote(name)}",
        f"the worker pool {name}",
        "cloudbuild.workerpools.get",
        expects="state",
    )
    if answer.status == 404:
        yield Result(runs, PROBLEM, f"{name} does not exist.", command, "pool-not-found")
    if answer.why:
        if answer.status != 404:
            yield Result(runs, UNKNOWN, answer.why, command)
        yield Result(closed, UNKNOWN, answer.why, command)
        return
    state = answer.content.get("state")
    if state == "RUNNING":
        yield Result(runs, OK, name, command)
    else:
        yield Result(runs, PROBLEM, f"{name} is {state}.", command, "pool-not-running")
    config = answer.content.get("privatePoolV1Config", {})
    egress = config.get("networkConfig", {}).get("egressOption", "not set, which is PUBLIC_EGRESS")
    if egress == "NO_PUBLIC_EGRESS" or config.get("privateServiceConnect", {}).get(
        "publicIpAddressDisabled"
    ):
        yield Result(closed, OK, egress, command)
    else:
        seen = f"The egress option of {name} is {egress}."
        yield Result(closed, PROBLEM, seen, command, "pool-external-ip")
