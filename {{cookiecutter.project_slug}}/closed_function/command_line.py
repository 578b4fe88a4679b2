"""Define options and output that several commands share."""

import argparse
import io
import json
import re
import sys
from typing import NoReturn, TextIO

from closed_function.paths import (
    DEFAULT_ENVIRONMENT,
    ENVIRONMENT,
    HAND_OVER,
    hand_over_file,
    own_settings,
    relative,
)


class Parser(argparse.ArgumentParser):
    """Refuse with one line, without the usage that `--help` prints."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def not_empty(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: give a value, or leave the option out")
    return text


def approval(text: str) -> bool:
    """Accept 1 alone: who types YES=no means no."""
    if text != "1":
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1, which approves; leave it out to be asked"
        )
    return True


def environment_name(text: str) -> str | None:
    if not ENVIRONMENT.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to 30 of a-z, 0-9 and hyphens, such as prod; leave it out for the "
            "default environment"
        )
    return None if text == DEFAULT_ENVIRONMENT else text


def add_environment(command: argparse.ArgumentParser) -> None:
    command.add_argument("--env", type=environment_name, help="such as dev, stg or prod")


def add_yes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--yes", nargs="?", const=True, default=False, type=approval, help="1: do not ask (for CI)"
    )


def approval_options(options: argparse.Namespace) -> list[str]:
    return ["-auto-approve"] if options.yes else []


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def print_json(content: object) -> None:
    print(json.dumps(content, indent=2))


def report_progress(words: str) -> None:
    """Print what is being done to stderr, apart from what is found."""
    print(words, file=sys.stderr, flush=True)


def escape_unprintable() -> None:
    """Print a character that the terminal lacks as its number, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class EnvironmentWriter:
    """A stream in which each command and file that is named is that of an environment."""

    def __init__(self, stream: TextIO, environment: str) -> None:
        self.stream = stream
        names = "plan accounts secrets deploy destroy status doctor explain allow deny".split()
        self.files = {}
        has_stack = own_settings("platform", environment).is_file()
        if has_stack:
            names += ["platform", "(?:plan|destroy) STACK=platform"]
        if has_stack or hand_over_file(environment).is_file():
            names.append("lock")
            self.files[str(relative(HAND_OVER))] = str(relative(hand_over_file(environment)))
        commands = "|".join(sorted(names, key=len, reverse=True))
        self.pattern = re.compile(rf"\bmake (?:{commands})\b(?!-| [^`\n]*\bENV=| STACK=)")
        self.replacement = rf"\g<0> ENV={environment}"

    def write(self, text: str) -> int:
        text = self.pattern.sub(self.replacement, text)
        for file, own in self.files.items():
            text = text.replace(file, own)
        return self.stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def write_for_environment(environment: str | None) -> None:
    """Let whatever is printed from now on name the commands and files of `environment`."""
    for name in ("stdout", "stderr"):
        if environment and (stream := getattr(sys, name)):
            setattr(sys, name, EnvironmentWriter(stream, environment))
