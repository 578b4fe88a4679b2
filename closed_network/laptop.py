"""A laptop inside the closed network: any command, where nothing but Artifact Registry answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from closed_function.index import Index

from .interpreters import Interpreter
from .journal import Journal, Request, requests_by_host
from .network import RehearsalError, closed_network, enter
from .processes import end_gently, interrupt_on_signals


@dataclass(frozen=True)
class Outcome:
    """The exit status of a command, as a shell gives it, and all that was asked meanwhile."""

    status: int
    requests: list[Request]

    @property
    def refused(self) -> dict[str, int]:
        return requests_by_host(request for request in self.requests if request.refused)

    @property
    def answered(self) -> dict[str, int]:
        return requests_by_host(request for request in self.requests if not request.refused)


def run_on_a_laptop(
    command: Sequence[str],
    folder: Path,
    index: Index,
    interpreter: Interpreter,
    *,
    without_namespace: bool = False,
) -> Outcome:
    """Run `command` in `folder`, with the switch at ALLOW and `interpreter` as its python3.

    What it prints goes straight through. RehearsalError when it could not be run in this way.
    """
    with closed_network(index, "ALLOW", without_namespace=without_namespace) as network:
        if not network.enclosed:
            print(f"closed network: {network.isolation}", file=sys.stderr, flush=True)
        gcloud = shutil.which("gcloud")
        plan = {
            "command": list(command),
            "folder": folder,
            "index": index,
            "programs": [interpreter.folder, *([str(Path(gcloud).parent)] if gcloud else [])],
        }
        journal = Journal(network.records)
        ended = network.run("laptop", plan, stdin=None)
        try:
            status = int((network.folder / "status").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise RehearsalError(f"the laptop ended before its command did ({ended})") from None
        return Outcome(status, journal.read())


def counts(asked: dict[str, int]) -> str:
    """`asked`, how often each host was, as one line."""
    return ", ".join(f"{host}: {count}" for host, count in asked.items()) or "none"


def run(command: Sequence[str], environment: dict[str, str], folder: str) -> int:
    """Run `command` to its end; 128 and its number when a signal ended it, as a shell says."""
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, text=True
        )
    except OSError as error:
        print(f"{command[0]}: cannot be run ({error.strerror})", file=sys.stderr)
        return 2
    try:
        status = process.wait()
    finally:
        end_gently(process)
    return 128 - status if status < 0 else status


def main() -> int:
    """Run inside the closed network: `laptop FOLDER`, whose `plan` says what to run."""
    interrupt_on_signals()
    folder = Path(sys.argv[1])
    machine, plan = enter(folder)
    index = Index(*plan["index"])
    machine.make_home(index)
    environment = machine.laptop_environment(index, plan["programs"])
    try:
        status = run(plan["command"], environment, plan["folder"])
    except KeyboardInterrupt:
        return 130
    (folder / "status").write_text(str(status), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
