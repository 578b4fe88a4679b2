"""Plan, apply or destroy a Terraform stack of this repository, platform or function.

After the platform is applied, its output is handed over to the function's stack as a tfvars file.
With --env NAME a stack keeps its state in a workspace of that name, and its settings are merged
with those in its environments/NAME.tfvars.json. Terraform or OpenTofu does the work and asks before
it changes anything; what it would take without a word is refused here: a misspelt setting, the
placeholder project, the names of another environment.
"""

import argparse
import json

from closed_function.command_line import add_environment, add_yes
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import replace_text
from closed_function.paths import REQUIREMENTS, ROOT, STACKS, hand_over_file
from closed_function.stack import Stack, approval_options, changes_made

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."

LEFT_BEHIND = {
    "platform": """\
Left behind, because Google or Terraform does not take it back:
- the access policy, if it was made here, for it may hold the perimeters of others by now;
- on a network that was there before, its connection to Google's services;
- the upstream policy stays ALLOW; `make deny` takes it back;
- the switch producer_restricted_vip, if it was on:
  gcloud services vpc-peerings disable-vpc-service-controls --project=PROJECT --network=NETWORK
- the APIs that were enabled, and the service agents with them.""",
    "function": """\
Left behind, because Google made it and not this stack:
- the bucket gcf-v2-sources-NUMBER-REGION and the images in the Docker repository;
- the APIs that were enabled, and the service agents with them.
A build account of its own is gone: take it out of the platform's `functions`, which can change
no rule while that names it. The platform stays; `make destroy STACK=platform` removes it.""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stack", choices=STACKS)
    add_environment(parser)
    add_yes(parser)


def run(options: argparse.Namespace) -> int:
    {"plan": plan, "apply": apply, "destroy": destroy}[options.command](options)
    return ExitStatus.DONE


def plan(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    stack.call("plan", *stack.prepare(changes=False))


def apply(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare()
    try:
        stack.change("apply", *variables, *approval_options(options))
    except CommandError as error:
        if stack.name == "platform":
            raise
        advice = "When a build failed: make explain BUILD=ID, the id being in its link above."
        raise CommandError(f"{error} {advice}", error.status) from None
    if stack.name == "platform":
        with changes_made("make platform"):
            hand_over(stack.output("platform"), options.env)
            print(f"Upstream access: {stack.output('upstreams')}")


def destroy(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare()
    if stack.name == "platform":
        print("Every function on this platform must be gone first: none can be built without it.")
    stack.change("destroy", *variables, *approval_options(options))
    print(LEFT_BEHIND[stack.name])


def hand_over(platform: object, environment: str | None) -> None:
    """Write the platform's output where the function's stack reads it, in one step."""
    file = hand_over_file(environment)
    file.parent.mkdir(exist_ok=True)
    text = json.dumps({"platform": platform}, indent=2, ensure_ascii=False) + "\n"
    replace_text(file, text)
    print(f"Handed over: {file.relative_to(ROOT)}")
    index = platform.get("python_index_url") if isinstance(platform, dict) else None
    text = REQUIREMENTS.read_text(encoding="utf-8") if REQUIREMENTS.is_file() else ""
    first_line = text.split("\n", 1)[0]
    if first_line != f"--index-url {index}":
        print(
            f"The platform's index is {index}, and requirements.txt names another: run `make lock`."
        )
