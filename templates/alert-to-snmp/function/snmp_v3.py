"""Send SNMPv3 with authentication and encryption (USM, authPriv), with pysnmp's engine."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
from typing import TYPE_CHECKING, Any

from pysnmp.hlapi.v3arch import asyncio as hlapi

from settings import INFORM_ATTEMPTS
from structured_log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from settings import Settings, User

SPARE_SECONDS = 10  # for the engine's start and timers

# 2026-01-01, in seconds since 1970. The clock lasts 68 years from then.
CLOCK_START = 1_767_225_600

AUTH_PROTOCOLS = {
    "SHA-224": hlapi.USM_AUTH_HMAC128_SHA224,
    "SHA-256": hlapi.USM_AUTH_HMAC192_SHA256,
    "SHA-384": hlapi.USM_AUTH_HMAC256_SHA384,
    "SHA-512": hlapi.USM_AUTH_HMAC384_SHA512,
}
# pysnmp encrypts with cryptography, a dependency of google-auth. Keys longer than 128 bits are
# extended as in Net-SNMP (Blumenthal's draft).
PRIV_PROTOCOLS = {
    "AES-128": hlapi.USM_PRIV_CFB128_AES,
    "AES-192": hlapi.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "AES-256": hlapi.USM_PRIV_CFB256_AES_BLUMENTHAL,
}

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
SNMP_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"

_starting = threading.Lock()


def prepare(
    settings: Settings, user: User, notification_oid: str, objects: Mapping[str, str]
) -> Callable[[socket.AddressFamily, Any], None]:
    """Return a function that sends a notification to an address; it raises OSError on failure.

    `objects` maps the OID of each to its text.
    """
    varbinds = [
        (SYS_UP_TIME, hlapi.TimeTicks(0)),  # A function has no up time.
        (SNMP_TRAP_OID, hlapi.ObjectIdentifier(notification_oid)),
        *((oid, hlapi.OctetString(text.encode())) for oid, text in objects.items()),
    ]

    def send(family: socket.AddressFamily, target: Any) -> None:
        attempt = asyncio.run_coroutine_threadsafe(
            _notify(settings, user, varbinds, family, target[:2]), _running_loop()
        )
        seconds = INFORM_ATTEMPTS * settings.timeout + SPARE_SECONDS
        try:
            attempt.result(seconds)
        except TimeoutError:
            attempt.cancel()
            reason = f"the engine did not end in {seconds:g} s"
            raise TimeoutError(reason) from None

    return send


def _running_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the engine, which runs in its own thread.

    pysnmp's engine lives as long as its loop, and creating it takes longer than sending a
    notification, so all requests of an instance share one. Its thread starts with the first
    request, because the server forks after it has loaded this code.
    """
    with _starting:
        return _start_loop()


@functools.cache
def _start_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_log_exception)
    threading.Thread(target=loop.run_forever, name="snmp", daemon=True).start()
    return loop


def _log_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log the error that a foreign packet caused in the engine, which continues."""
    problem = context.get("exception") or context["message"]
    log("WARNING", f"A packet was not understood: {problem!r:.200}")


async def _notify(
    settings: Settings,
    user: User,
    varbinds: list[tuple[str, Any]],
    family: socket.AddressFamily,
    address: tuple[str, int],
) -> None:
    engine = _engine(settings.engine_id)
    is_ipv6 = family == socket.AF_INET6
    target_class = hlapi.Udp6TransportTarget if is_ipv6 else hlapi.UdpTransportTarget
    target = await target_class.create(
        address, timeout=settings.timeout, retries=INFORM_ATTEMPTS - 1
    )
    indication, status, _, _ = await hlapi.send_notification(
        engine,
        _credentials(user, settings.engine_id, inform=settings.inform),
        target,
        hlapi.ContextData(),
        "inform" if settings.inform else "trap",
        *varbinds,
        lookupMib=False,
    )
    if indication:
        _forget_peers(engine)
        raise OSError(str(indication))
    if status:
        reason = f"it answered {status.prettyPrint()}"
        raise OSError(reason)


@functools.cache
def _engine(engine_id: bytes) -> Any:
    """Return the engine of this instance; call it only in its loop's thread."""
    engine = hlapi.SnmpEngine(hlapi.OctetString(engine_id) if engine_id else None)
    _set_clock(engine)
    return engine


def _set_clock(engine: Any) -> None:
    """Set the engine's clock to the seconds since CLOCK_START.

    By default it counts from its start, and receivers drop a trap that is more than 150 seconds
    behind the latest one of its engine ID (RFC 3414, section 3.2.7): those of every new instance,
    because all instances share an engine ID. This clock is the same in all of them.
    """
    boots, clock = engine.get_mib_builder().import_symbols(
        "__SNMP-FRAMEWORK-MIB", "snmpEngineBoots", "snmpEngineTime"
    )
    boots.syntax = boots.syntax.clone(1)
    clock.syntax = clock.syntax.clone(CLOCK_START)


def _forget_peers(engine: Any) -> None:
    """Make the next informs request engine ID and clock from their receivers again.

    An address may have a new engine, or an engine may have lost its count of boots; pysnmp would
    use its cached values for 300 seconds and ignore what contradicts them.
    """
    engines, users = engine.message_processing_subsystems[3], engine.security_models[3]
    for holder, name in (
        (engines, "_SnmpV3MessageProcessingModel__engineIdCache"),
        (engines, "_SnmpV3MessageProcessingModel__engineIdCacheExpQueue"),
        (users, "_SnmpUSMSecurityModel__timeline"),
    ):
        getattr(holder, name).clear()


def _credentials(user: User, engine_id: bytes, *, inform: bool) -> Any:
    """Return pysnmp's form of a user. The keys of a trap belong to the sender's engine."""
    return hlapi.UsmUserData(
        user.name,
        user.auth_password.encode(),  # pysnmp would encode text as Latin-1.
        user.priv_password.encode(),
        authProtocol=AUTH_PROTOCOLS[user.auth_protocol],
        privProtocol=PRIV_PROTOCOLS[user.priv_protocol],
        securityEngineId=None if inform else hlapi.OctetString(engine_id),
    )
