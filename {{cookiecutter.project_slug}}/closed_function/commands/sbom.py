"""Write the lock's bill of materials, sbom.cdx.json (CycloneDX): the same bytes each time."""

import argparse
import os
import sys

from closed_function.errors import ExitStatus, UnavailableError
from closed_function.files import write_text
from closed_function.paths import PYPROJECT, REQUIREMENTS, ROOT
from closed_function.processes import run_bounded
from closed_function.redaction import one_line

BILL = ROOT / "sbom.cdx.json"
TIMEOUT = 300


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Take none."""


def run(_: argparse.Namespace) -> int:
    # The program warns that a lock does not record which package needs which.
    command = [sys.executable, "-W", "ignore::UserWarning", "-m", "cyclonedx_py", "requirements"]
    command += ["--output-reproducible", "--spec-version", "1.6", "--pyproject", str(PYPROJECT)]
    outcome = run_bounded([*command, str(REQUIREMENTS)], os.environ, TIMEOUT)
    if outcome.status != 0:
        words = one_line(outcome.errors) or "it printed nothing"
        if outcome.status is None:
            words = f"no answer within {TIMEOUT} s"
        raise UnavailableError(f"{BILL.name} was not written: cyclonedx-py failed ({words}).")
    write_text(BILL, outcome.output)
    return ExitStatus.DONE
