"""Run Terraform or OpenTofu in one of the two folders below terraform/."""

import argparse
import contextlib
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from closed_function.errors import CommandError, ExitStatus
from closed_function.paths import (
    DEFAULT_ENVIRONMENT,
    ENVIRONMENT,
    HAND_OVER,
    ROOT,
    SETTINGS,
    STACKS,
    TERRAFORM,
    environment_settings,
    hand_over_file,
)
from closed_function.processes import run_to_end
from closed_function.repository import PLACEHOLDER

# What makes the names of all that a stack makes: two environments must differ in one of them.
NAMED_BY = {
    "platform": ("project_id", "region", "pool.name"),
    "function": ("project_id", "function.name"),
}


def find_program() -> str:
    """Return Terraform's path, else OpenTofu's; the variable TERRAFORM names another."""
    wanted = os.environ.get("TERRAFORM")
    for name in (wanted,) if wanted else ("terraform", "tofu"):
        path = shutil.which(name)
        if path:
            return path
    missing = wanted or "Terraform (1.11 or newer) or OpenTofu (1.10 or newer)"
    raise CommandError(f"{missing} is not installed.", ExitStatus.UNAVAILABLE)


class Stack:
    """One of the two folders below terraform/, for one environment."""

    def __init__(self, name: str, environment: str | None) -> None:
        self.name = name
        self.environment = environment
        self.folder = TERRAFORM / name
        self.program = find_program()
        if not (self.folder / "versions.tf").is_file():
            raise CommandError(
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
        environment["TF_WORKSPACE"] = workspace or DEFAULT_ENVIRONMENT
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
        """Raise KeyboardInterrupt or CommandError for what failed, `interrupted` or by itself."""
        if done.returncode != 0 and interrupted:
            raise KeyboardInterrupt
        if done.returncode != 0:
            raise CommandError(f"{done.args[1]} of terraform/{self.name} failed.", done.returncode)

    def change(self, *arguments: str) -> None:
        """Run `apply` or `destroy`, in which Ctrl-C is Terraform's to handle: it saves the state.

        KeyboardInterrupt when that came before anything was changed.
        """
        before = self.state()
        done, interrupted = self.run(*arguments)
        unchanged = False
        if interrupted and done.returncode != 0:
            with contextlib.suppress(CommandError, KeyboardInterrupt):
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
            raise CommandError(f"terraform/{self.name}/{SETTINGS}: there is no {path}; {hint}")
        if values["project_id"] != PLACEHOLDER:
            self.refuse_names_of_others(values)
        elif changes:
            raise CommandError(
                f"project_id is still {PLACEHOLDER}, which is nobody's project: generate the "
                "repository again with your own, which stands in more than one file."
            )
        return options

    def settings(self) -> dict[str, object]:
        """Return what the user's settings say, whose names are all of variables."""
        file = self.folder / SETTINGS
        try:
            given = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise CommandError(f"{file.relative_to(ROOT)} is not JSON: {error}") from None
        variables = (self.folder / "variables.tf").read_text(encoding="utf-8")
        declared = dict.fromkeys(re.findall(r'^variable "(\w+)"', variables, re.MULTILINE))
        for path, known in misspelt(given, declared):
            raise CommandError(
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
        with tempfile.TemporaryDirectory() as scratch:
            # Else it takes the lock of the default workspace's local state, whatever its own is.
            state = f"-state={scratch}/none.tfstate"
            asked, interrupted = self.run(
                "console", state, *options, typed=typed, capture=["stdout", "stderr"]
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
            raise CommandError(
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
            file.stem
            for file in files
            if ENVIRONMENT.fullmatch(file.stem) and file.stem != DEFAULT_ENVIRONMENT
        )
        for other in [None, *named] if named else []:
            stack = Stack(self.name, other)
            if (
                other == self.environment
                or names_in(self.values(stack.variables(), self.naming()), self.name) != own
                or (other is None and not stack.has_resources())
            ):
                continue
            names = ", ".join(f"{path} {own[path]}" for path in NAMED_BY[self.name])
            environment = self.environment or str(other)
            example = f'project_id = "{own["project_id"]}-{environment}"'
            if self.name == "function":
                name = f'name = "{own["function.name"]}-{environment}"'
                example = "function = { " + name + ", … }"
            raise CommandError(
                f"{self.environment or 'The default environment'} and "
                f"{other or 'the default environment'} would make the same things ({names}): set "
                f"another in {environment_settings(self.name, environment).relative_to(ROOT)}, "
                f"such as {example}."
            )

    def has_resources(self) -> bool:
        """Return whether anything that was made is in the state."""
        state = json.loads(self.state() or "{}")
        return any(each["mode"] == "managed" for each in state.get("resources", []))

    def variables(self) -> list[str]:
        """Return the options that name the environment's files, the hand-over first."""
        if self.environment is None:
            return []
        handed = hand_over_file(self.environment)
        settings = environment_settings(self.name, self.environment)
        files = [handed] if self.name == "function" and handed.is_file() else []
        return [f"-var-file={file.relative_to(self.folder)}" for file in [*files, settings]]

    def output(self, name: str) -> object:
        """Return the value of an output; None also when Terraform keeps none because it is null."""
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


def misspelt(given: object, known: object, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield the path of each name in `given` that `known` lacks, and the names that it has."""
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


def own_stacks() -> list[str]:
    """Return the names of the stacks that are in this repository."""
    return [name for name in STACKS if (TERRAFORM / name / "versions.tf").is_file()]


def approval_options(options: argparse.Namespace) -> list[str]:
    return ["-auto-approve"] if options.yes else []


@contextlib.contextmanager
def changes_made(command: str) -> Iterator[None]:
    """Say of an interrupt in the block that the changes were made."""
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError(
            f"Interrupted when the changes were made already: run `{command}` again.",
            ExitStatus.INTERRUPTED,
        ) from None
