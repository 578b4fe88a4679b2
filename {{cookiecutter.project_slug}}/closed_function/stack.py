"""Run Terraform or OpenTofu in one of the two folders below terraform/."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from closed_function.declarations import Declaration
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import replace_text
from closed_function.paths import (
    DEFAULT_ENVIRONMENT,
    HAND_OVER,
    ROOT,
    SETTINGS,
    STACKS,
    TERRAFORM,
    environment_settings,
    environments,
    hand_over_file,
)
from closed_function.processes import run_to_end
from closed_function.repository import PLACEHOLDER
from closed_function.settings import declarations, read_settings, setting
from closed_function.tfvars import convert_tfvars

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
        self, *arguments: str, capture: Sequence[str] = ()
    ) -> tuple[subprocess.CompletedProcess[str], bool]:
        """Run the program in this stack's folder; say how it ended and whether Ctrl-C came.

        Each command carries its workspace itself: what `workspace select` notes is shared by all
        commands of this folder.
        """
        environment = {name: value for name, value in os.environ.items() if name != "TF_DATA_DIR"}
        # `init` refuses a workspace that does not exist yet; the other commands make it.
        workspace = self.environment if arguments[0] != "init" else None
        environment["TF_WORKSPACE"] = workspace or DEFAULT_ENVIRONMENT
        return run_to_end([self.program, *arguments], self.folder, environment, capture=capture)

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
        if self.environment:
            convert_tfvars(self.program, self.name, self.environment)
        settings = self.settings()
        declared = declarations(self.name)
        missing = [
            name
            for name, known in (declared.fields or {}).items()
            if known.required and name != "platform" and settings.get(name) is None
        ]
        if missing:
            file = (self.folder / SETTINGS).relative_to(ROOT)
            raise CommandError(f"{file}: {missing[0]} has no value; variables.tf explains it.")
        if settings["project_id"] != PLACEHOLDER:
            self.refuse_names_of_others(settings, declared)
        elif changes:
            raise CommandError(
                f"project_id is still {PLACEHOLDER}, which is nobody's project: generate the "
                "repository again with your own, which stands in more than one file."
            )
        with alone(self.folder):
            self.call("init", "-input=false")
        return self.variables(settings)

    def settings(self) -> dict[str, object]:
        """Return the settings as this environment has them."""
        return read_settings(self.name, self.environment)

    def refuse_names_of_others(self, settings: dict[str, object], declared: Declaration) -> None:
        """Refuse what another environment is named by: each would take away what the other made.

        The default environment counts once it has made something: a repository may use none but
        named ones.
        """
        own = names_in(settings, declared, self.name)
        named = environments(self.name)
        for other in [None, *named] if named else []:
            if (
                other == self.environment
                or names_in(read_settings(self.name, other), declared, self.name) != own
                or (other is None and not Stack(self.name, None).has_resources())
            ):
                continue
            names = ", ".join(f"{path} {own[path]}" for path in NAMED_BY[self.name])
            environment = self.environment or str(other)
            example: dict[str, object] = {"project_id": f"{own['project_id']}-{environment}"}
            if self.name == "function":
                example = {"function": {"name": f"{own['function.name']}-{environment}"}}
            raise CommandError(
                f"{self.environment or 'The default environment'} and "
                f"{other or 'the default environment'} would make the same things ({names}): set "
                f"another in {environment_settings(self.name, environment).relative_to(ROOT)}, "
                f"such as {json.dumps(example)}."
            )

    def has_resources(self) -> bool:
        """Return whether anything that was made is in the state."""
        state = json.loads(self.state() or "{}")
        return any(each["mode"] == "managed" for each in state.get("resources", []))

    def variables(self, settings: dict[str, object]) -> list[str]:
        """Return the options that name the environment's files, the hand-over first.

        Terraform replaces the whole value of a variable that two files name, so it gets the merged
        settings: they are written where it keeps what it has installed, which Git ignores.
        """
        if self.environment is None:
            return []
        handed = hand_over_file(self.environment)
        merged = self.folder / ".terraform" / f"{self.environment}.tfvars.json"
        replace_text(merged, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
        files = [handed] if self.name == "function" and handed.is_file() else []
        return [f"-var-file={file.relative_to(self.folder)}" for file in [*files, merged]]

    def output(self, name: str) -> object:
        """Return the value of an output; None also when Terraform keeps none because it is null."""
        return (
            json.loads(self.call("output", "-json", capture=["stdout"]).stdout)
            .get(name, {})
            .get("value")
        )


def names_in(settings: dict[str, object], declared: Declaration, stack: str) -> dict[str, object]:
    """Return the values that NAMED_BY speaks of, by path."""
    return {path: setting(settings, declared, path) for path in NAMED_BY[stack]}


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
