"""Say what is wrong before a build, and why a build failed after it.

`check` looks at the files of this repository and then, with an access token of gcloud's, at the
project, the switch, the repositories, the accounts, the worker pool and the perimeter. `explain`
reads the log of pip, Cloud Build, Terraform or gcloud and names the causes that print such a text.
Nothing is changed. What each cause means, and its cure, stands in symptoms.json.

Exit status: 0 nothing is wrong, or the log shows nothing that is known or ends well after it; 1
something is wrong; 2 usage; 3 it could not be looked at; 130
interrupted.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import re
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from closed_function import repository_checks, symptoms
from closed_function.command_line import INTERRUPTED, Parser, not_empty
from closed_function.findings import (
    OK,
    PROBLEM,
    UNKNOWN,
    Result,
    escape_what_cannot_be_shown,
    progress,
)
from closed_function.repository_checks import Facts, Repository
from closed_function.stacks import StackError, environment_name
from closed_function.symptoms import Catalogue, Explained, Group, Symptom, filled
from closed_function.upstreams import end_on_signals, presentable, run_bounded

HEALTHY, FOUND, COULD_NOT_LOOK = 0, 1, 3
SIGN_IN_TIMEOUT, BUILD_LOG_TIMEOUT = 40, 120
BUILD_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class CouldNotLookError(Exception):
    """What was to be read cannot be; the text says why and what to do."""


# check


def check(options: argparse.Namespace) -> int:
    """Check the files, then the cloud; print what was found."""
    progress("Looking at this repository.")
    repository = Repository(options.env)
    results = list(repository_checks.check(repository, time.strftime("%Y-%m-%d")))
    if not options.local:
        results += check_cloud(repository.facts(), results)
    problems = [result for result in results if result.verdict == PROBLEM]
    unknown = [result for result in results if result.verdict == UNKNOWN and not result.optional]
    values = repository.facts().placeholders()
    known = symptoms.load().symptoms
    # Several problems can have one cause.
    causes = [known[symptom] for symptom in dict.fromkeys(each.symptom for each in problems)]
    if options.json:
        told = [as_dict(cause, values) for cause in causes]
        print_json({"results": [result._asdict() for result in results], "causes": told})
    else:
        print_results(results)
        for cause in causes:
            print(f"\n{cause.id}: {cause.what}")
            print_cause(cause, values)
        print_counts(results)
    return FOUND if problems else COULD_NOT_LOOK if unknown else HEALTHY


def check_cloud(facts: Facts, local: Iterable[Result]) -> list[Result]:
    """What the cloud's own answers say, or one result that tells why it was not asked."""
    claim = "the pieces in Google Cloud fit"
    if any(result.symptom == "placeholder-project" for result in local):
        return [Result(claim, UNKNOWN, "no project is named yet, so nothing was asked")]
    if not (facts.project and facts.location and facts.repository):
        return [Result(claim, UNKNOWN, "the index line names no repository, so nothing was asked")]

    from closed_function import cloud_checks, google_cloud

    progress("Asking gcloud for an access token.")
    try:
        session = google_cloud.sign_in(SIGN_IN_TIMEOUT)
    except google_cloud.SignInError as error:
        return [Result(claim, UNKNOWN, str(error))]
    progress(f"Asking Google Cloud about {facts.project} in {facts.location}.")
    return cloud_checks.check(facts, session)


def print_results(results: Iterable[Result]) -> None:
    """Print each check with its command; a reason that several share is given once, after them."""
    reason_of = {OK: "", PROBLEM: ""}
    for reason, alike in itertools.groupby(results, lambda r: reason_of.get(r.verdict, r.seen)):
        for result in alike:
            verdict, told = result.verdict, f"{result.check}: {result.seen}"
            if verdict == PROBLEM:
                verdict, told = verdict.upper(), f"{result.symptom}: {result.seen}"
            print(f"{verdict:<15} {result.check if reason else told}")
            if result.command:
                print(f"{'':<15} $ {result.command}")
        if reason:
            print(f"{'':<15} because {reason}")


def print_counts(results: Sequence[Result]) -> None:
    count = Counter(result.verdict for result in results)
    problems = f"{count[PROBLEM]} problem{'' if count[PROBLEM] == 1 else 's'}"
    print(f"\n{count[OK]} ok, {problems}, {count[UNKNOWN]} that could not be told.")


# explain


def explain(options: argparse.Namespace) -> int:
    """Explain a log; print what it shows."""
    facts = Repository(options.env).facts()
    catalogue = symptoms.load()
    try:
        with open_log(options, facts) as log:
            explained = symptoms.explain(log, catalogue)
    except OSError as error:
        raise CouldNotLookError(f"{options.file}: cannot be read ({error.strerror})") from None
    values = facts.placeholders()
    if options.json:
        print_json(explained_as_dict(explained, catalogue, values))
    else:
        print_explained(explained, catalogue, values, asked_for=options.build)
    return FOUND if explained.explanations and not explained.succeeded else HEALTHY


def open_log(options: argparse.Namespace, facts: Facts) -> BinaryIO:
    if options.build:
        return build_log(options.build, facts)
    if options.file != "-":
        return Path(options.file).open("rb")
    if sys.stdin is None:
        raise CouldNotLookError("There is no standard input: name the log's file.")
    if sys.stdin.isatty():
        progress("Paste the log, then press Ctrl-D.")
    return sys.stdin.buffer


def build_log(build: str, facts: Facts) -> BinaryIO:
    """How a build ended and what it printed, as gcloud tells. CouldNotLookError when it does not.

    A build is in its function's project, also when the worker pool is in another.
    """
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise CouldNotLookError("gcloud is not installed, or not on PATH as an executable file.")
    where = [build, f"--project={facts.function_project}", f"--region={facts.location}"]
    commands = [["builds", "describe", *where], ["builds", "log", *where]]
    progress(f"Asking gcloud for the log of build {build}.")
    environment = {**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    try:
        described, log = (
            run_bounded([gcloud, *command], environment, BUILD_LOG_TIMEOUT) for command in commands
        )
    except OSError as error:
        raise CouldNotLookError(f"gcloud cannot be started: {error.strerror}") from None
    if described.status != 0:
        words = presentable(described.errors) or "(it printed nothing)"
        if described.status is None:
            words = f"(it gave no answer within {BUILD_LOG_TIMEOUT} s and was ended)"
        command = shlex.join(["gcloud", *commands[0]])
        raise CouldNotLookError(f"gcloud could not tell about the build:\n$ {command}\n{words}")
    # A log that cannot be had says why, which may be the cause; else gcloud's warnings are no part.
    text = f"{described.output}\n{log.output if log.status == 0 else log.errors}"
    return io.BytesIO(text.encode("utf-8", "replace"))


def print_explained(
    explained: Explained, catalogue: Catalogue, values: Mapping[str, str], *, asked_for: str | None
) -> None:
    if explained.explanations and explained.succeeded:
        print("The log ends well: what follows did not stop it.\n")
    for cause, (line, text) in explained.explanations:
        print(f"Line {line}: {presentable(text)}")
        print(f"{cause.id}: {cause.what}")
        if isinstance(cause, Symptom):
            print_cause(cause, values)
        else:
            print(f"    To tell these causes apart: {filled(cause.tell_apart, values)}")
            for number, name in enumerate(cause.symptoms, start=1):
                print(f"\n {number}. {name}: {catalogue.symptoms[name].what}")
                print_cause(catalogue.symptoms[name], values)
        print()
    if not explained.explanations:
        print(no_cause(explained))
    if explained.build and not asked_for:
        print(f"It names a build, whose own log says more: make explain BUILD={explained.build}")


def no_cause(explained: Explained) -> str:
    """What to say of a log that shows nothing known."""
    if not explained.lines:
        return "The log is empty."
    if explained.succeeded or not explained.last_error:
        return "The log names no failure. When there is one all the same: make doctor"
    line, text = explained.last_error
    return (
        "The log shows no cause that is known here. Its last error:\n"
        f"Line {line}: {presentable(text)}\n"
        "What can be looked at without a log: make doctor"
    )


def explained_as_dict(
    explained: Explained, catalogue: Catalogue, values: Mapping[str, str]
) -> dict[str, object]:
    entries = []
    for cause, (line, text) in explained.explanations:
        entry = {"line": line, "text": presentable(text), **as_dict(cause, values)}
        if isinstance(cause, Group):
            alike = [catalogue.symptoms[name] for name in cause.symptoms]
            entry["causes"] = [as_dict(each, values) for each in alike]
        entries.append(entry)
    return {"explained": entries, "build": explained.build, "succeeded": explained.succeeded}


# Both


def as_dict(cause: Symptom | Group, values: Mapping[str, str]) -> dict[str, object]:
    """A cause for machines: what is told to people, with its commands filled in."""
    told = {"id", "what", "why", "confirm", "shows", "cure", "symptoms", "tell_apart"}
    told |= {"source", "confidence"}
    return {
        name: filled(value, values) if isinstance(value, str) else value
        for name, value in cause._asdict().items()
        if name in told
    }


def print_cause(symptom: Symptom, values: Mapping[str, str]) -> None:
    print(f"    Why:  {filled(symptom.why, values)}")
    if symptom.confirm:
        print(f"    Look: {filled(symptom.confirm, values)}")
        print(f"          {filled(symptom.shows, values)}")
    print(f"    Cure: {filled(symptom.cure, values)}")


def print_json(content: object) -> None:
    print(json.dumps(content, indent=2))


def build_id(text: str) -> str:
    if not BUILD_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a build's id, such as 01234567-89ab-cdef-0123-456789abcdef"
        )
    return text


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="doctor.py", description="Say what stops a build, before it or after it.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("check", help="look at what a build needs")
    command.set_defaults(function=check)
    command.add_argument("--local", action="store_true", help="look at this repository alone")
    also = commands.add_parser("explain", help="say why a build failed, from its log")
    also.set_defaults(function=explain)
    log = also.add_mutually_exclusive_group()
    log.add_argument(
        "file",
        nargs="?",
        type=not_empty,
        default="-",
        help="the log (- or nothing: standard input)",
    )
    log.add_argument("--build", type=build_id, metavar="ID", help="ask gcloud for this build's log")
    for each in (command, also):
        each.add_argument("--env", type=environment_name, help="such as dev, stg or prod")
        each.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    escape_what_cannot_be_shown()
    options = arguments(argv)
    end_on_signals()
    try:
        status = int(options.function(options))
        if sys.stdout:
            sys.stdout.flush()
    except StackError as error:
        print(error, file=sys.stderr)
        return error.status
    except CouldNotLookError as error:
        print(error, file=sys.stderr)
        return COULD_NOT_LOOK
    except OSError as error:  # of what is printed; a reader such as `head` has just seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            print(f"Nothing can be printed: {error.strerror}.", file=sys.stderr)
        return COULD_NOT_LOOK
    except KeyboardInterrupt:
        print("Interrupted; nothing was changed.", file=sys.stderr)
        return INTERRUPTED
    return status


if __name__ == "__main__":
    raise SystemExit(main())
