"""Define how a command ends: its exit statuses, and the errors that carry them."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum


class ExitStatus(IntEnum):
    """What the exit status of every command means; Terraform's own is passed on."""

    DONE = 0  # done, or nothing is wrong
    WRONG = 1  # something is wrong, was refused, or is left to do
    USAGE = 2  # the request does not fit the command or this repository
    UNAVAILABLE = 3  # a program or a service is missing, not signed in, hung or crashed
    NO_SUCH_COMMAND = 127  # as in a shell
    INTERRUPTED = 130  # by Ctrl-C; by another signal 128 and its number, as in a shell


class CommandError(Exception):
    """Say why a command cannot be done, and what to type."""

    status: int = ExitStatus.USAGE

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = self.status if status is None else status


class UnavailableError(CommandError):
    """Something that is needed is missing or does not answer."""

    status = ExitStatus.UNAVAILABLE


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the question whether the most similar `known` word was meant, or nothing."""
    return "".join(f"did you mean {each}?" for each in get_close_matches(word, list(known), n=1))
