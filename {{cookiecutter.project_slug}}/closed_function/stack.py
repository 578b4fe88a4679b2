"""Run Terraform or OpenTofu in one of the two folders below terraform/."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence

from closed_function import paths
from closed_function.declarations import Declaration
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import alone, write_text
from closed_function.paths import DEFAULT_ENVIRONMENT, relative
from closed_function.processes import run_to_end
from closed_function.repository import PLACEHOLDER
from closed_function.settings import read_declarations, read_settings, setting
from closed_function.tfvars import convert_tfvars

# The settings that name everything in a stack: two environments must differ in one of them.
NAMING_SETTINGS = {
    "platform": ("project_id", "region"),
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


class TerraformError(CommandError):
    """Say which command failed; `errors` is what a change has printed as its errors."""

    def __init__(self, text: str, status: int, errors: str) -> None:
        super().__init__(text, status)
        self.errors = errors


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
        self, *arguments: str, capture: Sequence[str] = (), copy_errors: bool = False
    ) -> tuple[subprocess.CompletedProcess[str], bool]:
        """Run the program in this folder; return how it ended and whether Ctrl-C was pressed.

        The workspace is given to each command: `workspace select` would change it for all.
        """
        environment = {name: value for name, value in os.environ.items() if name != "TF_DATA_DIR"}
        # `init` refuses a workspace that does not exist yet; the other commands create it.
        workspace = self.environment if arguments[0] != "init" else None
        environment["TF_WORKSPACE"] = workspace or DEFAULT_ENVIRONMENT
        command = [self.program, *arguments]
        return run_to_end(
            command, self.folder, environment, capture=capture, copy_errors=copy_errors
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
            failed = f"{done.args[1]} of terraform/{self.name} failed."
            raise TerraformError(failed, done.returncode, done.stderr or "")

    def change(self, *arguments: str) -> None:
        """Run `apply` or `destroy`, in which Terraform handles Ctrl-C and saves the state.

        Raises KeyboardInterrupt only if nothing was changed before.
        """
        before = self.state()
        done, interrupted = self.run(*arguments, copy_errors=True)
        unchanged = False
        if interrupted and done.returncode != 0:
            with contextlib.suppress(CommandError, KeyboardInterrupt):
                unchanged = self.state() == before
        self.require_success(done, interrupted=unchanged)

    def state(self) -> str:
        """Return the state as Terraform keeps it, or nothing."""
        return self.call("state", "pull", capture=["stdout"])

    def init(self, *options: str) -> None:
        with alone(self.folder):  # two at once can note a half unpacked package
            self.call("init", *options)

    def prepare(self, *, changes: bool = True) -> list[str]:
        """Initialise; return the options that name the environment's files.

        Misspelt settings and the names of another environment are refused and, before `changes`,
        the placeholder.
        """
        if self.environment:
            with alone(self.folder):
                convert_tfvars(self.program, self.name, self.environment)
        settings, declared = self.settings(), read_declarations(self.name)
        # The platform's values are handed over.
        required = {name for name, each in declared.variables() if each.required} - {"platform"}
        for name in sorted(required):
            if settings.get(name) is None:
                file = relative(self.folder / paths.SETTINGS)
                raise CommandError(f"{file}: {name} has no value; variables.tf explains it.")
        placeholder = settings["project_id"] == PLACEHOLDER
        if placeholder and changes:
            raise CommandError(
                f"project_id is still the placeholder {PLACEHOLDER}. Generate the repository again "
                "with your own project ID: several files contain it."
            )
        self.init("-input=false")
        if not placeholder:
            self.refuse_names_of_others(settings, declared)
        return self.options(settings)

    def settings(self) -> dict[str, object]:
        """Return the settings of this environment. CommandError for one that is not declared."""
        return read_settings(self.name, self.environment)

    def names_in(self, settings: dict[str, object], declared: Declaration) -> dict[str, object]:
        """Return the values of the naming settings, by path."""
        return {path: setting(settings, declared, path) for path in NAMING_SETTINGS[self.name]}

    def refuse_names_of_others(self, settings: dict[str, object], declared: Declaration) -> None:
        """Refuse the names of another environment: each would take away what the other created.

        The default environment counts only once it has resources: a repository may use only
        named ones.
        """
        own = self.names_in(settings, declared)
        named = paths.environments(self.name)
        for other in [None, *named] if named else []:
            if (
                other == self.environment
                or self.names_in(read_settings(self.name, other), declared) != own
                or (other is None and not Stack(self.name, None).has_resources())
            ):
                continue
            names = ", ".join(f"{path} {value}" for path, value in own.items())
            environment = self.environment or str(other)
            example: dict[str, object] = {"project_id": f"{own['project_id']}-{environment}"}
            if self.name == "function":
                example = {"function": {"name": f"{own['function.name']}-{environment}"}}
            raise CommandError(
                f"{self.environment or 'The default environment'} and "
                f"{other or 'the default environment'} would create the same things ({names}): set "
                f"another in {relative(paths.environment_settings(self.name, environment))}, "
                f"such as {json.dumps(example)}."
            )

    def has_resources(self) -> bool:
        """Return whether the state holds anything that Terraform created."""
        state = json.loads(self.state() or "{}")
        return any(each["mode"] == "managed" for each in state.get("resources", []))

    def options(self, settings: dict[str, object]) -> list[str]:
        """Return the options that name the environment's files, the hand-over first.

        Terraform takes the whole value of a variable from the last file that names it, so the
        merged settings are written to its data folder, which Git ignores.
        """
        if self.environment is None:
            return []
        hand_over = paths.hand_over_file(self.environment)
        merged = self.folder / ".terraform" / f"{self.environment}.tfvars.json"
        # Without these nulls Terraform would take what the environment removes from the settings.
        removed = dict.fromkeys(read_settings(self.name, None))
        merged.parent.mkdir(exist_ok=True)
        write_text(merged, json.dumps(removed | settings, indent=2) + "\n")
        files = [hand_over] if self.name == "function" and hand_over.is_file() else []
        return [f"-var-file={file.relative_to(self.folder)}" for file in [*files, merged]]

    def output(self, name: str) -> object:
        """Return the value of an output, or None: Terraform does not keep an output of null."""
        outputs = json.loads(self.call("output", "-json", capture=["stdout"]))
        return outputs.get(name, {}).get("value")


def own_stacks() -> list[str]:
    """Return the names of the stacks that are in this repository."""
    return [name for name in paths.STACKS if (paths.TERRAFORM / name / "versions.tf").is_file()]
