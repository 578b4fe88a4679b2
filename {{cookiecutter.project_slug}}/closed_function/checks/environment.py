"""Check what the function's code will read from its environment, and whom it may send to."""

import ipaddress
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from closed_function.checks.result import Check, Result
from closed_function.files import as_mapping, as_string, as_text, text_at
from closed_function.paths import SOURCE
from closed_function.processes import Outcome, run_bounded
from closed_function.repository import Repository

# The function's own check, in a process of its own. Its last line is the answer.
PROGRAM = """\
import json, sys
environment = json.load(sys.stdin)
sys.path.insert(0, sys.argv[1])
from settings import SettingsError, read_settings
try:
    settings = read_settings(environment)
    answer = {"receivers": list(getattr(settings, "receivers", {}).values())}
except SettingsError as error:
    answer = {"refused": str(error)}
print("\\n" + json.dumps(answer))
"""
TIMEOUT = 20
# The value of a secret is not known here; this is long enough for a password.
SECRET = "not-known-here"  # noqa: S105


class Receiver(NamedTuple):
    """Where the function sends, by UDP."""

    host: str
    port: int


def check_environment(repository: Repository) -> Iterator[Result]:
    """Check the environment with the function's own settings.py, then whom it may reach."""
    if not has_settings():
        return
    check = Check("the function accepts its settings")
    if blank := unfilled_environment(repository):
        yield check.unknown(f"{blank[0]} is not filled in yet", optional=True)
        return
    answer = ask_settings(repository, {})
    if isinstance(answer, str):
        yield check.unknown(f"function/settings.py {answer}", optional=True)
    elif "refused" in answer:
        yield check.problem("settings-invalid", f"{answer['refused']}.")
    else:
        try:
            receivers = [read_receiver(each) for each in answer["receivers"]]
        except ValueError:
            why = "function/settings.py has receivers that are no pairs of host and port"
            yield check.unknown(why, optional=True)
            return
        names = as_mapping(repository.function.get("environment"))
        yield check.ok(", ".join(sorted(names)) or "it needs none")
        yield from check_egress(repository, receivers)


def has_settings() -> bool:
    return (SOURCE / "settings.py").is_file()


def unfilled_environment(repository: Repository) -> list[str]:
    """Return the settings of the function's environment that nobody has filled in yet."""
    environment = as_mapping(repository.function.get("environment"))
    return [f"function.environment.{name}" for name, value in environment.items() if value is None]


def ask_settings(repository: Repository, secrets: Mapping[str, str]) -> dict[str, Any] | str:
    """Return what the function's settings.py answers, or why it does not.

    `secrets` has the values that are known, by the names of the secrets.
    """
    environment = as_mapping(repository.function.get("environment"))
    values = {name: as_string(value) for name, value in environment.items()}
    for name, used in as_mapping(repository.function.get("secret_environment")).items():
        values[name] = secrets.get(text_at(used, "secret"), SECRET)
    command = [sys.executable, "-B", "-c", PROGRAM, str(SOURCE)]
    try:
        outcome = run_bounded(command, {"PATH": os.defpath}, TIMEOUT, json.dumps(values))
    except OSError as error:
        return f"cannot be run: {error}"
    answer = read_answer(outcome)
    if isinstance(answer, dict) and "refused" in answer:
        words = " ".join(str(answer["refused"]).split()) or "SettingsError, without a reason"
        answer["refused"] = words
    return answer


def read_answer(outcome: Outcome) -> dict[str, Any] | str:
    """Return what PROGRAM answered, or why it did not."""
    if outcome.status is None:
        return f"gave no answer within {TIMEOUT} s"
    if outcome.status != 0:
        printed = outcome.errors.strip().splitlines() or ["it printed no error"]
        return f"cannot check them (exit status {outcome.status}): {printed[-1]}"
    try:
        answer = json.loads(outcome.output.splitlines()[-1])
    except (IndexError, ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and answer.keys() <= {"receivers", "refused"} and answer:
        return answer
    return "cannot check them: it ended the program, or printed after the answer"


def read_receiver(pair: object) -> Receiver:
    """Return a receiver of the function's settings. ValueError if it is no host with a port."""
    match pair:
        case [str(host), int(port)] if not isinstance(port, bool):
            return Receiver(host, port)
    raise ValueError


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
        # The system sends to an address such as ::ffff:10.20.0.5 by IPv4.
        address = getattr(address, "ipv4_mapped", None) or address
        by = "every destination is allowed"
        if allowed is not None:
            by = next(
                (name for name, each in allowed.items() if allows(each, address, receiver)),
                "",
            )
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


def allows(
    allowance: object, address: ipaddress.IPv4Address | ipaddress.IPv6Address, receiver: Receiver
) -> bool:
    """Return whether one of network.egress_allowances lets UDP to the receiver through."""
    rule = as_mapping(allowance)
    ports, ranges = rule.get("ports") or [], rule.get("ranges") or []
    if as_text(rule.get("protocol")) not in {"udp", "all"}:
        return False
    if not isinstance(ports, list) or not isinstance(ranges, list):
        return False
    if ports and not any(has_port(each, receiver.port) for each in ports):
        return False
    return any(has_address(each, address) for each in ranges)


def has_address(addresses: object, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether a range such as 10.20.0.0/24 has this address; no range has none."""
    try:
        return address in ipaddress.ip_network(str(addresses), strict=False)
    except ValueError:
        return False


def has_port(ports: object, port: int) -> bool:
    """Return whether `ports`, such as 162 or 160-170, has this port."""
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", as_string(ports))
    return match is not None and int(match[1]) <= port <= int(match[2] or match[1])
