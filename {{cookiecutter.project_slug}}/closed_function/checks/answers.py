"""Checks that the files say what the template was answered."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.files import as_mapping, as_text, read_object, read_text, text_at
from closed_function.paths import (
    CRUFT_STATE,
    FUNCTION_SETTINGS,
    HAND_OVER,
    MAKEFILE,
    PLATFORM_SETTINGS,
    PYPROJECT,
    relative,
)
from closed_function.runtimes import DEFAULT_RUNTIME

REQUIRED_PYTHON = re.compile(r'^requires-python\s*=\s*"==(3\.\d+)\.\*"', re.MULTILINE)
SERVED = re.compile(r"^ENTRY_POINT\s*:?=\s*(\w+)", re.MULTILINE)


def check_answers() -> Iterator[Result]:
    """Check that the files say what was answered, as cruft notes it.

    An update brings another answer to the template's files and not to the user's.
    """
    claim, note = "the files say what the template was answered", relative(CRUFT_STATE)
    state, why = read_object(CRUFT_STATE)
    if not CRUFT_STATE.exists():
        yield Result(claim, OK, f"there is no {note}, so there is nothing to compare")
        return
    if why:
        yield Result(claim, UNKNOWN, f"{note} {why}", optional=True)
        return
    answers = as_mapping(as_mapping(state.get("context")).get("cookiecutter"))
    differing = [*other_answers(answers), *other_kind(answers)]
    for seen in differing:
        yield Result(claim, PROBLEM, seen, symptom="answers-differ")
    if not differing:
        yield Result(claim, OK, f"as in {note}")


def other_answers(answers: dict[str, object]) -> Iterator[str]:
    """Yield a sentence for each answer that the files do not give, with both ways to correct it."""
    said: dict[str, dict[str, list[str]]] = {}
    for question, file, value in said_by_files():
        said.setdefault(question, {}).setdefault(value, []).append(str(relative(file)))
    for question, files_by_value in said.items():
        answer = text_at(answers, question)
        others = [value for value in files_by_value if value not in ("", answer)]
        # An empty answer was not known when the repository was made.
        if answer and others:
            places = [f"{value} in {' and in '.join(files_by_value[value])}" for value in others]
            answer_held = json.dumps({question: others[0]})
            yield (
                f"{question} is {answer} in {relative(CRUFT_STATE)}, but {' and '.join(places)}. "
                "If the answer holds, change the files and run `make lock`; "
                f"if not, run `make upgrade ANSWERS='{answer_held}'`."
            )


def said_by_files() -> Iterator[tuple[str, Path, str]]:
    """Which question each of the user's files answers, and how: empty where it does not.

    The index line is compared with the hand-over. An environment's own files are not looked at.
    """
    platform = as_mapping(read_object(HAND_OVER)[0].get("platform"))
    yield "platform_project_id", HAND_OVER, text_at(platform, "project_id")
    yield "region", HAND_OVER, text_at(platform, "region")
    repository = text_at(platform, "python_repository").rpartition("/")[2]
    yield "python_repository", HAND_OVER, repository

    settings, _ = read_object(FUNCTION_SETTINGS)
    function = as_mapping(settings.get("function"))
    runtime = as_text(function.get("runtime", DEFAULT_RUNTIME if function else ""))
    yield "gcp_project_id", FUNCTION_SETTINGS, text_at(settings, "project_id")
    yield "python_version", FUNCTION_SETTINGS, runtime.replace("python3", "3.", 1)
    required = REQUIRED_PYTHON.search(read_text(PYPROJECT)[0])
    yield "python_version", PYPROJECT, required[1] if required else ""

    settings, _ = read_object(PLATFORM_SETTINGS)
    yield "platform_project_id", PLATFORM_SETTINGS, text_at(settings, "project_id")
    yield "region", PLATFORM_SETTINGS, text_at(settings, "region")
    repository = text_at(settings, "repositories.python")
    yield "python_repository", PLATFORM_SETTINGS, repository
    mode = text_at(settings, "perimeter.mode")
    # There is no answer for the mode that touches no perimeter.
    yield "platform", PLATFORM_SETTINGS, mode if mode != "none" else ""
    policy = text_at(settings, "access_policy.id")
    yield "access_policy_id", PLATFORM_SETTINGS, policy


def other_kind(answers: dict[str, object]) -> Iterator[str]:
    """Yield a sentence if the two entry points differ: all that shows what kind a function is."""
    deployed = text_at(read_object(FUNCTION_SETTINGS)[0], "function.entry_point")
    served = SERVED.search(read_text(MAKEFILE)[0])
    if served and deployed and served[1] != deployed:
        yield (
            f"function_kind is {text_at(answers, 'function_kind')} in {relative(CRUFT_STATE)}, "
            f"with which {relative(MAKEFILE)} serves {served[1]}, but "
            f"{relative(FUNCTION_SETTINGS)} deploys {deployed}. Let both name the same; "
            "a function of another kind is baked anew, in a repository of its own."
        )
