"""Run Terraform or OpenTofu in one of the two folders below terraform/."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from closed_function import paths
from closed_function.errors import CommandError, ExitStatus, suggestion
from closed_function.files import read_object
from closed_function.paths import DEFAULT_ENVIRONMENT, relative
from closed_function.processes import run_to_end
from closed_function.repository import PLACEHOLDER

# The settings that name everything in a stack: two environments must differ in one of them.
NAMING_SETTINGS = {
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
        self.folder = paths.TERRAFORM / name
        self.program = find_program()
        if name not in own_stacks():
            raise CommandError(
                f"terraform/{name} is not in this repository: it uses someone else's {name}. "
                f"Put what its owner hands over into {relative(paths.HAND_OVER)}."
            )

    def run(
        self, *arguments: str, typed: str | None = None, capture: Sequence[str] = ()
    ) -> tuple[subprocess.CompletedProcess[str], bool]:
        """Run the program in this folder; return how it ended and whether Ctrl-C was pressed.

        The workspace is given to each command: `workspace select` would change it for all.
        """
        environment = {name: value for name, value in os.environ.items() if name != "TF_DATA_DIR"}
        # `init` refuses a workspace that does not exist yet; the other commands create it.
        workspace = self.environment if arguments[0] != "init" else None
        environment["TF_WORKSPACE"] = workspace or DEFAULT_ENVIRONMENT
        return run_to_end(
            [self.program, *arguments], self.folder, environment, typed=typed, capture=capture
        )

    def call(self, *arguments: str, capture: Sequence[str] = ()) -> str:
        """Run the program and return its captured output; raise for a failure or Ctrl-C."""
        done, interrupted = self.run(*arguments, capture=capture)
        if interrupted:
            raise KeyboardInterrupt
        self.require_success(done)
        return done.stdout or ""

    def require_success(
        self, done: subprocess.CompletedProcess[str], *, interrupted: bool = False
    ) -> None:
        if done.returncode != 0 and interrupted:
            raise KeyboardInterrupt
        if done.returncode != 0:
            raise CommandError(f"{done.args[1]} of terraform/{self.name} failed.", done.returncode)

    def change(self, *arguments: str) -> None:
        """Run `apply` or `destroy`, in which Terraform handles Ctrl-C and saves the state.

        Raises KeyboardInterrupt only if nothing was changed before.
        """
        before = self.state()
        done, interrupted = self.run(*arguments)
        unchanged = False
        if interrupted and done.returncode != 0:
            with contextlib.suppress(CommandError, KeyboardInterrupt):
                unchanged = self.state() == before
        self.require_success(done, interrupted=unchanged)

    def state(self) -> str:
        """Return the state as Terraform keeps it, or nothing."""
        return self.call("state", "pull", capture=["stdout"])

    def init(self, *options: str) -> None:
        with init_lock(self.folder):
            self.call("init", *options)

    def prepare(self, *more: str, changes: bool = True) -> tuple[list[str], dict[str, Any]]:
        """Initialise; return the options with the environment's files, and values of variables.

        The values are those of `more` variables and of what is checked: misspelt settings and the
        names of another environment are refused and, before `changes`, the placeholder.
        """
        options = self.options()
        self.init("-input=false")
        settings = self.settings()
        values = self.values(options, {*more, *settings, *self.naming_variables()})
        refuse_unknown(f"terraform/{self.name}/{paths.SETTINGS}", settings, values)
        if values["project_id"] != PLACEHOLDER:
            self.refuse_names_of_others(values)
        elif changes:
            raise CommandError(
                f"project_id is still the placeholder {PLACEHOLDER}. Generate the repository again "
                "with your own project ID: several files contain it."
            )
        return options, values

    def settings(self) -> dict[str, object]:
        """Return the user's settings. CommandError for one that is not a variable."""
        file = self.folder / paths.SETTINGS
        settings, why = read_object(file)
        if why and file.exists():
            raise CommandError(f"{relative(file)} {why}")
        variables = (self.folder / "variables.tf").read_text(encoding="utf-8")
        declared = dict.fromkeys(re.findall(r'^variable "(\w+)"', variables, re.MULTILINE))
        refuse_unknown(str(relative(file)), settings, declared)
        return settings

    def values(self, options: Sequence[str], names: Iterable[str]) -> dict[str, Any]:
        """Return the values of variables, with all attributes that they declare and no others.

        Values that a validation refuses are included: Terraform reports them with the next plan.
        """
        listed = sorted(names)
        pairs = ", ".join(f"{name} = try(nonsensitive(var.{name}), var.{name})" for name in listed)
        typed = "jsonencode({" + pairs + "})\n"
        with tempfile.TemporaryDirectory() as scratch:
            # Without -state it locks the local state of the default workspace.
            state = f"-state={scratch}/none.tfstate"
            capture = ["stdout", "stderr"]
            asked, interrupted = self.run("console", state, *options, typed=typed, capture=capture)
        if interrupted:
            raise KeyboardInterrupt
        try:
            # Warnings are printed first.
            values: dict[str, Any] = json.loads(json.loads(asked.stdout.strip().split("\n")[-1]))
        except (ValueError, TypeError):
            print(asked.stderr, file=sys.stderr)
            why = f"one of {', '.join(listed)} has no value"
            if "Error: " in asked.stderr:
                why = "the reason is above"
            raise CommandError(
                f"The settings of terraform/{self.name} cannot be read: {why}.",
                asked.returncode or ExitStatus.USAGE,
            ) from None
        return values

    def naming_variables(self) -> set[str]:
        return {path.partition(".")[0] for path in NAMING_SETTINGS[self.name]}

    def names_in(self, values: dict[str, Any]) -> dict[str, object]:
        """Return the values of the naming settings, by path."""
        names: dict[str, object] = {}
        for path in NAMING_SETTINGS[self.name]:
            variable, _, attribute = path.partition(".")
            value = values[variable]
            names[path] = (value or {}).get(attribute) if attribute else value
        return names

    def refuse_names_of_others(self, values: dict[str, Any]) -> None:
        """Refuse the names of another environment: each would take away what the other created.

        The default environment counts only once it has resources: a repository may use only
        named ones.
        """
        own = self.names_in(values)
        files = (self.folder / "environments").glob("*.tfvars")
        environments = sorted({file.stem for file in files} - {DEFAULT_ENVIRONMENT})
        named = [each for each in environments if paths.ENVIRONMENT.fullmatch(each)]
        for other in [None, *named] if named else []:
            stack = Stack(self.name, other)
            if (
                other == self.environment
                or self.names_in(stack.values(stack.options(), self.naming_variables())) != own
                or (other is None and not stack.has_resources())
            ):
                continue
            names = ", ".join(f"{path} {value}" for path, value in own.items())
            environment = self.environment or str(other)
            example = f'project_id = "{own["project_id"]}-{environment}"'
            if self.name == "function":
                name = f'name = "{own["function.name"]}-{environment}"'
                example = "function = { " + name + ", … }"
            raise CommandError(
                f"{self.environment or 'The default environment'} and "
                f"{other or 'the default environment'} would create the same things ({names}): set "
                f"another in {relative(paths.environment_settings(self.name, environment))}, "
                f"such as {example}."
            )

    def has_resources(self) -> bool:
        """Return whether the state holds anything that Terraform created."""
        state = json.loads(self.state() or "{}")
        return any(each["mode"] == "managed" for each in state.get("resources", []))

    def options(self) -> list[str]:
        """Return the options that name the environment's files, the hand-over first."""
        if self.environment is None:
            return []
        hand_over = paths.hand_over_file(self.environment)
        files = [hand_over] if self.name == "function" and hand_over.is_file() else []
        files.append(paths.environment_settings(self.name, self.environment))
        return [f"-var-file={file.relative_to(self.folder)}" for file in files]

    def output(self, name: str) -> object:
        """Return the value of an output, or None: Terraform does not keep an output of null."""
        outputs = json.loads(self.call("output", "-json", capture=["stdout"]))
        return outputs.get(name, {}).get("value")


@contextlib.contextmanager
def init_lock(folder: Path) -> Iterator[None]:
    """Let only one command initialise `folder`: two at once can note a half unpacked package."""
    if sys.platform == "win32":  # has no fcntl
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


def refuse_unknown(file: str, settings: object, known: object) -> None:
    """Raise CommandError for a setting that is not among those that are `known`."""
    for path, names in unknown_names(settings, known):
        hint = suggestion(path.rpartition(".")[2], names) or f"it has {', '.join(sorted(names))}."
        raise CommandError(f"{file}: there is no {path}; {hint}")


def unknown_names(
    settings: object, known: object, path: str = ""
) -> Iterator[tuple[str, set[str]]]:
    """Yield the path of each name in `settings` that `known` lacks, and the names that it has."""
    if isinstance(settings, list) and isinstance(known, list):
        for item, known_item in zip(settings, known, strict=False):
            yield from unknown_names(item, known_item, path)
    if not isinstance(settings, dict) or not isinstance(known, dict):
        return
    for name, value in settings.items():
        if name not in known:
            yield f"{path}{name}", set(known)
        else:
            yield from unknown_names(value, known[name], f"{path}{name}.")


def own_stacks() -> list[str]:
    """Return the names of the stacks that are in this repository."""
    return [name for name in paths.STACKS if (paths.TERRAFORM / name / "versions.tf").is_file()]
