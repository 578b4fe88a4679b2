"""Send one notification to all receivers at once."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings import Settings

# The contract with the receivers, as in mibs/ALERT-TO-SNMP-MIB.txt. The notification is
# ENTERPRISE.0.N ...
NOTIFICATION_NUMBERS = {"open": 1, "closed": 2}
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


class DeliveryError(RuntimeError):
    """At least one receiver did not get the notification; the text names each of them."""


def notify(settings: Settings, texts: Mapping[str, str]) -> None:
    """Send the notification of `texts`, which has all of OBJECTS; DeliveryError if one fails.

    A trap fails only if it cannot leave this host; an inform also if it is not acknowledged.
    """
    # The libraries are slow to import, so only those of the configured version are imported, at the
    # first notification.
    oid = settings.enterprise_oid
    notification_oid = f"{oid}.0.{NOTIFICATION_NUMBERS[texts['state']]}"
    objects = {f"{oid}.1.{number}.0": texts[name] for name, number in OBJECTS.items()}
    if settings.user:
        import snmp_v3

        send = snmp_v3.prepare(settings, settings.user, notification_oid, objects)
    else:
        import snmp_v2c

        send = snmp_v2c.prepare(settings, notification_oid, objects)

    def deliver(address: tuple[str, int]) -> None:
        # The resolver lists addresses that this host cannot reach last.
        family, _, _, _, target = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        send(family, target)

    with ThreadPoolExecutor(max_workers=len(settings.receivers)) as pool:
        attempts = {
            name: pool.submit(deliver, address) for name, address in settings.receivers.items()
        }
    failures = [
        f"{name} ({str(error) or type(error).__name__})"
        for name, attempt in attempts.items()
        if (error := attempt.exception())
    ]
    if failures:
        message = f"{len(failures)} of {len(attempts)} receivers failed: {', '.join(failures)}"
        raise DeliveryError(message)
