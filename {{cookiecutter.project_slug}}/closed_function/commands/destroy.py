"""Destroy a Terraform stack of this repository, and print what is left behind.

A platform that functions are built on is destroyed only with --force: without it they can neither
be built nor reached, and Google keeps most of what they use from being deleted half-way.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

from closed_function.checks.build_account import SOURCE_BUCKETS
from closed_function.checks.reads import Cloud, run_checks
from closed_function.checks.result import PROBLEM, Check, Result
from closed_function.checks.shared_vpc import detach_command
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
from closed_function.paths import STACKS, relative
from closed_function.repository import Repository
from closed_function.settings import read_declarations, setting
from closed_function.stack import Stack

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."
SIGN_IN_TIMEOUT = 40

# What is known of the state by a type of resource and its attribute.
STATE_VALUES = {
    "number": ("google_project", "number"),
    "policy": ("google_access_context_manager_access_policy", "name"),
}
APIS = "the APIs that were enabled, and the service agents with them"


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
    # Terraform forgets these with what it destroys.
    known = values_in_state(stack)
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
    if stack.name == "platform":
        lines = platform_remains(stack, known)
    else:
        lines = function_remains(Repository(stack.environment), known)
    for line in lines:
        print(line)
    return ExitStatus.DONE


def values_in_state(stack: Stack) -> dict[str, str]:
    """Return the project's number and the name of a created access policy, where they are known."""
    state = json.loads(stack.state() or "{}")
    found = {}
    for resource in state.get("resources", []):
        attributes = [each.get("attributes", {}) for each in resource.get("instances", [])]
        for known, (type_, name) in STATE_VALUES.items():
            if resource["type"] == type_ and attributes and attributes[0].get(name):
                found[known] = str(attributes[0][name])
    return found


def function_remains(repository: Repository, known: Mapping[str, str]) -> Iterator[str]:
    """Yield lines that say what a destroyed function leaves, and what is to be done about it."""
    project, region = repository.function_project, text_at(repository.platform, "region")
    number = known.get("number")
    sources = f"{SOURCE_BUCKETS}{number or 'NUMBER'}-{region}"
    yield f"These remain in {project}:"
    yield f"- the bucket {sources}, which Google created for the sources of functions;"
    if secrets := list(dict.fromkeys(secret for secret, _ in repository.secrets)):
        yield f"- the secrets {', '.join(secrets)}: gcloud secrets delete NAME --project={project}"
    yield f"- {APIS}."
    if not repository.elsewhere:
        images = repository.docker_repository.rpartition("/")[2]
        yield f"The function's images remain in {images} of {repository.project}."
    else:
        yield (
            f"In {repository.project} the grant of {repository.build_account} on the Python "
            "repository remains, as deleted:serviceAccount:...: it permits nothing, and IAM "
            "removes it within 60 days."
        )
    if repository.uses_shared_vpc:
        yield (
            f"{project} remains attached to the network of {repository.project}. When no function "
            "of it is left:"
        )
        yield f"  {detach_command(repository)}"
    yield from listed_on_platform(repository)
    if repository.platform_files:
        yield "The platform stays; `make destroy STACK=platform` removes it."


def listed_on_platform(repository: Repository) -> Iterator[str]:
    """Yield what to remove from the platform's settings, which refuse an account that is gone."""
    if not repository.own_build_account:
        return
    file = "its owner's terraform/platform/settings.auto.tfvars.json"
    if repository.platform_files:
        file = " or ".join(str(relative(each)) for each in repository.platform_files)
        accounts = repository.platform_functions().get("build_service_accounts")
        if not isinstance(accounts, list) or repository.build_account not in accounts:
            return
    yield f"Now `make platform` fails until this is removed from `functions` in {file}:"
    yield f"- build_service_accounts: {repository.build_account}"
    if repository.elsewhere:
        project = repository.function_project
        yield f"- projects and service_agents: {project}, if no other function is in this project"


def platform_remains(stack: Stack, known: Mapping[str, str]) -> Iterator[str]:
    """Yield lines that say what a destroyed platform leaves, and what is to be done about it."""
    settings, declared = stack.settings(), read_declarations("platform")

    def value(path: str) -> object:
        return setting(settings, declared, path)

    project, network = value("project_id"), value("network.name")
    mode, enforced = value("perimeter.mode"), value("perimeter.enforcement") == "enforced"
    allows = value("upstreams.allow")
    yield f"These remain in {project}:"
    if allows or (allows is None and mode != "none" and enforced):
        yield f"- the switch of {value('region')}, at ALLOW: `make deny` sets it to DENY;"
    if value("network.create") is False and value("peering.create") is not False:
        yield f"- on the network {network}, its connection to Google's services;"
    if value("network.producer_restricted_vip"):
        yield "- the peering's VPC Service Controls (network.producer_restricted_vip):"
        yield (
            "  gcloud services vpc-peerings disable-vpc-service-controls "
            f"--project={project} --network={network}"
        )
    yield f"- {APIS}."
    if mode == "create" and not value("access_policy.id"):
        policy = f" {known['policy']}" if "policy" in known else ""
        owner = value("access_policy.organization_id")
        yield (
            f"The access policy{policy} of the organisation {owner} remains: it can hold "
            "perimeters of others by now."
        )


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
