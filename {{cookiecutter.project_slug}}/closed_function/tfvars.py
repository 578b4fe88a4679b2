"""Convert the settings of an environment from HCL, in which they were kept before, to JSON."""

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from closed_function.errors import CommandError
from closed_function.files import as_mapping, read_text, write_text
from closed_function.paths import TERRAFORM, relative
from closed_function.settings import read_declarations, read_settings

# Unlike null, nobody has set a variable to this.
ABSENT = "not set"
VARIABLE = 'variable "NAME" { default = "' + ABSENT + '" }\n'
UNDECLARED = "does not declare a variable named"


def convert_tfvars(program: str, stack: str, environment: str) -> None:
    """Convert environments/NAME.tfvars of `stack`, if there is one, to NAME.tfvars.json.

    Merged with the settings, the result has the values that Terraform had: a name that the old file
    left out of a variable is null in the new one.
    """
    old = TERRAFORM / stack / "environments" / f"{environment}.tfvars"
    new = old.with_name(f"{old.name}.json")
    if not old.is_file():
        return
    kept = old.with_name(f"{old.name}.old")
    for other in (new, kept):
        if other.exists():
            raise CommandError(
                f"{relative(old)} and {other.name} are both there: remove one that is not needed."
            )
    values = evaluate(program, stack, old)
    settings = read_settings(stack, None)
    # A variable that the old file does not name keeps the value of the settings.
    settings = {name: value for name, value in settings.items() if name in values}
    patch = difference(settings, values)
    write_text(new, json.dumps(patch, indent=2, ensure_ascii=False) + "\n")
    old.replace(kept)
    print(
        f"Converted {relative(old)} to {new.name}, which is merged with the settings: null removes "
        f"what they name. {kept.name} keeps the old text until you delete it."
    )


def evaluate(program: str, stack: str, file: Path) -> dict[str, object]:
    """Return the values in `file`. Terraform itself reads it, as variables of any type."""
    text, why = read_text(file)
    if why:
        raise CommandError(f"{relative(file)} cannot be converted: {why}")
    names = [name for name, _ in read_declarations(stack).variables()]
    with tempfile.TemporaryDirectory() as scratch:
        variables = "".join(VARIABLE.replace("NAME", name) for name in names)
        Path(scratch, "variables.tf").write_text(variables, encoding="utf-8")
        Path(scratch, "terraform.tfvars").write_text(text, encoding="utf-8")
        listed = ", ".join(f"{name} = var.{name}" for name in names)
        done = subprocess.run(
            [program, "console"],
            cwd=scratch,
            env={name: value for name, value in os.environ.items() if name[:3] != "TF_"},
            input="base64encode(jsonencode({" + listed + "}))\n",
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    printed = done.stdout + done.stderr
    encoded = done.stdout.strip().rpartition("\n")[2].strip('"')
    if done.returncode != 0 or not encoded or UNDECLARED in printed:
        raise CommandError(f"{relative(file)} cannot be converted: {printed.strip()}")
    read: dict[str, object] = json.loads(base64.b64decode(encoded))
    return {name: value for name, value in read.items() if value != ABSENT}


def difference(settings: Mapping[str, object], value: Mapping[str, object]) -> dict[str, object]:
    """Return the JSON Merge Patch that turns `settings` into `value`."""
    patch: dict[str, object] = dict.fromkeys(settings.keys() - value.keys())
    for name, each in value.items():
        before = settings.get(name)
        if isinstance(each, dict):
            patch[name] = difference(as_mapping(before), each)
        elif each != before or name not in settings:
            patch[name] = each
    return patch
