"""The program gcloud: where it is, how it is run, and what it says when it cannot sign in."""

import os
import re
import shutil
from collections.abc import Sequence

from closed_function.errors import UnavailableError
from closed_function.processes import Outcome, run_bounded

NOT_SIGNED_IN = re.compile(
    r"gcloud auth (?:application-default )?login|active account|refreshing your current auth tokens"
    r"|[Rr]eauthentication|UNAUTHENTICATED"
)
# What to type.
SIGN_IN = "Run: gcloud auth login"
DIAGNOSE = "Check the network and the proxy: gcloud info --run-diagnostics"


def find_gcloud() -> str:
    """Return gcloud's path. UnavailableError without one."""
    path = shutil.which("gcloud")
    if path is None:
        raise UnavailableError("gcloud is not installed, or not on PATH as an executable file.")
    return path


def run_gcloud(arguments: Sequence[str], timeout: float) -> Outcome:
    """Run gcloud without prompts for at most `timeout` seconds. UnavailableError without one."""
    environment = {**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    try:
        return run_bounded([find_gcloud(), *arguments], environment, timeout)
    except OSError as error:
        raise UnavailableError(f"gcloud cannot be started: {error}") from None
