"""Plan, apply and destroy the Terraform stacks of this repository, platform and function.

After the platform is applied, its output is handed over to the function's stack as a tfvars file.
With --env NAME a stack keeps its state in a workspace of that name and reads its own
environments/NAME.tfvars. Terraform or OpenTofu does the work and asks before it changes anything;
what it would take without a word is refused here: a misspelt setting, the placeholder project, the
names of another environment.

Exit status: 0 done; 2 what was asked for does not fit this repository; 3 neither program is
installed; 130 interrupted, and nothing was changed; else the program's own.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from closed_function.command_line import INTERRUPTED, Parser, only_1, run_to_end

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = ROOT / "terraform"
STACKS = ("platform", "function")
SETTINGS = "settings.auto.tfvars.json"
PLACEHOLDER = "my-project-id"
DEFAULT = "default"  # the workspace of the environment that has no name
# What makes the names of all that a stack makes: two environments must differ in one of them.
NAMED_BY = {
    "platform": ("project_id", "region", "pool.name"),
    "function": ("project_id", "function.name"),
}
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

    def run(
        self, *arguments: str, typed: str | None = None, capture: Sequence[str] = ()
    ) -> tuple[subprocess.CompletedProcess[str], bool]:
        """Run the program in this stack's folder; say how it ended and whether Ctrl-C came.

        Each command carries its workspace itself: what `workspace select` notes is shared by all
        commands of this folder.
        """
        environment = {name: value for name, value in os.environ.items() if name != "TF_DATA_DIR"}
        # `init` refuses a workspace that does not exist yet; the other commands make it.
        workspace = self.environment if arguments[0] != "init" else None
        environment["TF_WORKSPACE"] = workspace or DEFAULT
        return run_to_end(
            [self.program, *arguments], self.folder, environment, typed=typed, capture=capture
        )

    def call(
        self, *arguments: str, capture: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the program; its failure is ours, and Ctrl-C ends us when it has ended."""
        done, interrupted = self.run(*arguments, capture=capture)
        if interrupted:
            raise KeyboardInterrupt
        self.require_success(done)
        return done

    def require_success(
        self, done: subprocess.CompletedProcess[str], *, interrupted: bool = False
    ) -> None:
        """Raise KeyboardInterrupt or StackError for what failed, `interrupted` or by itself."""
        if done.returncode != 0 and interrupted:
            raise KeyboardInterrupt
        if done.returncode != 0:
            raise StackError(f"{done.args[1]} of terraform/{self.name} failed.", done.returncode)

    def change(self, *arguments: str) -> None:
        """Run `apply` or `destroy`, in which Ctrl-C is Terraform's to handle: it saves the state.

        KeyboardInterrupt when that came before anything was changed.
        """
        before = self.state()
        done, interrupted = self.run(*arguments)
        unchanged = False
        if interrupted and done.returncode != 0:
            with contextlib.suppress(StackError, KeyboardInterrupt):
                unchanged = self.state() == before
        self.require_success(done, interrupted=unchanged)

    def state(self) -> str:
        """Return the state as Terraform keeps it, empty when there is none."""
        return self.call("state", "pull", capture=["stdout"]).stdout

    def prepare(self, *, changes: bool = True) -> list[str]:
        """Make ready for a command and return the options that name the environment's files.

        A misspelt setting and another environment's names are refused and, for a command that
        `changes` anything, the placeholder.
        """
        options = self.variables()
        with alone(self.folder):
            self.call("init", "-input=false")
        given = self.settings()
        values = self.values(options, {*given, *self.naming()})
        for path, known in misspelt(given, values):
            near = difflib.get_close_matches(path.rpartition(".")[2], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known))}."
            raise StackError(f"terraform/{self.name}/{SETTINGS}: there is no {path}; {hint}")
        if values["project_id"] != PLACEHOLDER:
            self.refuse_names_of_others(values)
        elif changes:
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

    def values(self, options: Sequence[str], names: set[str]) -> dict[str, Any]:
        """Return the values of variables as the stack has them: with all attributes and no others.

        What a validation refuses is among them: Terraform itself says so with the next plan.
        """
        listed = sorted(names)
        pairs = ", ".join(f"{name} = try(nonsensitive(var.{name}), var.{name})" for name in listed)
        typed = "jsonencode({" + pairs + "})\n"
        asked, interrupted = self.run(
            "console", *options, typed=typed, capture=["stdout", "stderr"]
        )
        if interrupted:
            raise KeyboardInterrupt
        try:
            # After warnings.
            values: dict[str, Any] = json.loads(json.loads(asked.stdout.strip().split("\n")[-1]))
        except (ValueError, TypeError):
            print(asked.stderr, file=sys.stderr)
            why = f"one of {', '.join(listed)} has no value"
            if "Error: " in asked.stderr:
                why = "the reason stands above"
            raise StackError(
                f"The settings of terraform/{self.name} cannot be read: {why}.",
                asked.returncode or 2,
            ) from None
        return values

    def naming(self) -> set[str]:
        """Return the variables that NAMED_BY speaks of."""
        return {path.partition(".")[0] for path in NAMED_BY[self.name]}

    def refuse_names_of_others(self, values: dict[str, Any]) -> None:
        """Refuse what another environment is named by: each would take away what the other made.

        The default environment counts once it has made something: a repository may use none but
        named ones.
        """
        own = names_in(values, self.name)
        files = (self.folder / "environments").glob("*.tfvars")
        named = sorted(
            file.stem for file in files if ENVIRONMENT.fullmatch(file.stem) and file.stem != DEFAULT
        )
        for other in [None, *named] if named else []:
            stack = Stack(self.name, other)
            if (
                other == self.environment
                or names_in(self.values(stack.variables(), self.naming()), self.name) != own
                or (other is None and not stack.has_resources())
            ):
                continue
            told = ", ".join(f"{path} {own[path]}" for path in NAMED_BY[self.name])
            environment = self.environment or str(other)
            example = f'project_id = "{own["project_id"]}-{environment}"'
            if self.name == "function":
                name = f'name = "{own["function.name"]}-{environment}"'
                example = "function = { " + name + ", … }"
            raise StackError(
                f"{self.environment or 'The default environment'} and "
                f"{other or 'the default environment'} would make the same things ({told}): set "
                f"another in {environment_settings(self.name, environment).relative_to(ROOT)}, "
                f"such as {example}."
            )

    def has_resources(self) -> bool:
        """Return whether anything that was made is in the state."""
        state = json.loads(self.state() or "{}")
        return any(each["mode"] == "managed" for each in state.get("resources", []))

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
        return (
            json.loads(self.call("output", "-json", capture=["stdout"]).stdout)
            .get(name, {})
            .get("value")
        )


def names_in(values: dict[str, Any], stack: str) -> dict[str, object]:
    """Return the values that NAMED_BY speaks of, by path."""
    found: dict[str, object] = {}
    for path in NAMED_BY[stack]:
        name, _, attribute = path.partition(".")
        found[path] = (values[name] or {}).get(attribute) if attribute else values[name]
    return found


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let nobody else initialise `folder`: two at once can note a package that is half unpacked."""
    if sys.platform == "win32":  # where this is not prevented
        yield
        return
    import fcntl

    data = folder / ".terraform"
    data.mkdir(exist_ok=True)
    with (data / "init.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another command's init of terraform/{folder.name}.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def after_changes(command: str) -> Iterator[None]:
    """Say of an interrupt in the block that the changes were made."""
    try:
        yield
    except KeyboardInterrupt:
        raise StackError(
            f"Interrupted when the changes were made already: run `{command}` again.", INTERRUPTED
        ) from None


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
        stack.change("apply", *variables, *approval(options))
    except StackError as error:
        if stack.name == "platform":
            raise
        advice = "When a build failed: make explain BUILD=ID, the id being in its link above."
        raise StackError(f"{error} {advice}", error.status) from None
    if stack.name == "platform":
        with after_changes("make platform"):
            hand_over(stack.output("platform"), options.env)
            print(f"Upstream access: {stack.output('upstreams')}")


def accounts(options: argparse.Namespace) -> None:
    """Make the function's accounts and agents alone: a platform can let in only what exists."""
    stack = Stack("function", options.env)
    # The data source, too: an output is kept only when all that it depends on is a target.
    targets = ["-target=google_service_account.this", "-target=data.google_project.this"]
    targets.append("-target=google_project_service_identity.agents")
    targets.append("-target=data.google_storage_project_service_account.agent")
    variables = stack.prepare()
    if stack.values(variables, {"trigger"})["trigger"].get("topic"):
        # Cloud Monitoring's agent comes into being with the first channel.
        targets.append("-target=google_monitoring_notification_channel.alert")
    stack.change("apply", "-compact-warnings", *targets, *variables, *approval(options))
    with after_changes("make accounts"):
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
    stack.change("destroy", *variables, *approval(options))
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
            with alone(stack.folder):
                stack.call("init", "-backend=false", "-input=false")
            stack.call("validate")
            stack.call("test")


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
        try:
            with alone(stack.folder):
                backend.write_text(text, encoding="utf-8", newline="\n")
                done, interrupted = stack.run(
                    "init", "-force-copy" if options.yes else "-migrate-state"
                )
            stack.require_success(done, interrupted=interrupted)
        except (StackError, KeyboardInterrupt):
            # The state is still where it was, and so must be what says where.
            for file in (backend, remembered):
                file.unlink(missing_ok=True)
            for file, content in before.items():
                file.write_bytes(content)
            raise
        if interrupted and stack is not stacks[-1]:
            raise StackError(
                f"Interrupted when terraform/{stack.name} was done: run `make state` again.",
                INTERRUPTED,
            )
    print("Commit terraform/*/backend.tf.")


def environment_name(text: str) -> str | None:
    if not ENVIRONMENT.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to 30 of a-z, 0-9 and hyphens, such as prod; leave it out for the "
            "default environment"
        )
    return None if text == DEFAULT else text


def add_yes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--yes", nargs="?", const=True, default=False, type=only_1, help="1: do not ask (for CI)"
    )


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--env", type=environment_name, help="such as dev, stg or prod")
    add_yes(command)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description="Work with the Terraform stacks.")
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
    add_yes(command)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    try:
        options.function(options)
    except StackError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("Interrupted; nothing was changed in Google Cloud.", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
