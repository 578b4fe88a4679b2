"""Find the providers of Terraform that this machine already has: a closed network reaches none."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

# Where a user's own configuration says how providers are installed.
# https://developer.hashicorp.com/terraform/cli/config/config-file
OWN_CONFIGURATIONS = ("~/.terraformrc", "~/.tofurc")
# A block with at most blocks or maps in it.
INSTALLATION = re.compile(r"^provider_installation\s*\{(?:[^{}]|\{[^{}]*\})*\}", re.MULTILINE)
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def configuration(root: Path, folder: Path) -> tuple[Path, list[Path]]:
    """Write a CLI configuration in `folder`; return it, and where the providers are that it names.

    It says how providers are installed, as the user's own does, and nothing else of that, such as
    credentials. Where that does not say it, it names what earlier commands have installed in `root`
    and the user's plugin cache, all of which are laid out like a mirror.
    """
    block = own_installation()
    if not block:
        mirrors = [*root.glob("terraform/*/.terraform/providers")]
        if cache := os.environ.get("TF_PLUGIN_CACHE_DIR"):
            mirrors.append(Path(cache))
        found = [str(each.resolve()) for each in mirrors if each.is_dir()]
        named = [f"  filesystem_mirror {{ path = {json.dumps(each)} }}\n" for each in found]
        nowhere = f"  filesystem_mirror {{ path = {json.dumps(str(folder))} }}\n"
        block = f"provider_installation {{\n{''.join(named) or nowhere}}}"
    written = folder / "terraform.tfrc"
    written.write_text(f"{block}\n", encoding="utf-8")
    quoted = [Path(json.loads(each)) for each in QUOTED.findall(block)]
    folders = [each for each in quoted if each.is_absolute() and each.is_dir()]
    # A plugin cache is linked to.
    linked = {each.resolve() for top in folders for each in top.rglob("*") if each.is_symlink()}
    return written, [*folders, *linked]


def own_installation() -> str:
    """Return the block provider_installation of the user's own configuration, if it has one."""
    own = os.environ.get("TF_CLI_CONFIG_FILE")
    for path in [Path(own)] if own else [Path(each).expanduser() for each in OWN_CONFIGURATIONS]:
        if path.is_file() and (found := INSTALLATION.search(path.read_text("utf-8", "replace"))):
            return found[0]
    return ""


def first_error(printed: str) -> str:
    """Return the first error in what Terraform or OpenTofu printed, on one line; else all of it."""
    line = " ".join(re.sub(r"[╷│╵]|\x1b\[[0-9;]*m", " ", printed).split())
    found = re.search(r"Error: (.+?)(?= Error: | To see which modules|$)", line)
    return found[1] if found else line
