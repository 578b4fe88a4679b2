"""Convert the settings of an environment from HCL, in which they were kept before, to JSON."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

from closed_function.errors import CommandError
from closed_function.files import write_text
from closed_function.paths import TERRAFORM, relative

VARIABLE = 'variable "NAME" { default = null }\n'
NAME = re.compile(r"^\s*(\w+)\s*=", re.MULTILINE)


def convert_tfvars(program: str, stack: str, environment: str) -> None:
    """Convert environments/NAME.tfvars of `stack`, if there is one, to NAME.tfvars.json.

    Terraform itself reads it: it evaluates the values as variables of any type.
    """
    old = TERRAFORM / stack / "environments" / f"{environment}.tfvars"
    new = old.with_name(f"{old.name}.json")
    if not old.is_file():
        return
    if new.is_file():
        raise CommandError(
            f"{relative(old)} and {new.name} both name what differs in {environment}: remove the "
            "one that is not needed."
        )
    text = old.read_text(encoding="utf-8")
    names = sorted(set(NAME.findall(text)))  # those of attributes as well, which stay null
    with tempfile.TemporaryDirectory() as scratch:
        variables = "".join(VARIABLE.replace("NAME", name) for name in names)
        Path(scratch, "variables.tf").write_text(variables, encoding="utf-8")
        Path(scratch, "terraform.tfvars").write_text(text, encoding="utf-8")
        values = ", ".join(f"{name} = var.{name}" for name in names)
        done = subprocess.run(
            [program, "console"],
            cwd=scratch,
            input="jsonencode({" + values + "})\n",
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    try:
        read = json.loads(json.loads(done.stdout))
    except (ValueError, TypeError):
        raise CommandError(
            f"{relative(old)} cannot be converted to {new.name}:\n{done.stderr.strip()}"
        ) from None
    settings = {name: value for name, value in read.items() if value is not None}
    write_text(new, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
    old.rename(old.with_name(f"{old.name}.old"))
    print(
        f"Converted {relative(old)} to {new.name}, which is merged with the settings: it need only "
        f"say what differs. {old.name}.old keeps the old text until you delete it."
    )
