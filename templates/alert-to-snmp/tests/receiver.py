"""Run real SNMP receivers for the tests: Net-SNMP's snmptrapd with this repository's MIB."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import real_parts

MIBS = real_parts.ROOT / "mibs"
COMMUNITY = "a-community"

# Version, security information, user or community, varbinds.
FORMAT = r"BEGIN\n%s\t%P\t%u\t%v\nEND\n"
RECORD = re.compile(r"^BEGIN\n(.*?)\nEND$", re.DOTALL | re.MULTILINE)
VERSIONS = {"1": "2c", "3": "3"}
KINDS = {"TRAP2": "trap", "INFORM": "inform"}


@dataclass(frozen=True)
class User:
    """An SNMPv3 user; `engine_id` is the sender's for traps, and empty for informs."""

    name: str
    auth_protocol: str
    auth_password: str
    priv_protocol: str
    priv_password: str
    engine_id: str = ""

    def configuration(self) -> str:
        engine = f"-e {self.engine_id} " if self.engine_id else ""
        protocol = self.priv_protocol.replace("AES-128", "AES")
        return (
            f'createUser {engine}{self.name} {self.auth_protocol} "{self.auth_password}"'
            f' {protocol} "{self.priv_password}"\nauthUser log {self.name} priv\n'
        )


class Notification(NamedTuple):
    """A received notification, with the MIB's names; `sender` is the community or the user."""

    kind: str
    version: str
    sender: str
    name: str
    texts: dict[str, str]


def find_snmptrapd() -> str | None:
    """Return the path of snmptrapd, which Debian installs outside an ordinary user's PATH."""
    return shutil.which(
        "snmptrapd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    )


@dataclass(frozen=True)
class Receiver:
    """A running snmptrapd."""

    port: int
    log: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def received(self) -> list[Notification]:
        """Return what was received so far, also by earlier receivers in the same folder."""
        text = self.log.read_text(encoding="utf-8")
        return [parse(record) for record in RECORD.findall(text)]

    def wait_for(self, count: int, seconds: float = 10) -> list[Notification]:
        """Return the notifications once there are `count`; AssertionError after `seconds`."""
        real_parts.wait_until(
            lambda: len(self.received()) >= count, seconds, f"{count} of {self.received()}"
        )
        return self.received()


@contextlib.contextmanager
def receiver(folder: Path, users: Sequence[User] = (), port: int = 0) -> Iterator[Receiver]:
    """Run snmptrapd on a port of 127.0.0.1, with COMMUNITY and its files in `folder`.

    In the same folder it is the same SNMP engine, which counts its starts.
    """
    snmptrapd = real_parts.need(find_snmptrapd(), "snmptrapd")
    folder.mkdir(exist_ok=True)
    lines = [f"authCommunity log {COMMUNITY}\n", *(user.configuration() for user in users)]
    (folder / "snmptrapd.conf").write_text("".join(lines), encoding="utf-8")
    port, log = port or real_parts.free_port(socket.SOCK_DGRAM), folder / "notifications"
    # Names without their modules, and bytes as hexadecimal where the MIB names no text.
    command = [snmptrapd, "-f", "-A", "-Lf", str(log), "-Os", "-Ox", "-F", FORMAT]
    command += ["-M", f"+{MIBS}", "-m", "ALERT-TO-SNMP-MIB", f"udp:127.0.0.1:{port}"]
    persistent = folder / "persistent"  # its users, and what it writes when it ends
    environment = {"PATH": os.defpath, "SNMPCONFPATH": f"{folder}{os.pathsep}{persistent}"}
    environment["SNMP_PERSISTENT_DIR"] = str(persistent)

    def starts() -> int:
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        return len(re.findall(r"^NET-SNMP version \S+$", text, re.MULTILINE))

    before, output = starts(), folder / "output"
    with real_parts.started(command, environment, output) as process:

        def is_ready() -> bool:
            assert process.poll() is None, output.read_text(encoding="utf-8")
            return starts() > before

        real_parts.wait_until(is_ready, real_parts.START_SECONDS, "snmptrapd is ready")
        yield Receiver(port, log)


def parse(record: str) -> Notification:
    version, security, sender, *varbinds = record.split("\t")
    _, trap_oid, *objects = (varbind.partition(" = ") for varbind in varbinds)
    texts = {name.removesuffix(".0"): text_of(value) for name, _, value in objects}
    kind = KINDS[security.partition(",")[0]]
    return Notification(kind, VERSIONS[version], sender, trap_oid[2].removeprefix("OID: "), texts)


def text_of(value: str) -> str:
    """The text of a value; one that the MIB does not declare a text stays as it is printed."""
    kind, separator, content = value.partition(": ")
    if kind == "Hex-STRING" and separator:
        return bytes.fromhex(content).decode()
    return content if kind == "STRING" and separator else value


@contextlib.contextmanager
def relay(target: int, lets_through: Callable[[bytes], bool]) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to `target` for the packets that `lets_through` accepts."""
    stop, stopping = socket.socketpair()
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 0))
    clients: dict[socket.socket, tuple[str, int]] = {}

    def forward() -> None:
        while True:
            readable, _, _ = select.select([stopping, front, *clients], [], [])
            if stopping in readable:
                return
            for each in readable:
                packet, sender = each.recvfrom(65_535)
                if each is not front:
                    front.sendto(packet, clients[each])
                elif lets_through(packet):
                    back = next((b for b, client in clients.items() if client == sender), None)
                    if back is None:
                        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        back.connect(("127.0.0.1", target))
                        clients[back] = sender
                    back.send(packet)

    thread = threading.Thread(target=forward)
    thread.start()
    try:
        yield front.getsockname()[1]
    finally:
        stop.send(b"x")
        thread.join(timeout=60)
        for each in (stop, stopping, front, *clients):
            each.close()
