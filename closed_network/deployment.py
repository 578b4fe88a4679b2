"""What a deployment of a repository uploads, and which variables it sets for the build."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from closed_function.files import as_mapping, as_string, read_text, text_at

from .organisation import Json, read_settings
from .report import NotProvenError
from .repository import Repository

DEFAULT_SOURCE = "../../function"  # of terraform/function/variables.tf
# The rule by which terraform/function/source.tf leaves files out.
RULE = re.compile(r'regexall\(("(?:[^"\\]|\\.)*"), file\)')
# Terraform does not know .gcloudignore, so without a rule all the rest is uploaded.
CACHES = shutil.ignore_patterns("__pycache__", ".git", ".venv")


def copy_upload(repository: Repository, settings: Json | None, copy: Path) -> str:
    """Copy what Terraform archives, with its one file mode; return how that is known.

    NotProvenError when the repository does not say what is uploaded: then everything is copied.
    """
    source, why, ignored = repository.source, "", CACHES
    try:
        rule = upload_rule(repository, settings)
        ignored = leaving_out(rule, source)
    except NotProvenError as error:
        why = str(error)
    shutil.copytree(source, copy, ignore=ignored, copy_function=shutil.copyfile)
    copied = sum(path.is_file() for path in copy.rglob("*"))
    if why:
        raise NotProvenError(f"{why}, so all of its {copied} files are built")
    return f"{copied} files, by the rule of terraform/function/source.tf"


def upload_rule(repository: Repository, settings: Json | None) -> re.Pattern[str]:
    """Return what the names of the files that are left out match."""
    folder = repository.root / "terraform" / "function"
    text, _ = read_text(folder / "source.tf")
    found = RULE.search(text)
    if not found:
        raise NotProvenError("terraform/function/source.tf does not say what is uploaded")
    uploaded = text_at(settings or {}, "function.source_dir") or DEFAULT_SOURCE
    if (folder / uploaded).resolve() != repository.source.resolve():
        raise NotProvenError(
            f"function.source_dir is {uploaded}, not the folder of the requirements"
        )
    try:
        return re.compile(json.loads(found[1]))  # HCL escapes as JSON does
    except (ValueError, re.error):
        raise NotProvenError(f"{found[1]} in terraform/function/source.tf cannot be read") from None


def leaving_out(rule: re.Pattern[str], source: Path) -> Callable[[str, Iterable[str]], set[str]]:
    """Return what tells shutil.copytree which files in a folder below `source` to leave out."""

    def ignored(folder: str, names: Iterable[str]) -> set[str]:
        paths = {name: Path(folder, name) for name in names}
        return {
            name
            for name, path in paths.items()
            if rule.search(path.relative_to(source).as_posix() + "/" * path.is_dir())
        }

    return ignored


def function_settings(repository: Repository, environment: str | None) -> Json | None:
    """Return the settings of the function's stack, None when there are none.

    ValueError when they cannot be read.
    """
    folder = repository.root / "terraform" / "function"
    if not (folder / "settings.auto.tfvars.json").exists():
        return None
    return read_settings(repository.root, "function", environment)


def build_environment(settings: Json | None) -> dict[str, str]:
    """Return the variables that the settings give the build. NotProvenError without settings."""
    if settings is None:
        raise NotProvenError("terraform/function has no settings that could set any")
    variables = as_mapping(as_mapping(settings.get("function")).get("build_environment"))
    return {name: as_string(value) for name, value in variables.items()}
