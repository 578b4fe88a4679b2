"""Read and check the SNMP_* settings of the function, which docs/operations.md explains."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = (
    "SNMP_RECEIVERS",
    "SNMP_NOTIFICATION",
    "SNMP_TIMEOUT",
    "SNMP_ENTERPRISE_OID",
    "SNMP_VERSION",
    "SNMP_COMMUNITY",
    "SNMP_USER",
    "SNMP_AUTH_PROTOCOL",
    "SNMP_AUTH_PASSWORD",
    "SNMP_PRIV_PROTOCOL",
    "SNMP_PRIV_PASSWORD",
    "SNMP_ENGINE_ID",
)
# The first of each is the default.
VERSIONS = ("2c", "3")
NOTIFICATION_TYPES = ("trap", "inform")
AUTH_PROTOCOLS = ("SHA-256", "SHA-224", "SHA-384", "SHA-512")
PRIV_PROTOCOLS = ("AES-128", "AES-192", "AES-256")

INFORM_ATTEMPTS = 2
MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS = 0.01, 60
MIN_PASSWORD_CHARACTERS = 8  # RFC 3414, section 11.2
MAX_USER_BYTES = 32  # RFC 3414, section 2.4

_RECEIVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})")
# An OID has at most 128 numbers (RFC 2578, section 3.5), of which objects add three.
_ENTERPRISE_OID = re.compile(r"1\.3\.6\.1\.4\.1(?:\.[0-9]{1,10}){1,119}")
_ENGINE_ID = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){5,32})")


class SettingsError(ValueError):
    """The environment has invalid settings; the text names every problem."""


@dataclass(frozen=True)
class User:
    """An SNMPv3 user, whose messages are authenticated and encrypted (authPriv)."""

    name: str
    auth_protocol: str
    auth_password: str = field(repr=False)
    priv_protocol: str
    priv_password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Where and how to send.

    `receivers` maps "host:port" as written to (host, port). With `user` it is SNMPv3, without it
    SNMPv2c with `community`. `engine_id`, 5 to 32 bytes, is the sender's in SNMPv3 traps.
    """

    receivers: dict[str, tuple[str, int]]
    community: str = field(repr=False)
    user: User | None
    engine_id: bytes
    inform: bool
    enterprise_oid: str
    timeout: float


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check the settings; SettingsError names every problem at once."""
    reader = _Reader(environment)
    reader.names()
    version = reader.choice("SNMP_VERSION", VERSIONS)
    inform = reader.choice("SNMP_NOTIFICATION", NOTIFICATION_TYPES) == "inform"
    settings = Settings(
        receivers=reader.receivers(),
        community=reader.community(),
        user=reader.user(version),
        engine_id=reader.engine_id(needed=version == "3" and not inform),
        inform=inform,
        enterprise_oid=reader.enterprise_oid(),
        timeout=reader.timeout(),
    )
    if reader.problems:
        raise SettingsError("; ".join(reader.problems))
    return settings


class _Reader:
    """Reads settings one by one and collects problems, which never contain a secret."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[str] = []

    def names(self) -> None:
        for name in self.environment:
            if name.startswith("SNMP_") and name not in NAMES:
                meant = "".join(f"did you mean {x}?" for x in get_close_matches(name, NAMES, n=1))
                self.problems.append(f"{name} is unknown ({meant or 'known: ' + ', '.join(NAMES)})")

    def choice(self, name: str, choices: Sequence[str]) -> str:
        value = self.environment.get(name, choices[0])
        if value not in choices:
            self.problems.append(f"{name} is {value!r}; give {' or '.join(choices)}")
        return value

    def receivers(self) -> dict[str, tuple[str, int]]:
        receivers = {}
        items = self.environment.get("SNMP_RECEIVERS", "").split(",")
        for item in filter(None, map(str.strip, items)):
            match = _RECEIVER.fullmatch(item)
            if match and int(match[3]) in range(1, 65_536) and _is_ipv6(match[1]):
                receivers[item] = (match[1] or match[2], int(match[3]))
            else:
                self.problems.append(f"SNMP_RECEIVERS: {item!r} is not host:port or [IPv6]:port")
        if not receivers and not any("SNMP_RECEIVERS" in each for each in self.problems):
            self.problems.append("SNMP_RECEIVERS is empty; give host:port, separated by commas")
        return receivers

    def community(self) -> str:
        return self._secret("SNMP_COMMUNITY", "public", at_least=1)

    def user(self, version: str) -> User | None:
        names = ("SNMP_USER", "SNMP_AUTH_PASSWORD", "SNMP_PRIV_PASSWORD")
        if version != "3":
            # SNMPv2c would send unencrypted what was meant to be encrypted.
            self.problems += [
                f"{name} is set, but SNMP_VERSION is {version!r}; give SNMP_VERSION=3"
                for name in names
                if name in self.environment and version == "2c"
            ]
            return None
        name = self.environment.get("SNMP_USER", "")
        if name != name.strip() or not name.isascii() or not 0 < len(name) <= MAX_USER_BYTES:
            self.problems.append(
                f"SNMP_USER is {name!r}; give 1 to {MAX_USER_BYTES} ASCII characters without "
                "spaces around them"
            )
        return User(
            name,
            self.choice("SNMP_AUTH_PROTOCOL", AUTH_PROTOCOLS),
            self._secret("SNMP_AUTH_PASSWORD", "", at_least=MIN_PASSWORD_CHARACTERS),
            self.choice("SNMP_PRIV_PROTOCOL", PRIV_PROTOCOLS),
            self._secret("SNMP_PRIV_PASSWORD", "", at_least=MIN_PASSWORD_CHARACTERS),
        )

    def engine_id(self, *, needed: bool) -> bytes:
        text = self.environment.get("SNMP_ENGINE_ID", "")
        if not needed and not text:
            return b""
        match = _ENGINE_ID.fullmatch(text)
        if match and set(engine_id := bytes.fromhex(match[1])) not in ({0x00}, {0xFF}):  # RFC 3411
            return engine_id
        self.problems.append(
            f"SNMP_ENGINE_ID is {text!r}; SNMPv3 traps need the 10 to 64 hexadecimal digits that "
            "their receivers know, such as 80007ed90561626364"
        )
        return b""

    def enterprise_oid(self) -> str:
        oid = self.environment.get("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1.32473.1")
        if not _ENTERPRISE_OID.fullmatch(oid) or any(int(arc) >= 2**32 for arc in oid.split(".")):
            self.problems.append(f"SNMP_ENTERPRISE_OID is {oid!r}; give 1.3.6.1.4.1.NUMBER...")
        return oid

    def timeout(self) -> float:
        text = self.environment.get("SNMP_TIMEOUT", "5")
        try:
            timeout = float(text)
        except ValueError:
            timeout = 0.0
        if not MIN_TIMEOUT_SECONDS <= timeout <= MAX_TIMEOUT_SECONDS:
            allowed = f"{MIN_TIMEOUT_SECONDS} to {MAX_TIMEOUT_SECONDS} seconds"
            self.problems.append(f"SNMP_TIMEOUT is {text!r}; give {allowed}")
        return timeout

    def _secret(self, name: str, default: str, *, at_least: int) -> str:
        value = self.environment.get(name, default)
        if not value and name not in self.environment:
            self.problems.append(f"{name} is not set; give {at_least} characters or more")
            return value
        # Secrets often end in a newline, and then every receiver silently drops the packet.
        if value != value.strip() or len(value) < at_least or not _is_utf8(value):
            self.problems.append(
                f"{name} is shorter than {at_least} characters, has white space around it or is "
                "not UTF-8"
            )
        return value


def _is_utf8(text: str) -> bool:
    """Return whether the bytes of an environment variable were UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_ipv6(address: str | None) -> bool:
    """Return whether the text in brackets, if any, is an IPv6 address."""
    try:
        return address is None or bool(socket.inet_pton(socket.AF_INET6, address))
    except OSError:
        return False
