"""Plan, apply and destroy the Terraform stacks of this repository, platform and function.

After the platform is applied, its output is handed over to the function's stack as a tfvars file.
With --env NAME a stack keeps its state in a workspace of that name and reads its own
environments/NAME.tfvars. Terraform or OpenTofu does the work and asks before it changes anything;
what it would take without a word, a misspelt setting or the placeholder project, is refused here.

Exit status: 0 done; 2 what was asked for does not fit this repository; 3 neither program is
installed; else the program's own.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = ROOT / "terraform"
STACKS = ("platform", "function")
SETTINGS = "settings.auto.tfvars.json"
PLACEHOLDER = "my-project-id"
HAND_OVER = TERRAFORM / "function" / "platform.auto.tfvars.json"
REQUIREMENTS = ROOT / "function" / "requirements.txt"
ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,29}")
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")

NOT_FORMATTED = 3  # of `terraform fmt -check`

BACKEND = """\
terraform {
  backend "gcs" {
    bucket = "BUCKET"
    prefix = "PREFIX"
  }
}
"""

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


class StackError(Exception):
    """What was asked for cannot be done here; the text says why and what to do."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


def find_program() -> str:
    """Terraform, or OpenTofu where there is no Terraform; the variable TERRAFORM names another."""
    wanted = os.environ.get("TERRAFORM")
    for name in (wanted,) if wanted else ("terraform", "tofu"):
        path = shutil.which(name)
        if path:
            return path
    missing = wanted or "Terraform (1.11 or newer) or OpenTofu (1.10 or newer)"
    raise StackError(f"{missing} is not installed.", status=3)


def hand_over_file(environment: str | None) -> Path:
    """Where the platform's output is written for the function's stack."""
    if environment is None:
        return HAND_OVER
    return TERRAFORM / "function" / "environments" / f"{environment}.platform.tfvars.json"


def environment_settings(stack: str, environment: str) -> Path:
    """The file that says what differs in an environment. StackError when there is none."""
    settings = TERRAFORM / stack / "environments" / f"{environment}.tfvars"
    if not settings.is_file():
        raise StackError(
            f"{settings.relative_to(ROOT)} does not exist: it says what differs in "
            f'{environment}, such as project_id = "my-project".'
        )
    return settings


class Stack:
    """One of the two folders below terraform/, for one environment."""

    def __init__(self, name: str, environment: str | None) -> None:
        self.name = name
        self.environment = environment
        self.folder = TERRAFORM / name
        self.program = find_program()
        if not (self.folder / "versions.tf").is_file():
            raise StackError(
                f"terraform/{name} is not in this repository: it uses someone else's {name}. "
                f"Put what its owner hands over into {HAND_OVER.relative_to(ROOT)}."
            )

    def call(self, *arguments: str) -> None:
        """Run the program in this stack's folder; its failure is ours."""
        done = subprocess.run([self.program, *arguments], cwd=self.folder, check=False)
        if done.returncode != 0:
            raise StackError(f"{arguments[0]} of terraform/{self.name} failed.", done.returncode)

    def prepare(self, *, changes: bool = True) -> list[str]:
        """Make ready for a command and return the options that name the environment's files.

        A misspelt setting is refused and, for a command that `changes` anything, the placeholder.
        """
        options = self.variables()
        self.call("init", "-input=false")
        self.call("workspace", "select", "-or-create", self.environment or "default")
        given = self.settings()
        values = self.values(options, {*given, "project_id"})
        for path, known in misspelt(given, values) if values else ():
            near = difflib.get_close_matches(path.rpartition(".")[2], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known))}."
            raise StackError(f"terraform/{self.name}/{SETTINGS}: there is no {path}; {hint}")
        if changes and values.get("project_id") == PLACEHOLDER:
            raise StackError(
                f"project_id is still {PLACEHOLDER}, which is nobody's project: generate the "
                "repository again with your own, which stands in more than one file."
            )
        return options

    def settings(self) -> dict[str, object]:
        """What the user's settings say, whose names are all of variables."""
        file = self.folder / SETTINGS
        try:
            given = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise StackError(f"{file.relative_to(ROOT)} is not JSON: {error}") from None
        variables = (self.folder / "variables.tf").read_text(encoding="utf-8")
        declared = dict.fromkeys(re.findall(r'^variable "(\w+)"', variables, re.MULTILINE))
        for path, known in misspelt(given, declared):
            raise StackError(
                f"{file.relative_to(ROOT)}: there is no {path}; it has {', '.join(sorted(known))}."
            )
        return dict(given)

    def values(self, options: list[str], names: set[str]) -> dict[str, object]:
        """The values of variables as the stack has them: with all attributes and no others.

        Empty when there are none yet, for a reason that Terraform itself tells with the next plan.
        """
        pairs = ", ".join(f"{name} = var.{name}" for name in sorted(names))
        asked = subprocess.run(
            [self.program, "console", *options],
            cwd=self.folder,
            input="jsonencode({" + pairs + "})\n",
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        last = asked.stdout.rstrip().rpartition("\n")[2]
        try:
            values: dict[str, object] = json.loads(json.loads(last))
        except (ValueError, TypeError):
            return {}
        return values

    def variables(self) -> list[str]:
        """The options that name the environment's files, the hand-over first."""
        if self.environment is None:
            return []
        handed = hand_over_file(self.environment)
        settings = environment_settings(self.name, self.environment)
        files = [handed] if self.name == "function" and handed.is_file() else []
        return [f"-var-file={file.relative_to(self.folder)}" for file in [*files, settings]]

    def output(self, name: str) -> object:
        """The value of an output; None also when Terraform keeps none because it is null."""
        done = subprocess.run(
            [self.program, "output", "-json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        if done.returncode != 0:
            raise StackError(f"output of terraform/{self.name} failed.", done.returncode)
        return json.loads(done.stdout).get(name, {}).get("value")


def misspelt(given: object, known: object, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """The path of each name in `given` that `known` does not have, and the names that it has."""
    if isinstance(given, list) and isinstance(known, list):
        for item, its in zip(given, known, strict=False):
            yield from misspelt(item, its, path)
    if not isinstance(given, dict) or not isinstance(known, dict):
        return
    for name, value in given.items():
        if name not in known:
            yield f"{path}{name}", set(known)
        else:
            yield from misspelt(value, known[name], f"{path}{name}.")


def hand_over(platform: object, environment: str | None) -> None:
    """Write the platform's output where the function's stack reads it, in one step."""
    file = hand_over_file(environment)
    file.parent.mkdir(exist_ok=True)
    temporary = file.with_name(file.name + ".new")
    text = json.dumps({"platform": platform}, indent=2, ensure_ascii=False) + "\n"
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(file)
    print(f"Handed over: {file.relative_to(ROOT)}")
    index = platform.get("python_index_url") if isinstance(platform, dict) else None
    text = REQUIREMENTS.read_text(encoding="utf-8") if REQUIREMENTS.is_file() else ""
    first_line = text.split("\n", 1)[0]
    if first_line != f"--index-url {index}":
        lock = "make lock" if environment is None else f"make lock ENV={environment}"
        print(f"The platform's index is {index}, and requirements.txt names another: run `{lock}`.")


def plan(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    stack.call("plan", *stack.prepare(changes=False))


def apply(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare()
    try:
        stack.call("apply", *variables, *approval(options))
    except StackError as error:
        if stack.name == "platform":
            raise
        advice = "When a build failed: make explain BUILD=ID, the id being in its link above."
        raise StackError(f"{error} {advice}", error.status) from None
    if stack.name == "platform":
        hand_over(stack.output("platform"), options.env)
        print(f"Upstream access: {stack.output('upstreams')}")


def accounts(options: argparse.Namespace) -> None:
    """Make the function's accounts and agents alone: a platform can let in only what exists."""
    stack = Stack("function", options.env)
    # The data source, too: an output is kept only when all that it depends on is a target.
    targets = ["-target=google_service_account.this", "-target=data.google_project.this"]
    targets.append("-target=google_project_service_identity.agents")
    stack.call("apply", "-compact-warnings", *targets, *stack.prepare(), *approval(options))
    listed = stack.output("platform_must_list")
    if listed is None:
        print("The platform has nothing to list for this function. Go on with `make deploy`.")
    else:
        print("The platform's owner merges this into their terraform/platform/" + SETTINGS)
        print("and runs `make platform`; then go on with `make deploy`.")
        print(json.dumps({"functions": listed}, indent=2))


def destroy(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare()
    if stack.name == "platform":
        print("Every function on this platform must be gone first: none can be built without it.")
    stack.call("destroy", *variables, *approval(options))
    print(LEFT_BEHIND[stack.name])


def format_files(options: argparse.Namespace) -> None:
    """Bring the stacks' files into Terraform's own format; with --check only tell which are not.

    Without Terraform there is nothing to tell, which is a failure in CI alone.
    """
    try:
        program = find_program()
    except StackError as error:
        if os.environ.get("CI") == "true":
            raise
        print(f"{error} The format of terraform/ was not looked at.", file=sys.stderr)
        return
    check = ["-check", "-diff"] if options.check else []
    done = subprocess.run([program, "fmt", "-recursive", *check, str(TERRAFORM)], check=False)
    if done.returncode == NOT_FORMATTED:
        raise StackError("Not in Terraform's format; `make format` mends it.", 1)
    if done.returncode != 0:
        raise StackError("terraform fmt cannot read these files.", 1)


def validate(options: argparse.Namespace) -> None:
    """Check each stack of this repository without its state: format, validity, its own tests."""
    format_files(options)
    for name in STACKS:
        if (TERRAFORM / name / "versions.tf").is_file():
            stack = Stack(name, None)
            for command in (["init", "-backend=false", "-input=false"], ["validate"], ["test"]):
                stack.call(*command)


def approval(options: argparse.Namespace) -> list[str]:
    return ["-auto-approve"] if options.yes else []


def keep_state(options: argparse.Namespace) -> None:
    """Make each stack keep its state in a bucket, and take along what is kept here."""
    if not BUCKET.fullmatch(options.bucket):
        raise StackError(
            f"BUCKET is {options.bucket!r}, but it must be a bucket's name, such as my-tfstate."
        )
    stacks = [Stack(name, None) for name in STACKS if (TERRAFORM / name / "versions.tf").is_file()]
    for stack in stacks:
        backend = stack.folder / "backend.tf"
        # Terraform's own note of where the state is.
        remembered = stack.folder / ".terraform" / "terraform.tfstate"
        before = {file: file.read_bytes() for file in (backend, remembered) if file.is_file()}
        text = BACKEND.replace("BUCKET", options.bucket)
        # With the project, so that repositories of one name do not share a state.
        project = stack.settings().get("project_id", PLACEHOLDER)
        text = text.replace("PREFIX", f"{project}/{options.prefix}/{stack.name}")
        backend.write_text(text, encoding="utf-8", newline="\n")
        try:
            stack.call("init", "-force-copy" if options.yes else "-migrate-state")
        except StackError:
            # The state is still where it was, and so must be what says where.
            for file in (backend, remembered):
                file.unlink(missing_ok=True)
            for file, content in before.items():
                file.write_bytes(content)
            raise
    print("Commit terraform/*/backend.tf.")


def environment_name(text: str) -> str | None:
    if text and not ENVIRONMENT.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to 30 of a-z, 0-9 and hyphens, such as prod"
        )
    return None if text in {"", "default"} else text


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--env", type=environment_name, help="such as dev, stg or prod")
    command.add_argument("--yes", action="store_true", help="do not ask (for CI)")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Work with the Terraform stacks.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in (("plan", plan), ("apply", apply), ("destroy", destroy)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("stack", choices=STACKS)
        add_options(command)
    command = commands.add_parser("format", help="bring the files into Terraform's format")
    command.set_defaults(function=format_files)
    command.add_argument("--check", action="store_true", help="change nothing, tell which are not")
    command = commands.add_parser("validate", help="check format and validity, run the own tests")
    command.set_defaults(function=validate, check=True)
    command = commands.add_parser("accounts", help="make the function's accounts alone")
    command.set_defaults(function=accounts)
    add_options(command)
    command = commands.add_parser("state", help="keep the state in a bucket from now on")
    command.set_defaults(function=keep_state)
    command.add_argument("bucket")
    command.add_argument("prefix", help="folder in the bucket, such as the repository's name")
    command.add_argument("--yes", action="store_true", help="do not ask (for CI)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    # Ctrl-C is Terraform's to handle: it ends what is under way and saves the state. A handler, not
    # SIG_IGN, which Terraform would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        options.function(options)
    except StackError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
