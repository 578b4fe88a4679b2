"""Destroy a Terraform stack of this repository, and print what is left behind.

A platform that functions are built on is destroyed only with --force: without it they can neither
be built nor reached, and Google keeps most of what they use from being deleted half-way.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from closed_function.checks.reads import Cloud, run_checks
from closed_function.checks.result import PROBLEM, Check, Result
from closed_function.command_line import (
    add_environment,
    add_yes,
    approval,
    approval_options,
    report_progress,
)
from closed_function.errors import CommandError, ExitStatus, UnavailableError
from closed_function.files import as_mapping, text_at
from closed_function.gcloud.session import sign_in
from closed_function.paths import STACKS
from closed_function.settings import read_declarations, setting
from closed_function.stack import Stack

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."
SIGN_IN_TIMEOUT = 40

REMAINING = {
    "platform": """\
These remain, because Google or Terraform does not remove them:
- the access policy, if it was created here: it may hold the perimeters of others by now;
- on a network that existed before, its connection to Google's services;
- the switch, at ALLOW; `make deny` sets it to DENY;
- the peering's VPC Service Controls (producer_restricted_vip), if they were on:
  gcloud services vpc-peerings disable-vpc-service-controls --project=PROJECT --network=NETWORK
- the APIs that were enabled, and the service agents with them.""",
    "function": """\
These remain, because Google created them and not this stack:
- the bucket gcf-v2-sources-NUMBER-REGION and the images in the Docker repository;
- the APIs that were enabled, and the service agents with them;
- if the platform is in another project, the grant of the build account on the Python repository,
  as deleted:serviceAccount:...: it permits nothing, and IAM removes it within 60 days.
A build account of its own is removed: take it out of the platform's `functions`, or the platform
can change no rule that names it. The platform stays; `make destroy STACK=platform` removes it.""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stack", choices=STACKS)
    add_environment(parser)
    add_yes(parser)
    parser.add_argument(
        "--force", type=approval, help="1: destroy a platform that functions still use"
    )


def run(options: argparse.Namespace) -> int:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare()
    in_use = ""
    if stack.name == "platform" and stack.has_resources():
        in_use = describe_use(stack)
    if not in_use:
        stack.change("destroy", *variables, *approval_options(options))
    elif options.force:
        destroy_used(stack, variables, in_use, approved=options.yes)
    else:
        raise CommandError(
            f"{in_use}\nNothing was destroyed. Destroy functions first, each in its repository, "
            "or run `make destroy STACK=platform FORCE=1` to destroy the platform under them."
        )
    print(REMAINING[stack.name])
    return ExitStatus.DONE


def destroy_used(stack: Stack, variables: Iterable[str], in_use: str, *, approved: bool) -> None:
    """Destroy a platform in use: what uses it is printed below the plan, before the question."""
    with tempfile.TemporaryDirectory() as folder:
        plan = str(Path(folder, "destroy.plan"))
        stack.call("plan", "-destroy", f"-out={plan}", *variables)
        print(f"\n{in_use}", flush=True)
        if not approved:
            try:
                answer = input("Only yes destroys the platform under them: ")
            except EOFError:
                answer = ""
            if answer != "yes":
                raise CommandError("Nothing was destroyed.")
        stack.change("apply", plan)


def describe_use(stack: Stack) -> str:
    """Return which functions use the platform, or why that is not known; else nothing."""
    settings = stack.settings()
    project, region = text_at(settings, "project_id"), text_at(settings, "region")
    # The pool that is there, and the one that the settings name by now.
    name = setting(settings, read_declarations("platform"), "pool.name")
    pools = {f"projects/{project}/locations/{region}/workerPools/{name}"}
    pools |= {text_at(stack.output("platform"), "worker_pool")} - {""}
    projects = [project, *as_mapping(as_mapping(settings.get("functions")).get("projects"))]
    report_progress(f"Asking Google Cloud which functions of {', '.join(projects)} use it.")
    try:
        session = sign_in(SIGN_IN_TIMEOUT)
    except UnavailableError as error:
        return f"It is not known whether functions use this platform: {error}"
    found = run_checks(
        lambda cloud: {each: partial(find_users, cloud, pools, each) for each in projects}, session
    )
    found = [each.presentable() for each in found]
    if users := [each.seen for each in found if each.verdict == PROBLEM]:
        return "These functions use this platform:\n" + "\n".join(users)
    if unread := [each.seen for each in found]:
        return f"It is not known whether functions use this platform: {unread[0]}."
    return ""


def find_users(cloud: Cloud, pools: Iterable[str], project: str) -> Iterator[Result]:
    """Yield a problem for each function of `project` that is built in one of `pools`."""
    check = Check(project)
    consumers = {f"projects/{project}", f"projects/{cloud.number(project)}"}
    # A project is named by its id or by its number: without that, nothing is known of any function.
    wanted, unread = set(pools), ""
    for pool in pools:
        _, owner, rest = pool.split("/", 2)
        wanted.add(f"projects/{cloud.number(owner)}/{rest}")
        unread = unread or cloud.project(owner).why
    for region in sorted({pool.split("/")[3] for pool in pools}):
        read = (
            "cloudfunctions",
            f"v2/projects/{quote(project)}/locations/{region}/functions?pageSize=1000",
            f"the functions of {project}",
            "cloudfunctions.functions.list",
        )
        functions, why = cloud.pages("functions", *read)
        why = why or unread
        for each in functions:
            if each.get("buildConfig", {}).get("workerPool") in wanted:
                yield check.problem("", f"- {each['name']}")
        refusal = cloud.get(*read)
        off = refusal.reason == "SERVICE_DISABLED" and refusal.metadata.get("consumer") in consumers
        if why and not off:  # without the API there is no function
            yield check.unknown(why)
