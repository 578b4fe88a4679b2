"""Run gcloud, and recognise why it failed."""

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
SIGN_IN = "Run: gcloud auth login"
DIAGNOSE = "Check the network and the proxy: gcloud info --run-diagnostics"


def run_gcloud(arguments: Sequence[str], timeout: float, given: str | None = None) -> Outcome:
    """Run gcloud without prompts for at most `timeout` seconds. UnavailableError without one.

    `given` is its standard input.
    """
    path = shutil.which("gcloud")
    if path is None:
        raise UnavailableError("gcloud is not installed, or not on PATH as an executable file.")
    environment = {**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    try:
        return run_bounded([path, *arguments], environment, timeout, given)
    except OSError as error:
        raise UnavailableError(f"gcloud cannot be started: {error}") from None


def crashed(outcome: Outcome) -> bool:
    """Distinguish a crash from a refusal, which has a small status and a message."""
    ended_itself = outcome.status is not None and 0 <= outcome.status < 128
    return not ended_itself or not outcome.errors.strip() or "gcloud crashed" in outcome.errors
