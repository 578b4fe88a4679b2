"""Send SNMPv2c, with pysnmp's message layer over a plain socket.

pysnmp 7.1.30's hlapi.v1arch hangs on an inform without an answer and cannot close after a trap.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pysnmp.proto.api import v2c

from settings import INFORM_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from settings import Settings


def prepare(
    settings: Settings, notification_oid: str, objects: Mapping[str, str]
) -> Callable[[socket.AddressFamily, Any], None]:
    """Return a function that sends a notification to an address; it raises OSError on failure.

    `objects` maps the OID of each to its text.
    """
    pdu = v2c.InformRequestPDU() if settings.inform else v2c.SNMPv2TrapPDU()
    v2c.apiTrapPDU.set_defaults(pdu)
    v2c.apiTrapPDU.set_varbinds(
        pdu,
        [
            (v2c.apiTrapPDU.sysUpTime, v2c.TimeTicks(0)),  # A function has no up time.
            (v2c.apiTrapPDU.snmpTrapOID, v2c.ObjectIdentifier(notification_oid)),
            *((oid, v2c.OctetString(text.encode())) for oid, text in objects.items()),
        ],
    )
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, settings.community.encode())
    v2c.apiMessage.set_pdu(message, pdu)
    request_id, packet = v2c.apiTrapPDU.get_request_id(pdu), encoder.encode(message)

    def send(family: socket.AddressFamily, target: Any) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect(target)
            if settings.inform:
                udp.settimeout(settings.timeout)
                _check(_ask(udp, packet), request_id)
            else:
                udp.send(packet)

    return send


def _ask(udp: socket.socket, packet: bytes) -> bytes:
    """Send a packet until there is an answer.

    The socket is connected and used for this inform only, so nothing else can arrive on it.
    """
    for _ in range(INFORM_ATTEMPTS):
        udp.send(packet)
        try:
            return udp.recv(65_535)
        except TimeoutError:
            continue
    reason = f"no answer to {INFORM_ATTEMPTS} informs"
    raise TimeoutError(reason)


def _check(answer: bytes, request_id: int) -> None:
    """Raise OSError if the answer does not acknowledge the inform."""
    try:
        message, _ = decoder.decode(answer, asn1Spec=v2c.Message())
        pdu = v2c.apiMessage.get_pdu(message)
        belongs = (pdu.tagSet, v2c.apiPDU.get_request_id(pdu)) == (
            v2c.ResponsePDU.tagSet,
            request_id,
        )
        status = v2c.apiPDU.get_error_status(pdu)
    except (PyAsn1Error, AttributeError, RecursionError, ValueError):
        reason = "its answer is not an SNMPv2c message"
        raise OSError(reason) from None
    if not belongs:
        reason = "its answer does not belong to the inform"
        raise OSError(reason)
    if status:
        reason = f"it answered {status.prettyPrint()}"
        raise OSError(reason)
