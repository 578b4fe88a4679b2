"""How a command ends: its exit statuses, and the errors that carry them."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the exit status of every command means; Terraform's own is passed on."""

    DONE = 0  # done, or nothing is wrong
    WRONG = 1  # something is wrong, was refused, or is left to do
    USAGE = 2  # the request does not fit the command or this repository
    UNAVAILABLE = 3  # a program or a service is missing, not signed in, hung or crashed
    NO_SUCH_COMMAND = 127  # as in a shell
    INTERRUPTED = 130  # by Ctrl-C, as in a shell
    TERMINATED = 143  # by SIGTERM, as in a shell


class CommandError(Exception):
    """Says why a command cannot be done, and what to type."""

    status: int = ExitStatus.USAGE

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = self.status if status is None else status


class UnavailableError(CommandError):
    """Something that is needed is missing or does not answer."""

    status = ExitStatus.UNAVAILABLE
