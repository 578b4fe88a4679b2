"""What the functions cost: to import, to start, and for each event, beside what does the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from closed_network.repository import entry_point

from .pairs import TEMPLATE, Medians, Row, commands_in_turn, in_turn
from .serving import FRAMEWORK, Function, Server, Traps, receive_traps, serve

COMPARED = Path(__file__).parent / "compared"
KINDS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))["function_kind"]
NOBODY = {"SNMP_RECEIVERS": "127.0.0.1:9"}
VERSION_3 = {
    "SNMP_VERSION": "3",
    "SNMP_USER": "bench",
    "SNMP_AUTH_PASSWORD": "authentication",
    "SNMP_PRIV_PASSWORD": "encryption",
    "SNMP_ENGINE_ID": "8000000001020304",
}
VERSIONS: dict[str, dict[str, str]] = {"SNMPv2c": {}, "SNMPv3": VERSION_3}

START_PAIRS = 7
WARM_PAIRS = 25
BURST_PAIRS = 5
CLIENTS = (1, 8)
OUR_BURST, REFERENCE_BURST = 200, 24  # events, of each client the same number


def ours(kind: str, **settings: str) -> Function:
    folder = TEMPLATE / "templates" / kind
    main = folder / "function" / "main.py"
    return Function(main, entry_point(main), min((folder / "events").glob("*.json")), settings)


def bare(kind: str) -> Function:
    target = "handle_request" if kind == "http" else "handle_event"
    return Function(COMPARED / "bare.py", target, ours(kind).event)


def reference(traps: Traps) -> Function:
    event = ours("alert-to-snmp").event
    settings = {"SNMP_RECEIVERS": traps.address}
    return Function(COMPARED / "reference.py", "send_event", event, settings)


def alert_to_snmp(traps: Traps, version: str) -> Function:
    return ours("alert-to-snmp", SNMP_RECEIVERS=traps.address, **VERSIONS[version])


def import_rows() -> Iterator[Row]:
    python = str(FRAMEWORK.with_name("python"))
    for kind in KINDS:
        measured = commands_in_turn(
            [python, "-c", "import main"],
            [python, "-c", "import functions_framework"],
            ours(kind, **NOBODY).environment,
        )
        yield measured.row(f"import of {kind} ÷ import of functions_framework", "s", "≤ 1.1")


def start_rows() -> Iterator[Row]:
    for kind in KINDS:
        measured = in_turn(starter(ours(kind, **NOBODY)), starter(bare(kind)), START_PAIRS)
        yield measured.row(f"start + first answer of {kind} ÷ of an empty function", "s")
    with receive_traps() as traps:
        for version, wanted in (("SNMPv2c", "≤ 0.5"), ("SNMPv3", "—")):
            measured = in_turn(
                starter(alert_to_snmp(traps, version), traps),
                starter(reference(traps), traps),
                START_PAIRS,
            )
            yield measured.row(f"start + first {version} trap ÷ of the reference", "s", wanted)


def starter(function: Function, traps: Traps | None = None) -> Callable[[], float]:
    """Return what measures the seconds from a process's start to its first answer."""

    def start() -> float:
        before = traps.count if traps else 0
        with serve(function) as server:
            server.request_seconds()
            took = server.age()
            if traps and not traps.wait_for(before + 1):
                raise RuntimeError(f"no trap of {function.source}")
        return took

    return start


def warm_rows() -> Iterator[Row]:
    with receive_traps() as traps:
        for version in VERSIONS:
            with (
                serve(alert_to_snmp(traps, version)) as mine,
                serve(reference(traps)) as theirs,
            ):
                measured = in_turn(mine.request_seconds, theirs.request_seconds, WARM_PAIRS)
            yield measured.row(f"each later {version} trap ÷ of the reference", "s")


def load_rows() -> Iterator[Row]:
    for clients in CLIENTS:
        threads = str(clients)
        with (
            receive_traps() as traps,
            serve(alert_to_snmp(traps, "SNMPv2c"), THREADS=threads) as mine,
            serve(reference(traps), THREADS=threads) as theirs,
        ):
            load = Load("ours", mine, traps, clients, OUR_BURST)
            other = Load("reference", theirs, traps, clients, REFERENCE_BURST)
            rates = in_turn(load.rate, other.rate, BURST_PAIRS)
            peak = Medians(mine.peak_mib(), theirs.peak_mib(), mine.peak_mib() / theirs.peak_mib())
        at_once = f"{clients} at once ÷ of the reference"
        remark = load.remark() + other.remark()
        yield rates.row(f"traps a second (more is better), {at_once}", "/s", remark=remark)
        yield peak.row(f"peak memory, {at_once}", "MiB")


@dataclass
class Load:
    """Clients of a server, which has as many threads, and what it has failed to do for them."""

    name: str
    server: Server
    traps: Traps
    clients: int
    events: int
    posted: int = 0
    failed: int = 0
    lost: int = 0

    def rate(self) -> float:
        """Post a burst of events; return how many were answered with 200 in a second."""
        expected = self.traps.count
        answered, took = self.server.burst(self.clients, self.events)
        expected += answered
        if not self.traps.wait_for(expected):
            self.lost += expected - self.traps.count
        self.posted += self.events
        self.failed += self.events - answered
        return answered / took

    def remark(self) -> str:
        if not self.failed and not self.lost:
            return ""
        return f"; {self.name}: {self.failed} of {self.posted} failed, {self.lost} traps missing"
