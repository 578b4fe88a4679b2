"""Check that the files agree with the answers that the template was given."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from closed_function import paths
from closed_function.checks.result import Check, Result
from closed_function.files import as_mapping, as_text, read_object, read_text, text_at
from closed_function.runtimes import DEFAULT_RUNTIME

REQUIRED_PYTHON = re.compile(r'^requires-python\s*=\s*"==(3\.\d+)\.\*"', re.MULTILINE)
SERVED_ENTRY_POINT = re.compile(r"^ENTRY_POINT\s*:?=\s*(\w+)", re.MULTILINE)


def check_answers() -> Iterator[Result]:
    """Compare the answers in .cruft.json with the files.

    An update brings another answer to the template's files and not to the user's.
    """
    check, name = Check("the files agree with the template's answers"), paths.CRUFT_STATE.name
    state, why = read_object(paths.CRUFT_STATE)
    if not paths.CRUFT_STATE.exists():
        yield check.ok(f"there is no {name}, so there is nothing to compare")
        return
    if why:
        yield check.unknown(f"{name} {why}", optional=True)
        return
    answers = as_mapping(as_mapping(state.get("context")).get("cookiecutter"))
    differences = [*compare_values(answers), *compare_entry_points(answers)]
    for difference in differences:
        yield check.problem("answers-differ", difference)
    if not differences:
        yield check.ok(f"as in {name}")


def compare_values(answers: dict[str, object]) -> Iterator[str]:
    """Yield a sentence for each answer that the files contradict, with both ways to correct it."""
    files_by_answer: dict[str, dict[str, list[str]]] = {}
    for question, file, value in answers_in_files():
        files = files_by_answer.setdefault(question, {}).setdefault(value, [])
        files.append(str(paths.relative(file)))
    for question, files_by_value in files_by_answer.items():
        answer = text_at(answers, question)
        others = [value for value in files_by_value if value not in ("", answer)]
        # An empty answer was not known when the repository was generated.
        if answer and others:
            places = [f"{value} in {' and in '.join(files_by_value[value])}" for value in others]
            correction = json.dumps({question: others[0]})
            yield (
                f"{question} is {answer} in {paths.CRUFT_STATE.name}, but {' and '.join(places)}. "
                "If the answer is right, change the files and run `make lock`; "
                f"if not, run `make upgrade ANSWERS='{correction}'`."
            )


def answers_in_files() -> Iterator[tuple[str, Path, str]]:
    """Yield each question, a file of the user's that answers it, and its answer or "".

    The index line is compared with the hand-over. An environment's own files are not read.
    """
    platform, file = read_object(paths.HAND_OVER)[0].get("platform"), paths.HAND_OVER
    yield "platform_project_id", file, text_at(platform, "project_id")
    yield "region", file, text_at(platform, "region")
    yield "python_repository", file, text_at(platform, "python_repository").rpartition("/")[2]

    settings, file = read_object(paths.FUNCTION_SETTINGS)[0], paths.FUNCTION_SETTINGS
    function = as_mapping(settings.get("function"))
    runtime = as_text(function.get("runtime", DEFAULT_RUNTIME if function else ""))
    yield "gcp_project_id", file, text_at(settings, "project_id")
    yield "python_version", file, runtime.replace("python3", "3.", 1)
    required = REQUIRED_PYTHON.search(read_text(paths.PYPROJECT)[0])
    yield "python_version", paths.PYPROJECT, required[1] if required else ""

    settings, file = read_object(paths.PLATFORM_SETTINGS)[0], paths.PLATFORM_SETTINGS
    yield "platform_project_id", file, text_at(settings, "project_id")
    yield "region", file, text_at(settings, "region")
    yield "python_repository", file, text_at(settings, "repositories.python")
    # No answer stands for the mode `none`, which touches no perimeter.
    yield "platform", file, text_at(settings, "perimeter.mode").removeprefix("none")
    yield "access_policy_id", file, text_at(settings, "access_policy.id")


def compare_entry_points(answers: dict[str, object]) -> Iterator[str]:
    """Yield a sentence if two files name different entry points: a sign of another kind."""
    settings, makefile = paths.relative(paths.FUNCTION_SETTINGS), paths.MAKEFILE.name
    deployed = text_at(read_object(paths.FUNCTION_SETTINGS)[0], "function.entry_point")
    served = SERVED_ENTRY_POINT.search(read_text(paths.MAKEFILE)[0])
    if served and deployed and served[1] != deployed:
        yield (
            f"function_kind is {text_at(answers, 'function_kind')} in {paths.CRUFT_STATE.name}, so "
            f"{makefile} serves {served[1]}, but {settings} deploys {deployed}. Name the same in "
            "both; generate a function of another kind in a repository of its own."
        )
