"""Run stage 5: the installed functions-framework serves the function."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from closed_function.commands.send import content_type, post
from closed_network.clients import Machine
from closed_network.processes import free_port, last_line, listens, started
from closed_network.receiver import (
    Receiver,
    Varbinds,
    access_for,
    differences,
    expected_varbinds,
    find_snmptrapd,
    receiver,
)
from closed_network.report import StageFailedError

from .run import Run

START_TIMEOUT = 60
NO_RECEIVER = "snmptrapd is not installed (Debian package snmptrapd)"
COMMUNITY = "rehearsal"


def show_the_function(run: Run) -> None:
    """The installed functions-framework serves the function, which answers every event."""
    if not run.repository.events:
        run.report.not_proven("the function answers events", "there is no events/*.json file")
    snmptrapd = find_snmptrapd() if run.repository.sends_traps else None
    environment = {
        "LOG_EXECUTION_ID": "true",
        "SNMP_COMMUNITY": COMMUNITY,
        "FUNCTION_TARGET": run.repository.target,
    }
    with (
        receiving(run, run.machine, snmptrapd, environment) as traps,
        serving(run, run.machine, environment, traps) as port,
    ):
        for number, event in enumerate(run.repository.events, start=1):
            deliver(run, event, port, run.machine)
            if traps:
                show_the_trap(run, event, expected_varbinds(event), number, traps)
        if traps:
            show_no_other_trap(run, traps)
    run.refuse_other_hosts("the function", "a closed network does not reach")
    if run.repository.sends_traps and not traps:
        not_received(run)
        run.report.not_proven("no other trap is sent", NO_RECEIVER)


@contextmanager
def receiving(
    run: Run, machine: Machine, snmptrapd: str | None, environment: Mapping[str, str]
) -> Iterator[Receiver | None]:
    """Receive what a function with `environment` sends, if there is a program for it."""
    if not snmptrapd:
        yield None
        return
    folder = machine.records / "snmp"
    with (
        receiver(snmptrapd, folder, access_for(environment)) as traps,
        run.report.command(traps.command, traps.environment, traps.log.parent),
    ):
        run.report.versions["snmptrapd"] = traps.version
        yield traps


@contextmanager
def serving(
    run: Run, machine: Machine, environment: Mapping[str, str], traps: Receiver | None
) -> Iterator[int]:
    """Serve the function that `machine` has built; yield its port. It sends to `traps`."""
    port = free_port()
    framework = machine.packages / "bin" / "functions-framework"
    if not framework.is_file():
        raise StageFailedError(
            "functions-framework was not installed: the marker of its requirement excludes "
            f"Python {run.interpreter.version}"
        )
    command = [str(framework), "--host", "127.0.0.1"]
    command += ["--port", str(port)]
    given = {**machine.function_environment(), **environment}
    given["SNMP_RECEIVERS"] = traps.address if traps else "127.0.0.1:162"
    log = machine.function_log
    # Not the access token, which a function does not get.
    programs, own = [machine.folder / "venv", machine.authority], [machine.source.parent]
    enclosed = run.around(command, given, machine.source, programs, own)
    with (
        log.open("wb") as output,
        run.report.command(command, given, machine.source),
        started(*enclosed, output.fileno()) as process,
    ):
        wait_for_port(process, port, log)
        yield port


def deliver(run: Run, event: Path, port: int, machine: Machine) -> None:
    """Post one event file as `make send` does; the function of `machine` must answer with 2xx."""
    body = event.read_bytes()
    try:
        kind = content_type(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise StageFailedError(f"{event.name} is not JSON: {error}") from None
    try:
        status, answer = post(body, kind, port)
    except (OSError, HTTPException) as error:
        raise StageFailedError(f"{event.name}: the function did not answer ({error})") from None
    if not 200 <= status < 300:
        why = last_message(machine.function_log.read_text("utf-8", "replace"))
        raise StageFailedError(f"{event.name}: the function answered {status}: {why}")
    run.report.proven(f"{event.name} is answered", f"{status} {answer[:80]}")


def show_the_trap(run: Run, event: Path, expected: Varbinds, number: int, traps: Receiver) -> None:
    """The receiver got notification `number`, and no more, with the values of `event`."""
    received = traps.wait_for(number)
    if len(received) != number:
        raise StageFailedError(f"{event.name}: {len(received) - number + 1} traps received, not 1")
    if differing := differences(received[-1], expected):
        raise StageFailedError(f"{event.name}: the trap differs: {'; '.join(differing)}")
    run.report.proven(
        "the trap has the event's values",
        f"snmptrapd received {len(expected)} varbinds equal to those of {event.name}",
    )


def not_received(run: Run) -> None:
    run.report.not_proven("the trap has the event's values", NO_RECEIVER)


def show_no_other_trap(run: Run, traps: Receiver) -> None:
    expected = len(run.repository.events)
    received = traps.wait_for(expected + 1, seconds=1)
    if len(received) != expected:
        raise StageFailedError(f"{len(received)} traps received for {expected} events")
    run.report.proven("no other trap is sent", f"{expected} traps for {expected} events")


def last_message(log: str) -> str:
    """Return the last message of the function's log, from its JSON if it is JSON."""
    line = last_line(log)
    try:
        return last_line(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return line


def wait_for_port(process: subprocess.Popen[str], port: int, log: Path) -> None:
    """Return when 127.0.0.1:`port` is open. StageFailedError when the process ends first."""
    if listens(process, port, START_TIMEOUT):
        return
    text = log.read_text(encoding="utf-8", errors="replace")
    errors = [line for line in text.splitlines() if re.match(r"\w*(Error|Exception)\b", line)]
    why = errors[-1] if errors else last_line(text)
    raise StageFailedError(f"functions-framework could not serve the function: {why}")
