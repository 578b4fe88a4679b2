"""Allow, deny or describe the access of remote repositories to their upstreams in a perimeter.

Inside a VPC Service Controls perimeter an Artifact Registry remote repository may not ask its
upstream until `gcloud artifacts vpcsc-config allow` says so, once for each project and location. No
perimeter rule replaces this switch. Project and location are read from the index line of
function/requirements.txt, which is what the build uses.
"""

import argparse

from closed_function.errors import ExitStatus
from closed_function.gcloud.switch import throw_switch
from closed_function.index import read_index
from closed_function.paths import REQUIREMENTS

WHEN_INTERRUPTED = "Interrupted; gcloud was ended. See what the policy is: make status"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", help="project of the repository (default: the index line's)")
    parser.add_argument("--location", help="location of the repository (default: likewise)")
    parser.add_argument("--timeout", type=seconds, default=90, help="seconds for gcloud (90)")


def seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError("more than 0 and at most 3600 seconds, for example 90")
    return number


def run(options: argparse.Namespace) -> int:
    """Throw or read the switch, and print the policy that holds now."""
    project, location = options.project, options.location
    if not (project and location):
        index = read_index(REQUIREMENTS)
        project, location = project or index.project, location or index.location
    policy = throw_switch(options.command, project, location, options.timeout)
    print(f"Upstream access of {project} in {location}: {policy}")
    return ExitStatus.DONE
