"""Define options and output that several commands share."""

import argparse
import io
import json
import sys
from typing import NoReturn

from closed_function.paths import DEFAULT_ENVIRONMENT, ENVIRONMENT


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
            f"{text!r} must be 1, which approves (YES=1); leave it out to be asked"
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
