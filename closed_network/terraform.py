"""Find Terraform and the providers that this machine already has: a closed network reaches none."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

PROGRAMS = ("terraform", "tofu")
# Where a user's own configuration says how providers are installed.
# https://developer.hashicorp.com/terraform/cli/config/config-file
OWN_CONFIGURATIONS = ("~/.terraformrc", "~/.tofurc")


def find_terraform() -> str | None:
    """Return the path of the variable TERRAFORM's program, else Terraform's, else OpenTofu's."""
    wanted = os.environ.get("TERRAFORM")
    found = map(shutil.which, (wanted,) if wanted else PROGRAMS)
    return next(filter(None, found), None)


def configuration(root: Path, folder: Path) -> Path:
    """Return a CLI configuration that finds providers on this machine alone.

    The user's own if it says where; else one in `folder` that names what earlier commands have
    installed in `root` and the user's plugin cache, all of which are laid out like a mirror.
    """
    own = os.environ.get("TF_CLI_CONFIG_FILE")
    for path in [Path(own)] if own else [Path(each).expanduser() for each in OWN_CONFIGURATIONS]:
        if path.is_file() and "provider_installation" in path.read_text("utf-8", "replace"):
            return path.resolve()
    mirrors = [*root.glob("terraform/*/.terraform/providers")]
    if cache := os.environ.get("TF_PLUGIN_CACHE_DIR"):
        mirrors.append(Path(cache))
    found = [str(each.resolve()) for each in mirrors if each.is_dir()]
    blocks = [f'  filesystem_mirror {{ path = "{each}" }}\n' for each in found or [str(folder)]]
    written = folder / "terraform.tfrc"
    text = f"provider_installation {{\n{''.join(blocks)}}}\n"
    written.write_text(text, encoding="utf-8")
    return written


def first_error(printed: str) -> str:
    """Return the first error in what Terraform or OpenTofu printed, on one line; else all of it."""
    line = " ".join(re.sub(r"[╷│╵]|\x1b\[[0-9;]*m", " ", printed).split())
    found = re.search(r"Error: (.+?)(?= Error: | To see which modules|$)", line)
    return found[1] if found else line
