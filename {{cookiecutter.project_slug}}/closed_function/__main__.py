"""Run a command of this repository's tool, from its root: `python3 -m closed_function COMMAND`."""

from closed_function.signals import WHEN_INTERRUPTED, end_at_once, take_signals

if __name__ == "__main__":
    take_signals(end_at_once)
# Only now, because a signal may come while they are loaded.
import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from closed_function.command_line import Parser, escape_unprintable, write_for_environment
from closed_function.errors import CommandError, ExitStatus

# Each command with its module in commands/ and what it does.
COMMANDS = {
    "doctor": ("doctor", "show what is wrong before a build"),
    "explain": ("explain", "show why a build failed, from its log"),
    "status": ("status", "show what is deployed and whether it is fit"),
    "allow": ("switch", "set the switch to ALLOW"),
    "deny": ("switch", "set the switch to DENY"),
    "describe": ("switch", "show the switch"),
    "plan": ("apply", "show what Terraform would change in a stack"),
    "apply": ("apply", "create or change a stack"),
    "destroy": ("destroy", "remove a stack, and show what remains"),
    "accounts": ("apply", "create the function's accounts alone"),
    "secrets": ("secrets", "create the secrets that the settings name and that are missing"),
    "state": ("state", "keep Terraform's state in a bucket from now on"),
    "format": ("format", "bring the stacks' files into Terraform's format"),
    "validate": ("format", "check both stacks without their state"),
    "lock": ("lock", "update the hash-locked requirements"),
    "rehearse": ("rehearse", "rehearse this repository's build in a closed network"),
    "upgrade": ("upgrade", "apply template updates to this repository"),
    "audit": ("audit", "show which locked packages have known vulnerabilities"),
    "sbom": ("sbom", "write the lock's bill of materials"),
    "send": ("send", "deliver event files to the local function"),
    "with-index": ("with_index", "run a command that uses this repository's index, signed in"),
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command, with its module as `module`."""
    parser = Parser(prog="python3 -m closed_function")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module_name, words) in COMMANDS.items():
        command = commands.add_parser(name, help=words)
        if name in arguments[:1]:  # the others need not be imported
            module = import_module(f"closed_function.commands.{module_name}")
            command.description = module.__doc__
            command.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(command)
            command.set_defaults(module=module)
    return parser.parse_args(arguments)


def main() -> int:
    escape_unprintable()
    options = parse(sys.argv[1:])
    write_for_environment(getattr(options, "env", None))
    interrupted: int = ExitStatus.INTERRUPTED

    def interrupt(number: int, _: object) -> None:
        """Interrupt the command, so that it ends what it has started."""
        nonlocal interrupted
        interrupted = 128 + number  # as a shell reports it
        raise KeyboardInterrupt

    try:
        take_signals(interrupt)
        status = int(options.module.run(options))
        if sys.stdout:
            sys.stdout.flush()
    except CommandError as error:
        print(error, file=sys.stderr)
        return interrupted if error.status == ExitStatus.INTERRUPTED else error.status
    except KeyboardInterrupt:
        words = getattr(options.module, "WHEN_INTERRUPTED", WHEN_INTERRUPTED)
        print(words, file=sys.stderr)
        return interrupted
    except OSError as error:
        if error.filename is None:  # the output was closed, for example by `head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            subject = error.filename or "Nothing can be printed"
            print(f"{subject}: {error.strerror}.", file=sys.stderr)
        return ExitStatus.UNAVAILABLE
    finally:
        take_signals(signal.SIG_IGN)
    return interrupted if status == ExitStatus.INTERRUPTED else status


if __name__ == "__main__":
    raise SystemExit(main())
