"""Update this repository to another version of its template, or give the template other answers.

cruft generates the repository twice, before and after, and merges the difference into the files
that are not the user's ([tool.cruft] in pyproject.toml). It succeeds even if Git rejects a part.
So everything must be committed before, and each file that could not be merged is named: the status
is 1 when some are left. Nothing in the cloud is called.
"""

import argparse
import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from closed_function.checks.answers import check_answers
from closed_function.command_line import not_empty
from closed_function.errors import CommandError, ExitStatus, suggestion
from closed_function.files import as_mapping, read_object, read_text, text_at
from closed_function.paths import CRUFT_STATE, PYPROJECT, README, ROOT
from closed_function.processes import run_git, run_to_end
from closed_function.redaction import one_line, quote

UNDO = "git reset --hard && git clean -d --force"
# A question and its answer in the table of README.md.
ROW = re.compile(r"^\| (?!question )(\w+) \| (.+) \|$", re.MULTILINE)
# A backslash in README.md, before what Markdown would read as a mark.
MARK = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
NOT_ANSWERED = ("", "not known yet")
# What Git prints of a file that it did not touch; with a .rej file for a part of it, or without.
REFUSED = re.compile(
    r"^error: (.+): (?:patch does not apply|already exists in (?:working directory|index))$",
    re.MULTILINE,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version", type=not_empty, help="the template's tag, branch or commit (default: newest)"
    )
    parser.add_argument(
        "--answers", type=not_empty, help='other answers, as JSON such as {"region": "us-east1"}'
    )


def run(options: argparse.Namespace) -> int:
    before = cruft_state()
    version = ["--checkout", options.version] if options.version else []
    if options.answers:
        # One thing at a time: other answers to the same version.
        version = version or ["--checkout", text_at(before, "commit")]
        given = as_mapping(as_mapping(before.get("context")).get("cookiecutter"))
        answers = parse_answers(options.answers, given)
        version += ["--variables-to-update", json.dumps(answers)]
    require_committed()
    wanted = options.version or ("the same version" if version else "its newest version")
    print(f"Asking {one_line(text_at(before, 'template'))} for {wanted}.", flush=True)
    try:
        return report_changes(before, run_cruft(version))
    except KeyboardInterrupt:
        if not changed_files():
            raise
        raise CommandError(
            f"Interrupted half-way. To undo what was begun: {UNDO}", ExitStatus.INTERRUPTED
        ) from None


def report_changes(before: dict[str, object], errors: str) -> int:
    """Print what cruft changed, with `errors` of Git's, and what is left to do."""
    now = cruft_state()
    if now == before:
        print("This repository is up to date with its template.")
        return ExitStatus.DONE
    print(f"{CRUFT_STATE.name} now names {text_at(now, 'commit')[:12]}.")
    unmerged = list(unmerged_files(errors))
    if unmerged:
        print("You and the template changed the same places. Merge these yourself:")
        print(*(f"  {line}" for line in unmerged), sep="\n")
    differences = [each.presentable().seen for each in check_answers() if each.symptom]
    if differences:
        print("Your own files still have other answers; `make doctor` says how to correct that:")
        print(*(f"  {line}" for line in differences), sep="\n")
    print("See what changed: git diff HEAD. Then: make lock, make test, make plan; and commit.")
    print(f"To undo it instead: {UNDO}")
    return ExitStatus.WRONG if unmerged else ExitStatus.DONE


def cruft_state() -> dict[str, object]:
    """Return cruft's record of template, commit and answers. CommandError without one."""
    content, why = read_object(CRUFT_STATE)
    if not CRUFT_STATE.exists():
        raise CommandError(
            f"There is no {CRUFT_STATE.name}: this repository is not linked to its template. Link "
            "it once, with the template's address and the tag or commit that it was generated "
            f"from:\n{link_command()}"
        )
    if why:
        raise CommandError(f"{CRUFT_STATE.name} {why}.")
    return content


def link_command() -> str:
    """Return the command that links this repository to its template, but for VERSION TEMPLATE."""
    answers = answers_in_documents()
    cruft = Path(sys.executable).with_name("cruft")
    command = [str(cruft), "link", "--extra-context", json.dumps(answers, ensure_ascii=False)]
    # Without the table, cruft asks what is missing.
    command += ["--no-input"] if "function_kind" in answers else []
    return shlex.join([*command, "--checkout", "VERSION", "TEMPLATE"])


def answers_in_documents() -> dict[str, str]:
    """Return the answers that README.md and pyproject.toml still name."""
    readme = read_text(README)[0]
    try:
        project = tomllib.loads(read_text(PYPROJECT)[0]).get("project")
    except tomllib.TOMLDecodeError:
        project = None
    answers = {
        "project_name": MARK.sub("", readme.partition("\n")[0].removeprefix("# ")),
        "project_slug": text_at(project, "name"),
        "description": text_at(project, "description"),
        **dict(ROW.findall(readme.partition("\n## Generated with\n")[2])),
    }
    return {name: answer for name, answer in answers.items() if answer not in NOT_ANSWERED}


def parse_answers(argument: str, given: dict[str, object]) -> dict[str, object]:
    """Return the answers in `argument`, a JSON object, each to a question in `given`."""
    try:
        answers = json.loads(argument)
    except ValueError:
        answers = None
    if not isinstance(answers, dict):
        example = """for example ANSWERS='{"region": "us-east1"}'"""
        raise CommandError(f"ANSWERS is {argument}: it must be a JSON object; {example}")
    questions = [question for question in given if not question.startswith("_")]
    for question in answers:
        if question not in questions:
            hint = suggestion(question, questions) or f"it has {', '.join(questions)}."
            raise CommandError(f"ANSWERS: the template does not ask {question}; {hint}")
    return answers


def git(*arguments: str) -> str:
    """Return what a Git command prints. CommandError when it fails."""
    try:
        outcome = run_git(*arguments)
    except OSError as error:
        why = f"git cannot be started: {error.strerror}"
        raise CommandError(why, ExitStatus.UNAVAILABLE) from None
    if outcome.status != 0:
        raise CommandError(
            f"git {arguments[0]}: {one_line(outcome.errors)}", ExitStatus.UNAVAILABLE
        )
    return outcome.output


def changed_files() -> list[str]:
    return git("status", "--porcelain", "--untracked-files=normal").splitlines()


def require_committed() -> None:
    """Raise CommandError unless everything is committed, so that all can be undone."""
    try:
        changed = changed_files()
    except CommandError as error:
        raise CommandError(f"{error}\nRun `git init` and commit what is here.") from None
    if changed:
        listed = "\n".join(changed[:10])
        raise CommandError(f"Commit or stash your changes, and run this again:\n{listed}")


def run_cruft(options: Sequence[str]) -> str:
    """Let cruft update this repository; return what it and Git reported."""
    environment = {
        **os.environ,
        "CLOSED_FUNCTION_ALLOW": "0",  # the template's hook leaves the cloud alone
        "LC_ALL": "C",  # Git's messages in English
        "PYTHONUTF8": "1",
        "TYPER_STANDARD_TRACEBACK": "1",
    }
    command = [sys.executable, "-m", "cruft", "update", "--skip-apply-ask", *options]
    done, interrupted = run_to_end(command, ROOT, environment, capture=["stdout", "stderr"])
    if interrupted:
        raise KeyboardInterrupt
    if done.returncode == 0:
        return done.stderr
    # The lines of tracebacks are indented.
    lines = [line for line in done.stderr.splitlines() if re.match(r"(?!Traceback)\S", line)]
    words = quote("\n".join(dict.fromkeys(lines))) or "(it printed nothing)"
    advice = "\nRun: make upgrade" if "No module named cruft" in words else ""
    raise CommandError(f"cruft changed nothing:\n{words}{advice}", ExitStatus.UNAVAILABLE)


def unmerged_files(errors: str) -> Iterator[str]:
    """Yield a line for each file in which an update of the template is missing."""
    conflicts = git("diff", "--name-only", "--diff-filter=U", "-z").split("\0")[:-1]
    rejects = git("ls-files", "--others", "--full-name", "-z", "*.rej").split("\0")[:-1]
    for file in conflicts:
        yield f"{file}: edit what is between <<<<<<< and >>>>>>>, then `git add` it"
    for file in rejects:
        yield f"{file.removesuffix('.rej')}: apply what is in {file}, then remove that"
    named = {*conflicts, *(file.removesuffix(".rej") for file in rejects)}
    for file in sorted(set(REFUSED.findall(errors)) - named):
        yield (
            f"{file}: was not changed. The template has another version, which `cruft diff` shows, "
            "or no longer has it: then remove it"
        )
