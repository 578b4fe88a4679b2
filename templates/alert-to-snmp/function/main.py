"""Turn each Cloud Monitoring notification into an SNMPv2c notification.

Cloud Monitoring publishes to Pub/Sub; Pub/Sub delivers here, at least once and in any order.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import re
import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import functions_framework

from structured_log import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudevents.http import CloudEvent

# The contract with the receivers' MIB. The notification is ENTERPRISE.0.N ...
NOTIFICATIONS = {"open": 1, "closed": 2}
# ... and each of its objects is ENTERPRISE.1.N.0, an OctetString in UTF-8.
OBJECTS = {
    "incident_id": 1,
    "state": 2,
    "policy_name": 3,
    "condition_name": 4,
    "severity": 5,
    "summary": 6,
    "resource": 7,
    "started": 8,
    "ended": 9,
    "url": 10,
    "message_id": 11,
}

MAX_TEXT_BYTES = 1_000  # Keeps the whole packet far below the 65,507 bytes that UDP carries.
MAX_TIMEOUT_SECONDS = 60
INFORM_ATTEMPTS = 2
REPORT_SECONDS = 10  # Error Reporting's client sets no deadline of its own.

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_RECEIVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})")
_ENTERPRISE_OID = re.compile(r"1\.3\.6\.1\.4\.1(?:\.[0-9]{1,10})+")


class SettingsError(ValueError):
    """The environment does not say where or how to send; the text names every problem."""


class PoisonMessageError(ValueError):
    """A message that no redelivery can mend; the text is the reason."""


class DeliveryError(RuntimeError):
    """At least one receiver did not get the notification; the text names each of them."""


@dataclass(frozen=True)
class Settings:
    """Where and how to send; `receivers` maps "host:port" as written to (host, port)."""

    receivers: dict[str, tuple[str, int]]
    community: str = field(repr=False)
    inform: bool
    enterprise_oid: str
    timeout: float


@functions_framework.cloud_event
def send_event(event: CloudEvent) -> None:
    """Send the incident of a Pub/Sub event to every receiver.

    A poison message is logged and acknowledged. Any other failure is reported and raised, so that
    Pub/Sub delivers again; receivers that already have the notification know it by its message_id.
    """
    try:
        settings = current_settings()
        incident, message_id = decode(event)
        texts = describe(incident, message_id)
        notify(settings, texts)
    except PoisonMessageError as error:
        log("ERROR", f"Message dropped: {error}", event_id=event["id"])
    except Exception as error:
        log("ERROR", f"Incident not sent: {error}", event_id=event["id"])
        report(error)
        raise
    else:
        log(
            "INFO",
            f"Incident {texts['incident_id']} sent: {texts['state']}",
            event_id=event["id"],
            receivers=list(settings.receivers),
        )


@functools.cache
def current_settings() -> Settings:
    """Return the settings of this instance, checked at the first request that finds them valid."""
    return read_settings(os.environ)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check the SNMP_* settings; SettingsError names all that is wrong at once."""
    problems = []

    receivers = {}
    for item in filter(None, map(str.strip, environment.get("SNMP_RECEIVERS", "").split(","))):
        match = _RECEIVER.fullmatch(item)
        if match and int(match[3]) in range(1, 65_536):
            receivers[item] = (match[1] or match[2], int(match[3]))
        else:
            problems.append(f"SNMP_RECEIVERS: {item!r} is not host:port or [IPv6]:port")
    if not receivers and not problems:
        problems.append("SNMP_RECEIVERS is empty; give host:port, separated by commas")

    # Secrets like to end in a newline, with which every receiver drops the packet in silence.
    community = environment.get("SNMP_COMMUNITY", "public")
    if not community or community != community.strip():
        problems.append("SNMP_COMMUNITY is empty or has white space around it")

    notification = environment.get("SNMP_NOTIFICATION", "trap")
    if notification not in {"trap", "inform"}:
        problems.append(f"SNMP_NOTIFICATION is {notification!r}; give trap or inform")

    enterprise_oid = environment.get("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1.32473.1")
    if not _ENTERPRISE_OID.fullmatch(enterprise_oid) or any(
        int(arc) >= 2**32 for arc in enterprise_oid.split(".")
    ):
        problems.append(f"SNMP_ENTERPRISE_OID is {enterprise_oid!r}; give 1.3.6.1.4.1.NUMBER...")

    timeout_text = environment.get("SNMP_TIMEOUT", "5")
    try:
        timeout = float(timeout_text)
    except ValueError:
        timeout = 0.0
    if not 0 < timeout <= MAX_TIMEOUT_SECONDS:
        problems.append(
            f"SNMP_TIMEOUT is {timeout_text!r}; give seconds, at most {MAX_TIMEOUT_SECONDS}"
        )

    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(receivers, community, notification == "inform", enterprise_oid, timeout)


def decode(event: CloudEvent) -> tuple[dict[str, Any], str]:
    """Return the incident and the Pub/Sub message id of an event, or raise PoisonMessageError."""
    try:
        message = event.data["message"]
        encoded = message["data"]
    except (KeyError, TypeError):
        reason = "the event carries no Pub/Sub message data"
        raise PoisonMessageError(reason) from None
    try:
        content = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError) as error:
        reason = f"the data is not base64: {error}"
        raise PoisonMessageError(reason) from error
    try:
        notification = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = f"the data is not JSON: {error}"
        raise PoisonMessageError(reason) from error
    incident = notification.get("incident") if isinstance(notification, dict) else None
    if not isinstance(incident, dict):
        reason = "the data has no incident object"
        raise PoisonMessageError(reason)
    return incident, str(message.get("messageId") or event["id"])


def describe(incident: Mapping[str, Any], message_id: str) -> dict[str, str]:
    """Return the text of each of OBJECTS; PoisonMessageError if the state is unknown.

    What the incident lacks is empty. The console's test notification passes: its state is in
    capitals and its times are 0.
    """
    state = _text(incident.get("state")).lower()
    if state not in NOTIFICATIONS:
        reason = f"the incident's state is {state!r}, neither open nor closed"
        raise PoisonMessageError(reason)
    return {
        "incident_id": _text(incident.get("incident_id")),
        "state": state,
        "policy_name": _text(incident.get("policy_name")),
        "condition_name": _text(incident.get("condition_name")),
        "severity": _text(incident.get("severity") or "No Severity"),
        "summary": _text(incident.get("summary")),
        "resource": _text(incident.get("resource_display_name") or incident.get("resource_name")),
        "started": _rfc3339(incident.get("started_at")),
        "ended": _rfc3339(incident.get("ended_at")),
        "url": _text(incident.get("url")),
        "message_id": _text(message_id),
    }


def _text(value: object) -> str:
    """Return a value as one line of at most MAX_TEXT_BYTES in UTF-8; None is empty."""
    line = _CONTROL_CHARACTERS.sub(" ", "" if value is None else str(value))
    return line.encode(errors="replace")[:MAX_TEXT_BYTES].decode(errors="ignore")


def _rfc3339(epoch_seconds: object) -> str:
    """Return a time such as 2026-11-23T09:00:00Z; empty when there is none."""
    try:
        time = datetime.fromtimestamp(float(str(epoch_seconds or None)), UTC)
    except (ValueError, OverflowError, OSError):
        return ""  # An alert without a time, or with an odd one, is still an alert.
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def notify(settings: Settings, texts: Mapping[str, str]) -> None:
    """Send one notification to all receivers at once; DeliveryError names those that failed.

    A trap fails only if it cannot leave this host; an inform also if it is not acknowledged.
    """
    request_id, packet = _encode(settings, texts)

    def deliver(address: tuple[str, int]) -> None:
        # The resolver puts the addresses that this host cannot reach last.
        family, kind, protocol, _, target = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as udp:
            udp.connect(target)
            if settings.inform:
                udp.settimeout(settings.timeout)
                _inform(udp, packet, request_id)
            else:
                udp.send(packet)

    with ThreadPoolExecutor(max_workers=len(settings.receivers)) as pool:
        attempts = {
            name: pool.submit(deliver, address) for name, address in settings.receivers.items()
        }
    failures = [
        f"{name} ({error})" for name, attempt in attempts.items() if (error := attempt.exception())
    ]
    if failures:
        message = f"{len(failures)} of {len(attempts)} receivers failed: {', '.join(failures)}"
        raise DeliveryError(message)


# Slow imports wait for their first use, so that a cold start does not. Of pysnmp 7.1.21 only the
# message layer serves: hlapi.v1arch hangs on an inform without an answer and cannot close after a
# trap, and hlapi.v3arch loads its MIBs anew for each event loop.
def _encode(settings: Settings, texts: Mapping[str, str]) -> tuple[int, bytes]:
    """Return the request id and the bytes of the SNMPv2c message."""
    encoder = import_module("pyasn1.codec.ber.encoder")
    v2c = import_module("pysnmp.proto.api.v2c")
    oid = settings.enterprise_oid
    notification_oid = f"{oid}.0.{NOTIFICATIONS[texts['state']]}"
    pdu = v2c.InformRequestPDU() if settings.inform else v2c.SNMPv2TrapPDU()
    v2c.apiTrapPDU.set_defaults(pdu)
    v2c.apiTrapPDU.set_varbinds(
        pdu,
        [
            (v2c.apiTrapPDU.sysUpTime, v2c.TimeTicks(0)),  # A function has no up time to tell.
            (v2c.apiTrapPDU.snmpTrapOID, v2c.ObjectIdentifier(notification_oid)),
            *(
                (f"{oid}.1.{number}.0", v2c.OctetString(texts[name].encode()))
                for name, number in OBJECTS.items()
            ),
        ],
    )
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, settings.community.encode())
    v2c.apiMessage.set_pdu(message, pdu)
    return int(v2c.apiTrapPDU.get_request_id(pdu)), encoder.encode(message)


def _inform(udp: socket.socket, packet: bytes, request_id: int) -> None:
    """Send an inform until it is acknowledged; OSError if it is not.

    The socket is connected and used for this inform only, so nothing else can arrive on it.
    """
    decoder = import_module("pyasn1.codec.ber.decoder")
    v2c = import_module("pysnmp.proto.api.v2c")
    for _ in range(INFORM_ATTEMPTS):
        udp.send(packet)
        with contextlib.suppress(TimeoutError):
            message, _ = decoder.decode(udp.recv(65_535), asn1Spec=v2c.Message())
            break
    else:
        reason = f"no answer to {INFORM_ATTEMPTS} informs"
        raise TimeoutError(reason)
    pdu = v2c.apiMessage.get_pdu(message)
    if (pdu.tagSet, v2c.apiPDU.get_request_id(pdu)) != (v2c.ResponsePDU.tagSet, request_id):
        reason = "its answer does not belong to the inform"
        raise OSError(reason)
    if status := v2c.apiPDU.get_error_status(pdu):
        reason = f"it answered {status.prettyPrint()}"
        raise OSError(reason)


def report(error: Exception) -> None:
    """Send an exception to Error Reporting, on Cloud Run only; neither raises nor takes long."""
    service = os.environ.get("K_SERVICE")
    if not service:
        return

    def send() -> None:
        client = import_module("google.cloud.error_reporting").Client(service=service)
        client.report("".join(traceback.format_exception(error)))

    # A thread, because only its caller can bound how long the client looks for credentials.
    pool = ThreadPoolExecutor(max_workers=1)
    attempt = pool.submit(send)
    pool.shutdown(wait=False)
    try:
        problem = attempt.exception(REPORT_SECONDS)
    except TimeoutError:
        problem = TimeoutError(f"no answer in {REPORT_SECONDS} s")
    if problem:
        log("WARNING", f"Error Reporting was not told: {problem!r}")
