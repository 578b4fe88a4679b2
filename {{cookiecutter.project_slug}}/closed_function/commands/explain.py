"""Say why a build failed, from its log: of pip, Cloud Build, Terraform or gcloud.

The causes that print such a text are named. The status is 0 also for a log that ends well after
what it shows.
"""

import argparse
import io
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from closed_function.command_line import (
    add_environment,
    add_json,
    not_empty,
    print_json,
    report_progress,
)
from closed_function.errors import ExitStatus, UnavailableError
from closed_function.gcloud.program import run_gcloud
from closed_function.redaction import redact
from closed_function.repository import Facts, Repository
from closed_function.symptoms.catalogue import (
    Catalogue,
    Group,
    Symptom,
    cause_as_json,
    fill_in,
    load,
    print_cause,
)
from closed_function.symptoms.logs import Explained, explain

BUILD_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BUILD_LOG_TIMEOUT = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    log = parser.add_mutually_exclusive_group()
    log.add_argument(
        "file",
        nargs="?",
        type=not_empty,
        default="-",
        help="the log (- or nothing: standard input)",
    )
    log.add_argument("--build", type=build_id, metavar="ID", help="ask gcloud for this build's log")
    add_environment(parser)
    add_json(parser)


def build_id(text: str) -> str:
    if not BUILD_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a build's id, such as 01234567-89ab-cdef-0123-456789abcdef"
        )
    return text


def run(options: argparse.Namespace) -> int:
    """Explain a log; print what it shows."""
    facts = Repository(options.env).facts()
    catalogue = load()
    try:
        with open_log(options, facts) as log:
            explained = explain(log, catalogue)
    except OSError as error:
        raise UnavailableError(f"{options.file}: cannot be read ({error.strerror})") from None
    values = facts.placeholders()
    if options.json:
        print_json(explained_as_json(explained, catalogue, values))
    else:
        print_explained(explained, catalogue, values, asked_for=options.build)
    stopped = explained.explanations and not explained.succeeded
    return ExitStatus.WRONG if stopped else ExitStatus.DONE


def open_log(options: argparse.Namespace, facts: Facts) -> BinaryIO:
    if options.build:
        return build_log(options.build, facts)
    if options.file != "-":
        return Path(options.file).open("rb")
    if sys.stdin is None:
        raise UnavailableError("There is no standard input: name the log's file.")
    if sys.stdin.isatty():
        report_progress("Paste the log, then press Ctrl-D.")
    return sys.stdin.buffer


def build_log(build: str, facts: Facts) -> BinaryIO:
    """Return how a build ended and what it printed. UnavailableError when gcloud does not say.

    A build is in its function's project, also when the worker pool is in another.
    """
    where = [build, f"--project={facts.function_project}", f"--region={facts.location}"]
    commands = [["builds", "describe", *where], ["builds", "log", *where]]
    report_progress(f"Asking gcloud for the log of build {build}.")
    described, log = (run_gcloud(command, BUILD_LOG_TIMEOUT) for command in commands)
    if described.status != 0:
        words = redact(described.errors) or "(it printed nothing)"
        if described.status is None:
            words = f"(it gave no answer within {BUILD_LOG_TIMEOUT} s and was ended)"
        command = shlex.join(["gcloud", *commands[0]])
        raise UnavailableError(f"gcloud could not tell about the build:\n$ {command}\n{words}")
    # A log that cannot be had says why, which may be the cause; else gcloud's warnings are no part.
    text = f"{described.output}\n{log.output if log.status == 0 else log.errors}"
    return io.BytesIO(text.encode("utf-8", "replace"))


def print_explained(
    explained: Explained, catalogue: Catalogue, values: Mapping[str, str], *, asked_for: str | None
) -> None:
    if explained.explanations and explained.succeeded:
        print("The log ends well: what follows did not stop it.\n")
    for cause, (line, text) in explained.explanations:
        print(f"Line {line}: {redact(text)}")
        print(f"{cause.id}: {cause.what}")
        if isinstance(cause, Symptom):
            print_cause(cause, values)
        else:
            print(f"    To tell these causes apart: {fill_in(cause.tell_apart, values)}")
            for number, name in enumerate(cause.symptoms, start=1):
                print(f"\n {number}. {name}: {catalogue.symptoms[name].what}")
                print_cause(catalogue.symptoms[name], values)
        print()
    if not explained.explanations:
        print(no_cause(explained))
    if explained.build and not asked_for:
        print(f"It names a build, whose own log says more: make explain BUILD={explained.build}")


def no_cause(explained: Explained) -> str:
    """Return what to say of a log that shows nothing known."""
    if not explained.lines:
        return "The log is empty."
    if explained.succeeded or not explained.last_error:
        return "The log names no failure. When there is one all the same: make doctor"
    line, text = explained.last_error
    return (
        "The log shows no cause that is known here. Its last error:\n"
        f"Line {line}: {redact(text)}\n"
        "What can be looked at without a log: make doctor"
    )


def explained_as_json(
    explained: Explained, catalogue: Catalogue, values: Mapping[str, str]
) -> dict[str, object]:
    entries = []
    for cause, (line, text) in explained.explanations:
        entry = {"line": line, "text": redact(text), **cause_as_json(cause, values)}
        if isinstance(cause, Group):
            alike = [catalogue.symptoms[name] for name in cause.symptoms]
            entry["causes"] = [cause_as_json(each, values) for each in alike]
        entries.append(entry)
    return {"explained": entries, "build": explained.build, "succeeded": explained.succeeded}
