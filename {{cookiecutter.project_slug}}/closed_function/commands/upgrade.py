"""Bring this repository to another version of its template, or give the template other answers.

cruft generates the repository twice, as it was and as it is to be, and merges the difference into
the files that are not the user's ([tool.cruft] in pyproject.toml). It ends well whatever Git makes
of that. So nothing is begun here that `git reset` could not take back, and each file that could not
be merged is named: the status is 1 when some are left. Nothing in the cloud is called.
"""

import argparse
import difflib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from closed_function.checks.answers import check_answers
from closed_function.command_line import not_empty
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import as_mapping, read_object, text_at
from closed_function.paths import CRUFT_STATE, ROOT
from closed_function.processes import run_to_end
from closed_function.redaction import redact

# Where all was committed before.
TAKE_BACK = "git reset --hard && git clean -d --force"

# What Git says of a file that it did not touch; with a .rej file for a part of it, or none.
REFUSED = re.compile(
    r"^error: (.+): (?:patch does not apply|already exists in (?:working directory|index))$",
    re.MULTILINE,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version", type=not_empty, help="the template's tag, branch or commit; else its newest"
    )
    parser.add_argument(
        "--answers", type=not_empty, help='other answers, as JSON such as {"region": "us-east1"}'
    )


def run(options: argparse.Namespace) -> int:
    return upgrade(options.version, options.answers)


def upgrade(version: str | None, answers: str | None) -> int:
    """Update this repository and say what changed and what is to be done. CommandError."""
    before = state()
    options = ["--checkout", version] if version else []
    if answers:
        given = as_mapping(as_mapping(before.get("context")).get("cookiecutter"))
        wanted = parse_answers(answers, given)
        # One thing at a time: other answers to the same version.
        options = options or ["--checkout", text_at(before, "commit")]
        options += ["--variables-to-update", json.dumps(wanted)]
    require_committed()
    template = redact(text_at(before, "template"))
    print(f"Asking {template} for {version or 'the same version' if options else 'its newest'}.")
    sys.stdout.flush()
    try:
        return merge(before, options)
    except KeyboardInterrupt:
        changed = changed_files()
        what = f"half-way. To take back what was begun: {TAKE_BACK}"
        raise CommandError(
            f"Interrupted {what}" if changed else "Interrupted; nothing was changed.",
            ExitStatus.INTERRUPTED,
        ) from None


def merge(before: dict[str, object], options: Sequence[str]) -> int:
    """Let cruft do its work, and say what is left to do."""
    errors = update(options)
    now = state()
    if now == before:
        print("Nothing to do: this repository is up to date.")
        return ExitStatus.DONE
    print(f"{CRUFT_STATE.name} now names {text_at(now, 'commit')[:12]}.")
    left = list(left_to_merge(errors))
    if left:
        print("You and the template changed the same places. These are left for you to merge:")
        print(*(f"  {line}" for line in left), sep="\n")
    differing = [result.seen for result in check_answers() if result.symptom]
    if differing:
        print("Your own files still say otherwise; `make doctor` says how to correct that:")
        print(*(f"  {line}" for line in differing), sep="\n")
    print("See what changed: git diff HEAD. Then: make lock, make test, make plan; and commit.")
    print(f"To take it back instead: {TAKE_BACK}")
    return ExitStatus.WRONG if left else ExitStatus.DONE


def state() -> dict[str, object]:
    """Return what cruft notes. CommandError where it notes nothing."""
    content, why = read_object(CRUFT_STATE)
    if not CRUFT_STATE.exists():
        raise CommandError(
            f"There is no {CRUFT_STATE.name}: this repository was not made by cruft. Link it once, "
            "with the version that it was made from and the answers in README.md: "
            f"{Path(sys.executable).with_name('cruft')} link --checkout VERSION TEMPLATE"
        )
    if why:
        raise CommandError(f"{CRUFT_STATE.name} {why}.")
    return content


def parse_answers(argument: str, given: dict[str, object]) -> dict[str, object]:
    """Return the answers in `argument`, a JSON object, each to a question in `given`."""
    example = """for example ANSWERS='{"region": "us-east1"}'"""
    try:
        answers = json.loads(argument)
    except ValueError:
        answers = None
    if not isinstance(answers, dict):
        raise CommandError(f"ANSWERS is {argument}: it must be a JSON object; {example}")
    questions = [question for question in given if not question.startswith("_")]
    for question in answers:
        if question not in questions:
            near = difflib.get_close_matches(question, questions, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(questions)}."
            raise CommandError(f"ANSWERS: the template does not ask {question}; {hint}")
    return answers


def git(*arguments: str) -> str:
    """Return what a command of Git's prints. CommandError when it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=ROOT,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise CommandError(
            f"git cannot be started: {error.strerror}", ExitStatus.UNAVAILABLE
        ) from None
    if done.returncode != 0:
        raise CommandError(f"git {arguments[0]}: {done.stderr.strip()}", ExitStatus.UNAVAILABLE)
    return done.stdout


def changed_files() -> list[str]:
    return git("status", "--porcelain", "--untracked-files=normal").splitlines()


def require_committed() -> None:
    """Refuse to begin unless everything here is committed, so that all can be taken back."""
    try:
        changed = changed_files()
    except CommandError as error:
        raise CommandError(f"{error}\nRun `git init` and commit what is here.") from None
    if changed:
        listed = "\n".join(changed[:10])
        raise CommandError(f"Commit or stash what you have changed, and run this again:\n{listed}")


def update(options: Sequence[str]) -> str:
    """Let cruft update this repository; return what it and Git had to say against it."""
    if importlib.util.find_spec("cruft") is None:
        raise CommandError(
            "cruft is not installed for this Python; `make upgrade` does.", ExitStatus.UNAVAILABLE
        )
    environment = {
        **os.environ,
        "CLOSED_FUNCTION_ALLOW": "0",  # the template's hook leaves the cloud alone
        "LC_ALL": "C",  # Git's own words
        "PYTHONUTF8": "1",
        "TYPER_STANDARD_TRACEBACK": "1",
    }
    command = [sys.executable, "-m", "cruft", "update", "--skip-apply-ask", *options]
    done, interrupted = run_to_end(command, ROOT, environment, capture=["stdout", "stderr"])
    if interrupted:
        raise KeyboardInterrupt
    if done.returncode != 0:
        raise CommandError(
            f"cruft changed nothing:\n{own_words(done.stderr)}", ExitStatus.UNAVAILABLE
        )
    return done.stderr


def own_words(errors: str) -> str:
    """Return what a program printed, without the lines of tracebacks, which are indented."""
    lines = [line for line in errors.splitlines() if re.match(r"(?!Traceback)\S", line)]
    return redact("\n".join(dict.fromkeys(lines))) or "(it printed nothing)"


def left_to_merge(errors: str) -> Iterator[str]:
    """Yield a line for each file that has not what the template has, and could have it."""
    unmerged = git("diff", "--name-only", "--diff-filter=U", "-z").split("\0")[:-1]
    rejects = git("ls-files", "--others", "--full-name", "-z", "*.rej").split("\0")[:-1]
    for file in unmerged:
        yield f"{file}: edit what stands between <<<<<<< and >>>>>>>, then `git add` it"
    for file in rejects:
        yield f"{file.removesuffix('.rej')}: take over what is in {file}, then remove that"
    named = {*unmerged, *(file.removesuffix(".rej") for file in rejects)}
    for file in sorted(set(REFUSED.findall(errors)) - named):
        yield (
            f"{file}: was left as it is. The template has another, which `cruft diff` shows, or "
            "has it no more: then remove it"
        )
