"""Show why a build failed, from its log: of pip, Cloud Build, Terraform or gcloud.

The causes that print such a text are named. With a build's ID the story goes on where the log ends:
in the revision that did not start, and in the perimeter's record of what it refused. The status is
0 also for a log that ends in success after what it shows.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
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
from closed_function.gcloud.build_story import Part, tell_build
from closed_function.redaction import one_line
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
from closed_function.symptoms.logs import Explained, Unknown, explain

BUILD_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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
    values = repository.placeholders()
    try:
        story = [
            (name, explain(log, catalogue, values)) for name, log in read_logs(options, repository)
        ]
    except OSError as error:
        raise UnavailableError(f"{options.file}: cannot be read ({error.strerror})") from None
    if options.json:
        print_json(story_as_json(story, catalogue, values))
    else:
        print_story(story, catalogue, values)
        build = story[0][1].build
        if build and not options.build:
            print(f"It names a build. See its own log: make explain BUILD={build}")
    failed = any(each.explanations and not each.succeeded for _, each in story)
    return ExitStatus.WRONG if failed else ExitStatus.DONE


def read_logs(options: argparse.Namespace, repository: Repository) -> Iterator[Part]:
    """Yield the logs to explain, in the order of what happened."""
    if options.build:
        yield from tell_build(options.build, repository)
        return
    with open_log(options) as log:
        yield Part("", log)


def open_log(options: argparse.Namespace) -> BinaryIO:
    if options.file != "-":
        return Path(options.file).open("rb")
    if sys.stdin is None:
        raise UnavailableError("There is no standard input: name the log's file.")
    if sys.stdin.isatty():
        report_progress("Paste the log, then press Ctrl-D.")
    return sys.stdin.buffer


def print_story(
    story: list[tuple[str, Explained]], catalogue: Catalogue, values: Mapping[str, str]
) -> None:
    for name, explained in story:
        if len(story) > 1:
            print(f"== {name} ==\n")
        print_explained(explained, catalogue, values)


def print_explained(explained: Explained, catalogue: Catalogue, values: Mapping[str, str]) -> None:
    if explained.explanations and explained.succeeded:
        print("The log ends in success: what follows did not stop it.\n")
    for cause, (line, text), found in explained.explanations:
        known = {**values, **found}
        print(f"Line {line}: {one_line(text)}")
        print(f"{cause.id}: {substitute(cause.what, known)}")
        if isinstance(cause, Symptom):
            print_cause(cause, known)
        else:
            print(f"    To tell these causes apart: {substitute(cause.tell_apart, known)}")
            for number, name in enumerate(cause.symptoms, start=1):
                print(f"\n {number}. {name}: {substitute(catalogue.symptoms[name].what, known)}")
                print_cause(catalogue.symptoms[name], known)
        print()
    if not explained.explanations:
        print_unexplained(explained)


def print_unexplained(explained: Explained) -> None:
    """Say what is certain: that the log is empty, that it ends well, or its first real error."""
    if not explained.last_line:
        print("The log is empty.")
    elif explained.succeeded:
        print("The log shows no failure: it ends in success.")
    elif explained.unknown:
        print_unknown(explained.unknown)
    else:
        line, text = explained.last_line
        print("The log shows neither an error nor success: it may be cut off. Its last line:")
        print(f"Line {line}: {one_line(text)}")
        print("To check without a log: make doctor")


def print_unknown(unknown: Unknown) -> None:
    (line, text), report = unknown.sighting, unknown.report
    print("The log shows no known cause. Its first error:")
    print(f"Line {line}: {one_line(text)}")
    around = [each for each in unknown.context if each != unknown.sighting]
    if around:
        print("Around it:")
        for near, words in unknown.context:
            print(f"  {near}: {one_line(words)}")
    doing = f", in: {one_line(report.doing)}" if report.doing else ""
    print(f"It is said by {report.program}{doing}.")
    print("What helps most now:")
    for number, command in enumerate(report.next, start=1):
        print(f"  {number}. {command}")


def story_as_json(
    story: list[tuple[str, Explained]], catalogue: Catalogue, values: Mapping[str, str]
) -> dict[str, object]:
    entries = []
    for name, explained in story:
        for cause, (line, text), found in explained.explanations:
            known = {**values, **found}
            entry = {"line": line, "text": one_line(text), **cause_as_json(cause, known)}
            if name:
                entry["log"] = name
            if isinstance(cause, Group):
                causes = [catalogue.symptoms[each] for each in cause.symptoms]
                entry["causes"] = [cause_as_json(each, known) for each in causes]
            entries.append(entry)
    first = story[0][1]
    unknown = next((each.unknown for _, each in story if each.unknown), None)
    return {
        "explained": entries,
        "build": first.build,
        "succeeded": all(each.succeeded for _, each in story),
        "first_error": unknown_as_json(unknown) if unknown and not entries else None,
    }


def unknown_as_json(unknown: Unknown) -> dict[str, object]:
    return {
        "line": unknown.sighting.line,
        "text": one_line(unknown.sighting.text),
        "program": unknown.report.program,
        "doing": one_line(unknown.report.doing),
        "next": unknown.report.next,
    }
