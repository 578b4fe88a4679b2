"""Allow, deny or show the access of remote repositories to their upstreams in a service perimeter.

Inside a VPC Service Controls perimeter an Artifact Registry remote repository may not ask its
upstream until `gcloud artifacts vpcsc-config allow` says so, once for each project and location. No
perimeter rule replaces this switch. Project and location are read from the index line of
function/requirements.txt, which is what the build uses.

Exit status: 0 done; 1 the service refused; 2 usage, or an index line that cannot be read; 3 gcloud
is missing, not signed in, hung or crashed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from closed_function.command_line import INTERRUPTED, Parser

REQUIREMENTS = Path(__file__).resolve().parent.parent / "function" / "requirements.txt"
EXAMPLE = "--index-url https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
ACTIONS = {"allow": "allow", "deny": "deny", "status": "describe"}

DONE, REFUSED, USAGE, NO_GCLOUD = 0, 1, 2, 3
GCLOUD_USAGE = 2
NOT_SIGNED_IN = re.compile(
    r"gcloud auth (?:application-default )?login|active account|refreshing your current auth tokens"
    r"|[Rr]eauthentication|UNAUTHENTICATED"
)
# What must never be shown, whatever gcloud prints: tokens by their form or name, keys, URL logins.
CREDENTIAL = re.compile(
    r"ya29[.%][\w.%-]+|eyJ[\w-]+\.[\w.-]+|1//[\w-]{10,}|GOCSPX-\S+|AIza[\w-]{30,}"
    r"|(?i:\b(?:bearer|basic)(?:\s|%20)+[\w.~+/=-]+)"
    r"|(?i:\b(?:access_token|refresh_token|id_token|client_secret|password)\b[\"'\s:=]+[^\s\"'&]+)"
    r"|(?<=://)\S*@"
    r"|(?s:-----BEGIN.*?(?:-----END[^\n]*|\Z))"
)
CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SHOWN_CHARACTERS = 2000

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


class RequirementsError(Exception):
    """The index line of a requirements file is missing or wrong; the text says how to mend it."""


class Index(NamedTuple):
    """Where an index URL of Artifact Registry points."""

    location: str
    project: str
    repository: str


class Outcome(NamedTuple):
    """How a command ended: its exit status (None: it never did) and what it printed."""

    status: int | None
    output: str
    errors: str


def read_index(requirements: Path) -> Index:
    """Return what the one index line of `requirements` names.

    Raises RequirementsError when the file is missing, has no such line or more than one, names
    another host, adds a second index, or carries credentials (which are not repeated).
    """
    if not requirements.is_file():
        raise RequirementsError(
            f"{requirements}: cannot be read (no such file); it begins with a line such as "
            f"{EXAMPLE}"
        )
    try:
        text = requirements.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequirementsError(
            f"{requirements}: cannot be read ({error}); it begins with a line such as {EXAMPLE}"
        ) from None
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines()]
    options = [re.sub(r"\s#.*", "", line) for line in lines if line.startswith("-")]
    if any(option.startswith("--extra") for option in options):
        raise RequirementsError(
            f"{requirements}: --extra-index-url makes pip ask a second index, which a closed "
            f"build cannot reach; keep one line such as {EXAMPLE}"
        )
    matches = [re.fullmatch(r"(?:--index-url|--pypi-url|-i)[\s=]*(.+)", o) for o in options]
    urls = [match[1].strip("\"'") for match in matches if match]
    if len(urls) != 1:
        raise RequirementsError(
            f"{requirements}: {len(urls) or 'no'} index lines; exactly one is needed, such as "
            f"{EXAMPLE}"
        )
    return parse_index(urls[0], str(requirements))


def parse_index(url: str, where: str) -> Index:
    """Return what `url` names; `where` says in an error which file it stands in."""
    if "@" in url:
        raise RequirementsError(
            f"{where}: the index carries credentials; pip gets them from the build, so write "
            f"{EXAMPLE}"
        )
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise RequirementsError(f"{where}: the index is not a URL; write {EXAMPLE}") from None
    location = re.fullmatch(r"([a-z]+(?:-[a-z]+[0-9]+)?)-python\.pkg\.dev", host)
    path = re.fullmatch(r"/([a-z][a-z0-9.:-]*)/([a-z][a-z0-9-]*)/simple/?", parts.path)
    if (
        not location
        or not path
        or parts.scheme != "https"
        or parts.query
        or re.search(r"[\s#]", url)
    ):
        raise RequirementsError(
            f"{where}: {parts.scheme}://{host}{parts.path} is not a Python repository of Artifact "
            f"Registry; write {EXAMPLE}"
        )
    return Index(location[1], path[1], path[2])


def run_bounded(command: Sequence[str], environment: Mapping[str, str], timeout: float) -> Outcome:
    """Run `command` for at most `timeout` seconds and leave nothing of it behind.

    gcloud is a shell script that starts Python, so it gets a process group of its own: ending the
    script alone would leave a grandchild that keeps the pipes and the terminal. OSError when the
    command cannot be started.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=dict(environment),
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return Outcome(None, "", "")
    finally:
        end_group(process)
    return Outcome(process.returncode, output, errors)


def end_group(process: subprocess.Popen[str]) -> None:
    """End the process group of `process`, whether or not its leader has ended."""
    if os.name == "nt":
        if process.poll() is None:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False
            )
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def presentable(text: str) -> str:
    """What may be shown of a command's output: no credential, and not more than a screen."""
    text = CONTROL_CHARACTER.sub("", CREDENTIAL.sub("[hidden]", text)).strip()
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + f"\n[... {len(text) - SHOWN_CHARACTERS} characters more]"
    return text


class Failure(Exception):  # noqa: N818 - not always an error of this program
    """The switch was not thrown, or could not be read: the exit status, and what to tell people."""

    def __init__(self, status: int, *words: str) -> None:
        super().__init__("\n".join(words))
        self.status = status


def gcloud_path() -> str:
    path = shutil.which("gcloud")
    if path is None:
        raise Failure(NO_GCLOUD, "gcloud is not installed, or not on PATH as an executable file.")
    return path


def policy_in(outcome: Outcome, action: str) -> str | None:
    """ALLOW or DENY as gcloud's successful `outcome` says it; None when it does not."""
    policy = re.search(r"^vpcscPolicy:\s*(ALLOW|DENY)\s*$", outcome.output, re.MULTILINE)
    if policy:
        return policy[1] if action in ("status", policy[1].lower()) else None
    # A switch that was never set is answered without a policy, and works as DENY.
    return "DENY" if action == "status" and "vpcscConfig" in outcome.output else None


def switch(action: str, project: str, location: str, timeout: float) -> str:
    """Run the one gcloud command of `action`; return the policy. Failure when there is none."""
    verb = ACTIONS[action]
    command = ["gcloud", "artifacts", "vpcsc-config", verb]
    command += [f"--project={project}", f"--location={location}"]
    print(f"$ {shlex.join(command)}", flush=True)
    try:
        environment = {**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
        outcome = run_bounded([gcloud_path(), *command[1:]], environment, timeout)
    except OSError as error:
        raise Failure(NO_GCLOUD, f"gcloud cannot be started: {error}") from None
    if outcome.status == DONE and (policy := policy_in(outcome, action)):
        return policy
    raise failure(outcome, action, project, timeout)


def failure(outcome: Outcome, action: str, project: str, timeout: float) -> Failure:
    """What an `outcome` without a policy means."""
    words = presentable(outcome.errors or outcome.output) or "(it printed nothing)"
    if outcome.status is None:
        return Failure(
            NO_GCLOUD,
            f"gcloud gave no answer within {timeout:g} s and was ended.",
            "Check the network and the proxy: gcloud info --run-diagnostics",
        )
    if outcome.status == DONE:
        return Failure(NO_GCLOUD, "gcloud did not confirm the policy; it printed:", words)
    if outcome.status == GCLOUD_USAGE:
        advice = "Update it: gcloud components update"
        return Failure(NO_GCLOUD, "This gcloud does not know the command:", words, advice)
    if NOT_SIGNED_IN.search(outcome.errors):
        return Failure(NO_GCLOUD, "gcloud is not signed in:", words, "Run: gcloud auth login")
    crashed = "gcloud crashed" in outcome.errors or not outcome.errors.strip()
    if crashed or not 0 < outcome.status < 128:
        return Failure(NO_GCLOUD, f"gcloud crashed (exit status {outcome.status}):", words)
    verb = "get" if action == "status" else "update"
    return Failure(
        REFUSED, "The service refused:", words, CAUSES.format(project=project, verb=verb)
    )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python3 -m closed_function",
        description="Allow, deny or show the access of remote repositories to their upstreams.",
    )
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--project", help="project of the repository (default: the index line's)")
    parser.add_argument("--location", help="location of the repository (default: likewise)")
    parser.add_argument("--timeout", type=float, default=90, help="seconds for gcloud (90)")
    parser.add_argument("--requirements", type=Path, default=REQUIREMENTS, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if not 0 < options.timeout <= 3600:
        parser.error("argument --timeout: more than 0 and at most 3600 seconds, for example 90")
    return options


def run(options: argparse.Namespace) -> int:
    project, location = options.project, options.location
    if not (project and location):
        try:
            index = read_index(options.requirements)
        except RequirementsError as error:
            print(error, file=sys.stderr)
            return USAGE
        project, location = project or index.project, location or index.location
    try:
        policy = switch(options.action, project, location, options.timeout)
    except Failure as error:
        print(error, file=sys.stderr)
        return error.status
    print(f"Upstream access of {project} in {location}: {policy}")
    return DONE


def end_on_signals() -> None:
    """Let a request to end this program interrupt it, so that it ends gcloud first."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)


def main(argv: Sequence[str] | None = None) -> int:
    end_on_signals()  # a gcloud that went on might throw the switch later
    try:
        return run(arguments(argv))
    except KeyboardInterrupt:
        print("Interrupted; gcloud was ended. See what the policy is: make status", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
