"""Run all checks of this repository's files, which need no network."""

from collections.abc import Iterator

from closed_function.checks.answers import check_answers
from closed_function.checks.environment import check_environment
from closed_function.checks.index_line import check_hand_over, check_index
from closed_function.checks.lock import check_requirements
from closed_function.checks.result import PROBLEM, Result
from closed_function.checks.settings import check_conflicts, check_settings
from closed_function.checks.source import check_package_manager, check_source
from closed_function.repository import Repository


def check_files(repository: Repository, today: str) -> Iterator[Result]:
    """Yield what each check finds; one broken thing is one problem. `today` is YYYY-MM-DD."""
    for result in run_all(repository, today):
        yield result.presentable()


def run_all(repository: Repository, today: str) -> Iterator[Result]:
    conflict = check_conflicts(repository)
    yield conflict
    if conflict.verdict == PROBLEM:
        return
    yield from check_settings(repository, today)
    if not repository.settings_unread:
        yield from check_environment(repository)
    yield from check_index(repository)
    yield from check_requirements(repository.runtime)
    yield from check_hand_over(repository)
    yield from check_answers()
    yield check_package_manager(repository)
    yield from check_source(repository)
