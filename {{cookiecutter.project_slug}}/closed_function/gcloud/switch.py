"""The switch that lets remote repositories ask their upstreams, thrown and read through gcloud."""

import re
import shlex

from closed_function.errors import CommandError, ExitStatus, UnavailableError
from closed_function.gcloud.program import DIAGNOSE, NOT_SIGNED_IN, SIGN_IN, run_gcloud
from closed_function.processes import Outcome
from closed_function.redaction import redact

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


def throw_switch(verb: str, project: str, location: str, timeout: float) -> str:
    """Run gcloud's command of `verb` (allow, deny or describe); return the policy, ALLOW or DENY.

    CommandError when gcloud does not confirm one.
    """
    arguments = ["artifacts", "vpcsc-config", verb]
    arguments += [f"--project={project}", f"--location={location}"]
    print(f"$ {shlex.join(['gcloud', *arguments])}", flush=True)
    outcome = run_gcloud(arguments, timeout)
    if outcome.status == 0 and (policy := policy_in(outcome, verb)):
        return policy
    raise switch_error(outcome, verb, project, timeout)


def policy_in(outcome: Outcome, verb: str) -> str | None:
    """Return ALLOW or DENY as gcloud's successful `outcome` says it; None when it does not."""
    policy = re.search(r"^vpcscPolicy:\s*(ALLOW|DENY)\s*$", outcome.output, re.MULTILINE)
    if policy:
        return policy[1] if verb in ("describe", policy[1].lower()) else None
    # A switch that was never set is answered without a policy, and works as DENY.
    return "DENY" if verb == "describe" and "vpcscConfig" in outcome.output else None


def switch_error(outcome: Outcome, verb: str, project: str, timeout: float) -> CommandError:
    """Return what an `outcome` without a policy means."""
    words = redact(outcome.errors or outcome.output) or "(it printed nothing)"
    if outcome.status is None:
        return UnavailableError(
            f"gcloud gave no answer within {timeout:g} s and was ended.\n{DIAGNOSE}"
        )
    if outcome.status == 0:
        return UnavailableError(f"gcloud did not confirm the policy; it printed:\n{words}")
    if outcome.status == GCLOUD_USAGE:
        advice = "Update it: gcloud components update"
        return UnavailableError(f"This gcloud does not know the command:\n{words}\n{advice}")
    if NOT_SIGNED_IN.search(outcome.errors):
        return UnavailableError(f"gcloud is not signed in:\n{words}\n{SIGN_IN}")
    crashed = "gcloud crashed" in outcome.errors or not outcome.errors.strip()
    if crashed or not 0 < outcome.status < 128:
        return UnavailableError(f"gcloud crashed (exit status {outcome.status}):\n{words}")
    causes = CAUSES.format(project=project, verb="get" if verb == "describe" else "update")
    return CommandError(f"The service refused:\n{words}\n{causes}", ExitStatus.WRONG)
