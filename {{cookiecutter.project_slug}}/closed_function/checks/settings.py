"""Check the function's settings, and that no file is half merged."""

import re
from collections.abc import Iterator

from closed_function.checks.result import Check, Result
from closed_function.errors import suggestion
from closed_function.files import read_text
from closed_function.paths import FUNCTION_SETTINGS, MAIN, REQUIREMENTS, REQUIREMENTS_IN, relative
from closed_function.repository import PLACEHOLDER, Repository
from closed_function.runtimes import RUNTIME_ENDS

CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


def check_conflicts(repository: Repository) -> Result:
    check = Check("no file has the marks of a merge conflict", "git status")
    settings = repository.settings_files
    for file in (REQUIREMENTS, REQUIREMENTS_IN, MAIN, *settings, repository.hand_over):
        content, _ = read_text(file)
        if mark := CONFLICT.search(content):
            line = 1 + content.count("\n", 0, mark.start())
            seen = f"{relative(file)}, line {line}: {mark[0].strip()}"
            return check.problem("merge-conflict", seen)
    return check.ok("none")


def check_settings(repository: Repository, today: str) -> Iterator[Result]:
    """Check that the function's settings can be read, name real projects and a known runtime."""
    files = " ".join(str(relative(file)) for file in repository.settings_files)
    readable = Check("the function's settings can be read", f"cat {files}")
    named, supported = Check("the projects are named"), Check("the Python runtime is supported")
    why = repository.settings_unread
    if not why and not (repository.function_project and repository.entry_point):
        missing = "function.entry_point" if repository.function_project else "project_id"
        why = f"{relative(FUNCTION_SETTINGS)} does not name {missing}."
    if why:
        yield readable.problem("settings-unreadable", why)
        for other in (named, supported):
            yield other.unknown("the function's settings cannot be read", optional=True)
        return
    yield readable.ok(files)
    projects = {
        "gcp_project_id": repository.function_project,
        "platform_project_id": repository.project,
    }
    unnamed = [question for question, project in projects.items() if project == PLACEHOLDER]
    if unnamed:
        verb = "is" if len(unnamed) == 1 else "are"
        seen = f"{' and '.join(unnamed)} {verb} still the placeholder {PLACEHOLDER}."
        yield named.problem("placeholder-project", seen)
    else:
        yield named.ok(f"{repository.function_project}, on the platform of {repository.project}")
    yield check_runtime(supported, repository.runtime, today)


def check_runtime(check: Check, runtime: str, today: str) -> Result:
    if runtime not in RUNTIME_ENDS:
        hint = suggestion(runtime, RUNTIME_ENDS)
        seen = f"{runtime or 'nothing'} is not one of {', '.join(sorted(RUNTIME_ENDS))}"
        seen += f"; {hint}" if hint else "."
        return check.problem("runtime-not-available", seen)
    deprecated, removed = RUNTIME_ENDS[runtime]
    if today >= deprecated:
        seen = f"{runtime} is deprecated since {deprecated} and is removed on {removed}."
        return check.problem("runtime-deprecated", seen)
    return check.ok(f"{runtime}, until {deprecated}")
