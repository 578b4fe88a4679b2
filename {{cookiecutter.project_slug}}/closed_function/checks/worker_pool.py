"""Check the private worker pool."""

from collections.abc import Iterator
from urllib.parse import quote

from closed_function.checks.reads import FULL_NAME, Cloud, resource_command
from closed_function.checks.result import Check, Result


def check_worker_pool(cloud: Cloud, name: str) -> Iterator[Result]:
    runs, closed = "the worker pool is running", "the worker pool has no external address"
    if not FULL_NAME.fullmatch(name):
        for claim in (runs, closed):
            yield Check(claim).unknown("the hand-over names no worker pool")
        return
    command = resource_command(name, "builds", "worker-pools", "describe", place="region")
    running, private = Check(runs, command), Check(closed, command)
    answer = cloud.get(
        "cloudbuild",
        f"v1/{quote(name)}",
        f"the worker pool {name}",
        "cloudbuild.workerpools.get",
        expects="state",
    )
    state = answer.content.get("state")
    if answer.status == 404:
        yield running.problem("pool-not-found", f"{name} does not exist.")
    elif answer.why:
        yield running.unknown(answer.why)
    elif state == "RUNNING":
        yield running.ok(name)
    else:
        yield running.problem("pool-not-running", f"{name} is {state}.")
    if answer.why:
        yield private.unknown(answer.why)
        return
    config = answer.content.get("privatePoolV1Config", {})
    egress = config.get("networkConfig", {}).get("egressOption", "not set, which is PUBLIC_EGRESS")
    connect = config.get("privateServiceConnect", {})
    if egress == "NO_PUBLIC_EGRESS" or connect.get("publicIpAddressDisabled"):
        yield private.ok(egress)
    else:
        yield private.problem("pool-external-ip", f"The egress option of {name} is {egress}.")
