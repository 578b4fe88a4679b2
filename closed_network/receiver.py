"""A real SNMP trap receiver (Net-SNMP's snmptrapd) and what it must have received."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .processes import started

TRAP_OID = ".1.3.6.1.6.3.1.1.4.1.0"
UPTIME_OID = ".1.3.6.1.2.1.1.3.0"

# The interface that a network operator programs against, as a repository's docs/operations.md lists
# it; on purpose not read from the function under test.
ENTERPRISE = ".1.3.6.1.4.1.32473.1"
NOTIFICATION_NUMBERS = {"open": 1, "closed": 2}
RECORD = re.compile(r"^BEGIN\n(.*?)\nEND$", re.DOTALL | re.MULTILINE)

Varbinds = dict[str, str]


def find_snmptrapd() -> str | None:
    """The path of snmptrapd, which Debian installs where an ordinary user's PATH does not look."""
    return shutil.which(
        "snmptrapd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    )


@dataclass(frozen=True)
class Receiver:
    """A running snmptrapd; `address` is its host:port, the rest how it was started."""

    address: str
    log: Path
    command: list[str]
    environment: dict[str, str]

    @property
    def version(self) -> str:
        named = re.search(r"NET-SNMP version (\S+)", self.log.read_text("utf-8", "replace"))
        return named[1] if named else "unknown"

    def received(self) -> list[Varbinds]:
        """What has been received so far: for each notification OID -> text."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return [decode(record) for record in RECORD.findall(text)]

    def wait_for(self, count: int, seconds: float = 10) -> list[Varbinds]:
        """The notifications received once there are `count`, or when `seconds` have passed."""
        deadline = time.monotonic() + seconds
        while len(found := self.received()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def access_for(environment: Mapping[str, str]) -> str:
    """Return the lines of a configuration that receives from a function with this environment."""
    if environment.get("SNMP_VERSION") != "3":
        return f"authCommunity log {environment.get('SNMP_COMMUNITY', 'public')}\n"
    user, engine = environment.get("SNMP_USER", ""), environment.get("SNMP_ENGINE_ID", "")
    # The sender of an inform uses the receiver's engine ID.
    informs = environment.get("SNMP_NOTIFICATION") == "inform"
    sender = "" if informs else f"-e 0x{engine.removeprefix('0x')} "
    authentication = environment.get("SNMP_AUTH_PROTOCOL", "SHA-256")
    privacy = environment.get("SNMP_PRIV_PROTOCOL", "AES-128").replace("AES-128", "AES")
    auth, priv = (environment.get(f"SNMP_{each}_PASSWORD", "") for each in ("AUTH", "PRIV"))
    return (
        f'createUser {sender}{user} {authentication} "{auth}" {privacy} "{priv}"\n'
        f"authUser log {user} priv\n"
    )


@contextlib.contextmanager
def receiver(snmptrapd: str, folder: Path, access: str) -> Iterator[Receiver]:
    """Run `snmptrapd` on a free port of 127.0.0.1 with everything it writes in `folder`.

    `access` are the lines of its configuration that say from whom it receives.
    """
    folder.mkdir()
    configuration = folder / "snmptrapd.conf"
    configuration.write_text(access, encoding="utf-8")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = folder / "traps"
    command = [snmptrapd, "-f", "-C", "-c", str(configuration), "-Lf", str(log)]
    # All OIDs and texts as numbers: nothing of the locale or of a MIB comes between.
    command += ["-On", "-Ox", "-F", r"BEGIN\n%v\nEND\n", f"udp:{address}"]
    environment = {"PATH": os.defpath, "SNMP_PERSISTENT_DIR": str(folder), "MIBS": ""}
    with started(command, environment, folder, subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 10
        while "NET-SNMP" not in (log.read_text(encoding="utf-8") if log.exists() else ""):
            if process.poll() is not None or time.monotonic() > deadline:
                raise OSError("snmptrapd did not start")
            time.sleep(0.02)
        yield Receiver(address, log, command, environment)


def decode(record: str) -> Varbinds:
    """The varbinds of one logged notification; texts from their bytes, the rest as printed."""
    varbinds = {}
    for varbind in record.split("\t"):
        oid, _, value = varbind.partition(" = ")
        kind, _, content = value.partition(": ")
        if kind == "Hex-STRING":
            content = bytes.fromhex(content).decode("utf-8", "replace")
        elif value.strip() == '""':
            content = ""
        varbinds[oid.strip()] = content
    return varbinds


def expected_varbinds(
    event_file: Path, message_id: str = "", enterprise: str = ENTERPRISE
) -> Varbinds:
    """What the notification for `event_file`, a CloudEvent with an incident, must say.

    `message_id` if it was published anew; `enterprise` is the OID below which the objects are.
    """
    message = json.loads(event_file.read_text(encoding="utf-8"))["data"]["message"]
    incident = json.loads(base64.b64decode(message["data"]))["incident"]
    state = incident["state"].lower()
    values = [
        incident["incident_id"],
        state,
        incident.get("policy_name") or "",
        incident.get("condition_name") or "",
        incident.get("severity") or "No Severity",
        incident.get("summary") or "",
        incident.get("resource_display_name") or incident.get("resource_name") or "",
        timestamp(incident.get("started_at")),
        timestamp(incident.get("ended_at")),
        incident.get("url") or "",
        message_id or message.get("messageId") or message.get("message_id") or "",
    ]
    texts = {f"{enterprise}.1.{number}.0": text for number, text in enumerate(values, start=1)}
    return {TRAP_OID: f"{enterprise}.0.{NOTIFICATION_NUMBERS[state]}", **texts}


def timestamp(seconds: int | None) -> str:
    """RFC 3339 in UTC, empty for the 0 or null of a time that is not known."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def differences(received: Varbinds, expected: Varbinds) -> list[str]:
    """How `received` differs from `expected`, the sender's uptime aside; empty when it does not."""
    oids = sorted((received.keys() | expected.keys()) - {UPTIME_OID})
    return [
        f"{oid}: received {received.get(oid)!r}, the event says {expected.get(oid)!r}"
        for oid in oids
        if received.get(oid) != expected.get(oid)
    ]
