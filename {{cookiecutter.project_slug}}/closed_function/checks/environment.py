"""Check what the function's code will read from its environment, and whom it may send to."""

import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from closed_function.checks.result import Check, Result
from closed_function.files import as_mapping, as_text
from closed_function.paths import SOURCE
from closed_function.repository import Repository

# The function's own check, in a process of its own. Its status says whether there is one.
PROGRAM = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from settings import SettingsError, read_settings
try:
    settings = read_settings(json.load(sys.stdin))
except SettingsError as error:
    print(error)
    raise SystemExit(3)
print(json.dumps(list(getattr(settings, "receivers", {}).values())))
"""
REFUSED = 3
TIMEOUT = 20
# The value of a secret is not known here; this is long enough for a password.
SECRET = "not-known-here"  # noqa: S105


class Receiver(NamedTuple):
    """Where the function sends, by UDP."""

    host: str
    port: int


def check_environment(repository: Repository) -> Iterator[Result]:
    """Check the environment with the function's own settings.py, then whom it may reach."""
    if not (SOURCE / "settings.py").is_file():
        return
    check = Check("the function accepts its settings")
    environment = as_mapping(repository.function.get("environment"))
    if blank := [name for name, value in environment.items() if value is None]:
        seen = f"function.environment.{blank[0]} is not filled in yet"
        yield check.unknown(seen, optional=True)
        return
    secrets = as_mapping(repository.function.get("secret_environment"))
    values = {name: str(value) for name, value in environment.items()}
    receivers = []
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-c", PROGRAM, str(SOURCE)],
            input=json.dumps(values | dict.fromkeys(secrets, SECRET)),
            env={"PATH": os.defpath},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=TIMEOUT,
        )
        receivers = [Receiver(*each) for each in json.loads(done.stdout)]
    except (OSError, subprocess.TimeoutExpired) as error:
        yield check.unknown(f"function/settings.py cannot be run: {error}", optional=True)
        return
    except (ValueError, TypeError):  # it printed something else, which follows
        pass
    if done.returncode == REFUSED:
        yield check.problem("settings-invalid", f"{done.stdout.strip()}.")
    elif done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        yield check.unknown(f"function/settings.py cannot check them: {why}", optional=True)
    else:
        yield check.ok(", ".join(sorted(values)) or "it needs none")
        yield from check_egress(repository, receivers)


def check_egress(repository: Repository, receivers: Iterable[Receiver]) -> Iterator[Result]:
    """Check that the platform's firewall lets the function reach each receiver."""
    allowed = egress_allowances(repository)
    for receiver in receivers:
        check = Check(f"the network lets the function reach {receiver.host}:{receiver.port}")
        if isinstance(allowed, str):
            yield check.unknown(allowed, optional=True)
            continue
        try:
            address = ipaddress.ip_address(receiver.host)
        except ValueError:
            seen = "it is a name, and the firewall's rules have addresses"
            yield check.unknown(seen, optional=True)
            continue
        by = "every destination is allowed"
        if allowed is not None:
            by = next((name for name, each in allowed.items() if lets(each, address, receiver)), "")
        if by:
            yield check.ok(by)
        else:
            seen = (
                f"No entry of network.egress_allowances has {address}, udp, port {receiver.port}."
            )
            yield check.problem("egress-denied", seen)


def egress_allowances(repository: Repository) -> Mapping[str, object] | str | None:
    """Return what the platform's network allows (None: everything), or why that is not known."""
    if as_mapping(as_mapping(repository.settings.get("egress")).get("connector")).get("id"):
        return "it goes through a given connector, whose network is not known here"
    if "egress_allowances" in repository.platform:
        handed = repository.platform["egress_allowances"]
        return None if handed is None else as_mapping(handed)
    return "the hand-over does not say what the platform's network allows"


def lets(
    allowance: object, address: ipaddress.IPv4Address | ipaddress.IPv6Address, receiver: Receiver
) -> bool:
    """Return whether one of network.egress_allowances lets UDP to the receiver through."""
    rule = as_mapping(allowance)
    ports, ranges = rule.get("ports") or [], rule.get("ranges") or []
    if as_text(rule.get("protocol")) not in {"udp", "all"}:
        return False
    if not isinstance(ports, list) or not isinstance(ranges, list):
        return False
    if ports and not any(covers(str(each), receiver.port) for each in ports):
        return False
    return any(address in ipaddress.ip_network(str(each), strict=False) for each in ranges)


def covers(ports: str, port: int) -> bool:
    """Return whether `ports`, such as 162 or 160-170, has this port."""
    first, _, last = ports.partition("-")
    return int(first) <= port <= int(last or first)
