"""Show why a build failed, from its log: of pip, Cloud Build, Terraform or gcloud.

The causes that print such a text are named. The status is 0 also for a log that ends in success
after what it shows.
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
from closed_function.redaction import one_line, quote
from closed_function.repository import Repository
from closed_function.symptoms.catalogue import (
    Catalogue,
    Group,
    Symptom,
    cause_as_json,
    load,
    print_cause,
    substitute,
)
from closed_function.symptoms.logs import Explained, explain

BUILD_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BUILD_LOG_TIMEOUT = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    log = parser.add_mutually_exclusive_group()
    log.add_argument(
        "file", nargs="?", type=not_empty, default="-", help="the log (default: standard input)"
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
    repository = Repository(options.env)
    catalogue = load()
    try:
        with open_log(options, repository) as log:
            explained = explain(log, catalogue)
    except OSError as error:
        raise UnavailableError(f"{options.file}: cannot be read ({error.strerror})") from None
    values = repository.placeholders()
    if options.json:
        print_json(explained_as_json(explained, catalogue, values))
    else:
        print_explained(explained, catalogue, values)
        if explained.build and not options.build:
            print(f"It names a build. See its own log: make explain BUILD={explained.build}")
    failed = explained.explanations and not explained.succeeded
    return ExitStatus.WRONG if failed else ExitStatus.DONE


def open_log(options: argparse.Namespace, repository: Repository) -> BinaryIO:
    if options.build:
        return build_log(options.build, repository)
    if options.file != "-":
        return Path(options.file).open("rb")
    if sys.stdin is None:
        raise UnavailableError("There is no standard input: name the log's file.")
    if sys.stdin.isatty():
        report_progress("Paste the log, then press Ctrl-D.")
    return sys.stdin.buffer


def build_log(build: str, repository: Repository) -> BinaryIO:
    """Return how a build ended and what it printed. UnavailableError when gcloud fails.

    A build is in its function's project, also when the worker pool is in another.
    """
    where = [build, f"--project={repository.function_project}", f"--region={repository.location}"]
    describe = ["builds", "describe", *where]
    report_progress(f"Asking gcloud for the log of build {build}.")
    described = run_gcloud(describe, BUILD_LOG_TIMEOUT)
    log = run_gcloud(["builds", "log", *where], BUILD_LOG_TIMEOUT)
    if described.status != 0:
        words = quote(described.errors) or "(it printed nothing)"
        if described.status is None:
            words = f"(no answer within {BUILD_LOG_TIMEOUT} s; gcloud was ended)"
        command = shlex.join(["gcloud", *describe])
        raise UnavailableError(f"gcloud could not describe the build:\n$ {command}\n{words}")
    # Why there is no log may be the cause; the errors beside a log are only gcloud's warnings.
    text = f"{described.output}\n{log.output if log.status == 0 else log.errors}"
    return io.BytesIO(text.encode("utf-8", "replace"))


def print_explained(explained: Explained, catalogue: Catalogue, values: Mapping[str, str]) -> None:
    if explained.explanations and explained.succeeded:
        print("The log ends in success: what follows did not stop it.\n")
    for cause, (line, text) in explained.explanations:
        print(f"Line {line}: {one_line(text)}")
        print(f"{cause.id}: {cause.what}")
        if isinstance(cause, Symptom):
            print_cause(cause, values)
        else:
            print(f"    To tell these causes apart: {substitute(cause.tell_apart, values)}")
            for number, name in enumerate(cause.symptoms, start=1):
                print(f"\n {number}. {name}: {catalogue.symptoms[name].what}")
                print_cause(catalogue.symptoms[name], values)
        print()
    if explained.explanations:
        return
    if not explained.lines:
        print("The log is empty.")
    elif explained.succeeded or not explained.last_error:
        print("The log shows no failure. If there is one, check without a log: make doctor")
    else:
        line, text = explained.last_error
        print("The log shows no known cause. Its last error:")
        print(f"Line {line}: {one_line(text)}")
        print("To check without a log: make doctor")


def explained_as_json(
    explained: Explained, catalogue: Catalogue, values: Mapping[str, str]
) -> dict[str, object]:
    entries = []
    for cause, (line, text) in explained.explanations:
        entry = {"line": line, "text": one_line(text), **cause_as_json(cause, values)}
        if isinstance(cause, Group):
            causes = [catalogue.symptoms[name] for name in cause.symptoms]
            entry["causes"] = [cause_as_json(each, values) for each in causes]
        entries.append(entry)
    return {"explained": entries, "build": explained.build, "succeeded": explained.succeeded}
