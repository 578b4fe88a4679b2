"""Set the switch to ALLOW or DENY, or show it.

The switch is what `gcloud artifacts vpcsc-config allow` sets, once for each project and location:
inside a VPC Service Controls perimeter an Artifact Registry remote repository may fetch from its
upstream, the public index, only while the switch is at ALLOW. No perimeter rule replaces it.
Project and location are read from the index line of function/requirements.txt, which is what the
build uses; with --env NAME, from the hand-over of that environment's own platform.
"""

import argparse
import re
import shlex

from closed_function.command_line import add_environment
from closed_function.errors import CommandError, ExitStatus, UnavailableError
from closed_function.gcloud.program import (
    DIAGNOSE,
    NOT_SIGNED_IN,
    SIGN_IN,
    crashed,
    run_gcloud,
)
from closed_function.index import Index, parse_index, read_handed_over_url, read_index
from closed_function.paths import REQUIREMENTS, environment_settings, hand_over_file
from closed_function.processes import Outcome
from closed_function.redaction import quote

WHEN_INTERRUPTED = "Interrupted; gcloud was ended. See where the switch is: make status"
GCLOUD_USAGE = 2
CAUSES = """\
The three known causes, and the command that checks each:
  1. You lack accesscontextmanager.policies.{verb} on the access policy or the organisation
     (roles/accesscontextmanager.policyEditor has it; a grant on the project has no effect):
       gcloud access-context-manager policies get-iam-policy POLICY_NUMBER
  2. The project is not (yet) inside an enforced perimeter:
       gcloud projects describe {project} --format='value(projectNumber)'
       gcloud access-context-manager perimeters list --policy=POLICY_NUMBER \
--format='yaml(name,status.resources)'
  3. You lack artifactregistry.vpcscconfigs.{verb} in the project
     (roles/artifactregistry.admin has it):
       gcloud projects get-iam-policy {project} --flatten='bindings[].members' \
--filter='bindings.role:artifactregistry' --format='table(bindings.role,bindings.members)'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_environment(parser)
    parser.add_argument("--project", help="project of the repository (default: the index line's)")
    parser.add_argument("--location", help="location of the repository (default: the index line's)")
    parser.add_argument("--timeout", type=seconds, default=90, help="seconds for gcloud (90)")


def seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError("more than 0 and at most 3600 seconds, for example 90")
    return number


def run(options: argparse.Namespace) -> int:
    verb, project, location = options.command, options.project, options.location
    if not (project and location):
        index = find_index(options.env)
        project, location = project or index.project, location or index.location
    arguments = ["artifacts", "vpcsc-config", verb]
    arguments += [f"--project={project}", f"--location={location}"]
    print(f"$ {shlex.join(['gcloud', *arguments])}", flush=True)
    outcome = run_gcloud(arguments, options.timeout)
    policy = confirmed_policy(outcome, verb)
    if not policy:
        raise switch_error(outcome, verb, project, options.timeout)
    print(f"The switch of {project} in {location}: {policy}")
    return ExitStatus.DONE


def find_index(environment: str | None) -> Index:
    """Return the index of an environment: of its own platform, or the one in requirements.txt."""
    if environment is None:
        return read_index(REQUIREMENTS)
    environment_settings("function", environment)
    file = hand_over_file(environment)
    if not file.is_file():
        return read_index(REQUIREMENTS)
    return parse_index(read_handed_over_url(file), str(file))


def confirmed_policy(outcome: Outcome, verb: str) -> str | None:
    """Return ALLOW or DENY if gcloud succeeded and printed the policy of `verb`, else None."""
    if outcome.status != 0:
        return None
    policy = re.search(r"^vpcscPolicy:\s*(ALLOW|DENY)\s*$", outcome.output, re.MULTILINE)
    if policy:
        return policy[1] if verb in ("describe", policy[1].lower()) else None
    # A policy that was never set is not printed, and works as DENY.
    return "DENY" if verb == "describe" and "vpcscConfig" in outcome.output else None


def switch_error(outcome: Outcome, verb: str, project: str, timeout: float) -> CommandError:
    """Return what an `outcome` without a policy means."""
    words = quote(outcome.errors or outcome.output) or "(it printed nothing)"
    if outcome.status is None:
        return UnavailableError(f"gcloud was ended: no answer within {timeout:g} s.\n{DIAGNOSE}")
    if outcome.status == 0:
        return UnavailableError(f"gcloud did not confirm the switch; it printed:\n{words}")
    if outcome.status == GCLOUD_USAGE:
        advice = "Update it: gcloud components update"
        return UnavailableError(f"This gcloud does not know the command:\n{words}\n{advice}")
    if NOT_SIGNED_IN.search(outcome.errors):
        return UnavailableError(f"gcloud is not signed in:\n{words}\n{SIGN_IN}")
    if crashed(outcome):
        return UnavailableError(f"gcloud crashed (exit status {outcome.status}):\n{words}")
    causes = CAUSES.format(project=project, verb="get" if verb == "describe" else "update")
    return CommandError(f"The service refused:\n{words}\n{causes}", ExitStatus.WRONG)
