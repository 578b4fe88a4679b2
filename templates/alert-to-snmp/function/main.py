"""Turn each Cloud Monitoring notification into an SNMP notification.

Cloud Monitoring publishes to Pub/Sub; Pub/Sub delivers here, at least once and in any order.
"""

from __future__ import annotations

import os
import threading
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

import functions_framework

from incident import decode, describe
from pubsub_message import PoisonMessageError, drop_message_without_data
from settings import SettingsError, read_settings
from snmp import notify
from structured_log import log

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

REPORT_SECONDS = 10  # Error Reporting's client sets no deadline.

try:
    SETTINGS = read_settings(os.environ)
except SettingsError as error:
    # An instance that cannot send does not start, so a deployment with wrong settings fails.
    log("CRITICAL", f"Not started: {error}")
    raise SystemExit(1) from error

functions_framework.errorhandler(400)(drop_message_without_data)


@functions_framework.cloud_event
def send_event(event: CloudEvent) -> None:
    """Send the incident of a Pub/Sub event to every receiver.

    A poison message is logged and acknowledged. Any other failure is reported and raised, so that
    Pub/Sub delivers again; receivers recognise a repeated notification by its message_id.
    """
    try:
        incident, message_id = decode(event)
        texts = describe(incident, message_id)
        notify(SETTINGS, texts)
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
            receivers=list(SETTINGS.receivers),
        )


def report(error: Exception) -> None:
    """Send an exception to Error Reporting, on Cloud Run only; never raise or take long."""
    service = os.environ.get("K_SERVICE")
    if not service:
        return
    problems = [f"no answer in {REPORT_SECONDS} s"]

    def send() -> None:
        try:
            client = import_module("google.cloud.error_reporting").Client(service=service)
            client.report("".join(traceback.format_exception(error)))
            problems.clear()
        except Exception as problem:  # the reported failure is more important
            problems[:] = [repr(problem)]

    # In a thread, because the client may look for credentials without a limit; a daemon, so that it
    # does not delay the end of the instance.
    attempt = threading.Thread(target=send, daemon=True)
    attempt.start()
    attempt.join(REPORT_SECONDS)
    for problem in problems[:]:
        log("WARNING", f"Not sent to Error Reporting: {problem}")
