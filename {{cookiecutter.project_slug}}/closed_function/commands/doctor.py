"""Show what is wrong before a build.

The files of this repository are checked and then, with an access token of gcloud's, the project,
the switch, the repositories, the accounts, the worker pool and the perimeter. Nothing is
changed.
"""

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from closed_function.checks.files import check_files
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Check, Result
from closed_function.command_line import add_environment, add_json, print_json, report_progress
from closed_function.errors import ExitStatus, UnavailableError
from closed_function.paths import relative
from closed_function.repository import Repository
from closed_function.symptoms.catalogue import cause_as_json, load, print_cause

SIGN_IN_TIMEOUT = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local", action="store_true", help="check this repository alone")
    add_environment(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    report_progress("Checking this repository.")
    repository = Repository(options.env)
    results = list(check_files(repository, time.strftime("%Y-%m-%d")))
    if not options.local:
        found = results_from_cloud(repository, results)
        results += [result.presentable() for result in found]
    problems = [result for result in results if result.verdict == PROBLEM]
    unknown = [result for result in results if result.verdict == UNKNOWN and not result.optional]
    symptoms, known = load().symptoms, repository.placeholders()
    # Several problems can have one cause, which is printed with the values of the first.
    first: dict[str, Result] = {}
    for problem in problems:
        first.setdefault(problem.symptom, problem)
    causes = [
        (symptoms[name], known | {key: str(value) for key, value in problem.values.items()})
        for name, problem in first.items()
    ]
    if options.json:
        # Without `values`, the last field, which is the status page's.
        fields = Result._fields[:-1]
        print_json(
            {
                "results": [dict(zip(fields, result, strict=False)) for result in results],
                "causes": [cause_as_json(cause, values) for cause, values in causes],
            }
        )
    else:
        print_results(results)
        for cause, values in causes:
            print(f"\n{cause.id}: {cause.what}")
            print_cause(cause, values)
        print_counts(results)
        for file in repository.settings_files[1:]:
            print(f"What differs in {options.env} is set in {relative(file)}.")
    if problems:
        return ExitStatus.WRONG
    return ExitStatus.UNAVAILABLE if unknown else ExitStatus.DONE


def results_from_cloud(repository: Repository, local: Iterable[Result]) -> list[Result]:
    """Return what the checks of Google Cloud find, or one result that says why none was made."""
    check = Check("everything in Google Cloud fits")
    if any(result.symptom == "placeholder-project" for result in local):
        return [check.unknown("no project is named yet, so nothing was asked")]
    if not (repository.project and repository.location and repository.python_repository):
        return [check.unknown("the index line names no repository, so nothing was asked")]

    from closed_function.checks.cloud import check_cloud
    from closed_function.gcloud.session import sign_in

    report_progress("Asking gcloud for an access token.")
    try:
        session = sign_in(SIGN_IN_TIMEOUT)
    except UnavailableError as error:
        return [check.unknown(str(error))]
    report_progress(f"Asking Google Cloud about {repository.project} in {repository.location}.")
    return check_cloud(repository, session)


def print_results(results: Iterable[Result]) -> None:
    """Print each check with its command; a reason that several share is printed once, after."""
    reason_of = {OK: "", PROBLEM: ""}
    for reason, group in itertools.groupby(results, lambda r: reason_of.get(r.verdict, r.seen)):
        for result in group:
            verdict, line = result.verdict, f"{result.check}: {result.seen}"
            if verdict == PROBLEM:
                verdict, line = verdict.upper(), f"{result.symptom}: {result.seen}"
            print(f"{verdict:<15} {result.check if reason else line}")
            if result.command:
                print(f"{'':<15} $ {result.command}")
        if reason:
            print(f"{'':<15} because {reason}")


def print_counts(results: Sequence[Result]) -> None:
    count = Counter(result.verdict for result in results)
    problems = f"{count[PROBLEM]} problem{'' if count[PROBLEM] == 1 else 's'}"
    print(f"\n{count[OK]} ok, {problems}, {count[UNKNOWN]} that could not be checked.")
