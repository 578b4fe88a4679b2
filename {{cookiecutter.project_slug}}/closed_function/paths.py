"""Name the files of this repository."""

import json
import re
from pathlib import Path

from closed_function.errors import CommandError

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PYPROJECT = ROOT / "pyproject.toml"
MAKEFILE = ROOT / "Makefile"
# Where cruft keeps the template's address, its commit, and the answers.
CRUFT_STATE = ROOT / ".cruft.json"
SOURCE = ROOT / "function"
MAIN = SOURCE / "main.py"
REQUIREMENTS = SOURCE / "requirements.txt"
REQUIREMENTS_IN = SOURCE / "requirements.in"
EVENTS = ROOT / "events"
# Each has a requirements.in and its lock, requirements.txt.
LOCK_FOLDERS = ("function", "tests", "tools")
TERRAFORM = ROOT / "terraform"
STACKS = ("platform", "function")
FUNCTION_STACK = TERRAFORM / "function"
SETTINGS = "settings.auto.tfvars.json"
FUNCTION_SETTINGS = FUNCTION_STACK / SETTINGS
PLATFORM_SETTINGS = TERRAFORM / "platform" / SETTINGS
HAND_OVER = FUNCTION_STACK / "platform.auto.tfvars.json"
ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,29}")
DEFAULT_ENVIRONMENT = "default"  # the workspace of the environment that has no name


def relative(path: Path) -> Path:
    """Return `path` as seen from the repository's root."""
    return path.relative_to(ROOT)


def hand_over_file(environment: str | None) -> Path:
    """Return where the platform's output is written for the function's stack."""
    if environment is None:
        return HAND_OVER
    return FUNCTION_STACK / "environments" / f"{environment}.platform.tfvars.json"


def own_settings(stack: str, environment: str) -> Path:
    """Return where an environment says what differs in it."""
    return TERRAFORM / stack / "environments" / f"{environment}.tfvars.json"


def platform_settings_files(environment: str | None) -> list[Path]:
    """Return the files with the settings of the platform that is used, if it is of this repository.

    An environment with a hand-over file alone uses somebody else's.
    """
    files = [PLATFORM_SETTINGS] if PLATFORM_SETTINGS.is_file() else []
    if environment and (own := own_settings("platform", environment)).is_file():
        return [*files, own]
    return files if environment is None or not hand_over_file(environment).is_file() else []


def environment_settings(stack: str, environment: str) -> Path:
    """Return the file that says what differs in an environment. CommandError without one."""
    settings = own_settings(stack, environment)
    if settings.is_file():
        return settings
    if settings.with_suffix("").is_file():  # as it was named before
        raise CommandError(
            f"{relative(settings.with_suffix(''))} must become {settings.name}, which says only "
            f"what differs from the settings: `make plan ENV={environment}"
            f"{' STACK=platform' if stack == 'platform' else ''}` converts it."
        )
    example = json.dumps({"project_id": "my-project"})
    raise CommandError(
        f"{relative(settings)} does not exist: it says what differs in {environment}, such as "
        f"{example}."
    )


def environments(stack: str) -> list[str]:
    """Return the names of the environments that have settings of their own."""
    files = (TERRAFORM / stack / "environments").glob("*.tfvars.json")
    names = {file.name.removesuffix(".tfvars.json") for file in files}
    return sorted(n for n in names if ENVIRONMENT.fullmatch(n) and n != DEFAULT_ENVIRONMENT)
