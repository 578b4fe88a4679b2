"""A function as one writes it from pysnmp's examples: all imports above, an engine for each event.

It sends one text of the message in a trap; no log, no checks, no texts of their own.
"""

# Its libraries are in the functions' environment, not in the one in which mypy runs here.
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import Any

import functions_framework
from google.cloud import error_reporting
from pysnmp.hlapi.v3arch import asyncio as hlapi

HOST, PORT = os.environ["SNMP_RECEIVERS"].split(":")
ENTERPRISE = "1.3.6.1.4.1.32473.1"


@functions_framework.cloud_event
def send_event(event: Any) -> None:  # noqa: ANN401 - the framework has no types here
    try:
        message = json.loads(base64.b64decode(event.data["message"]["data"]))
        asyncio.run(send_trap(message["incident"]["summary"]))
    except Exception:
        if "K_SERVICE" in os.environ:
            error_reporting.Client().report_exception()
        raise


async def send_trap(text: str) -> None:
    engine = hlapi.SnmpEngine()
    try:
        problem, *_ = await hlapi.send_notification(
            engine,
            hlapi.CommunityData("public", mpModel=1),  # noqa: S508 - as ours, on purpose
            await hlapi.UdpTransportTarget.create((HOST, int(PORT))),
            hlapi.ContextData(),
            "trap",
            hlapi.NotificationType(hlapi.ObjectIdentity(f"{ENTERPRISE}.0.1")).add_varbinds(
                (f"{ENTERPRISE}.1.6.0", hlapi.OctetString(text.encode()))
            ),
        )
        if problem:
            raise OSError(str(problem))
    finally:
        engine.close_dispatcher()
