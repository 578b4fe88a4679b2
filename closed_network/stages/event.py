"""Run stage 8: an event takes the way that Terraform made to the deployed function."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from closed_function.commands.send import post
from closed_network.emulator import find_pubsub_emulator, pubsub_emulator
from closed_network.organisation import Json
from closed_network.receiver import ENTERPRISE, expected_varbinds
from closed_network.report import StageFailedError
from cloud_stand_in.errors import ApiError
from cloud_stand_in.services.pubsub import pushing
from cloud_stand_in.services.run import check_invoker

from .deploy import Deployed, Deployment
from .run import Run
from .serve import deliver, last_message, not_received, show_the_trap

EVENT = "an event reaches the deployed function"
PUBSUB = "Pub/Sub itself delivers"
MONITORING = "gcp-sa-monitoring-notification"
PUSH_TIMEOUT = 60


def deliver_the_events(run: Run) -> None:
    """Events take the way that Terraform made, with the roles it granted, to the function."""
    deployment = run.deployment
    if not isinstance(deployment, Deployment) or not deployment.deployed:
        run.report.not_proven(EVENT, "the function was not deployed")
        return
    kind = deployment.function["trigger"]["kind"]
    try:
        if kind in ("alert", "pubsub"):
            deliver_messages(deployment, deployment.deployed, kind)
        else:
            deliver_requests(deployment, deployment.deployed, kind)
    except ApiError as error:
        raise StageFailedError(str(error)) from None
    run.refuse_other_hosts("the deployed function", "a closed network does not reach")


def deliver_requests(deployment: Deployment, deployed: Deployed, kind: str) -> None:
    """Call the function as Eventarc, or somebody who may invoke it, does."""
    run = deployment.run
    callers = deployment.function["trigger"].get("invokers", [])
    if kind == "storage":
        trigger = deployed.resource["eventTrigger"]
        callers = [f"serviceAccount:{trigger['serviceAccountEmail']}"]
    for caller in callers:
        check_invoker(deployment.stand_in.cloud, caller, deployed.resource["serviceConfig"]["uri"])
    for event in run.repository.events:
        deliver(run, event, deployed.port, deployed.machine)
    way = f"called as {', '.join(callers)}" if callers else "trigger.invokers names nobody yet"
    run.report.proven(EVENT, f"{len(run.repository.events)} events; {way}")


def deliver_messages(deployment: Deployment, deployed: Deployed, kind: str) -> None:
    """Publish each event to the topic whose subscription pushes to the function."""
    run, cloud = deployment.run, deployment.stand_in.cloud
    address = deployed.resource["serviceConfig"]["uri"]
    topics = {
        each["topic"]
        for each in cloud.below("pubsub/projects/").values()
        if each.get("pushConfig", {}).get("pushEndpoint") == address
    }
    if len(topics) != 1:
        raise StageFailedError(f"{len(topics)} topics are pushed to {address}, not one")
    (topic,) = topics
    publisher = ""
    if kind == "alert":
        channels = cloud.below("monitoring/projects/").values()
        if topic not in [each.get("labels", {}).get("topic") for each in channels]:
            raise StageFailedError(f"no notification channel publishes to {topic}")
        project = deployment.function["project_id"]
        publisher = f"serviceAccount:{cloud.create_agent(project, MONITORING)}"
    (subscription,) = pushing(cloud, publisher, topic)
    script = find_pubsub_emulator()
    if not script:
        why = "the Pub/Sub emulator is not installed (gcloud components install pubsub-emulator)"
        run.report.not_proven(PUBSUB, f"{why}; its request was sent without it")
    with (
        pushed_by_the_emulator(deployed, subscription, script)
        if script
        else nullcontext(Push(deployed, subscription))
    ) as publish:
        for number, event in enumerate(run.repository.events, start=1):
            message_id, status = publish(message_of(event))
            if not 200 <= status < 300:
                why = last_message(deployed.machine.function_log.read_text("utf-8", "replace"))
                raise StageFailedError(f"{event.name}: the function answered {status}: {why}")
            if deployed.traps:
                oid = deployed.environment.get("SNMP_ENTERPRISE_OID")
                enterprise = f".{oid}" if oid else ENTERPRISE
                expected = expected_varbinds(event, message_id, enterprise)
                show_the_trap(run, event, expected, number, deployed.traps)
    name = topic.rpartition("/")[2]
    way = f"topic {name}, subscription {subscription['name'].rpartition('/')[2]}"
    run.report.proven(EVENT, f"{len(run.repository.events)} messages through {way}")
    if script:
        run.report.proven(PUBSUB, "Google's emulator of it pushed each message")
    if run.repository.sends_traps and not deployed.traps:
        not_received(run)


def message_of(event: Path) -> Json:
    """Return what somebody publishes for an event file: data and attributes."""
    message: Json = json.loads(event.read_text(encoding="utf-8"))["data"]["message"]
    return {name: message[name] for name in ("data", "attributes") if name in message}


@dataclass(frozen=True)
class Push:
    """Sends the request of a push subscription, where Pub/Sub itself is not there."""

    deployed: Deployed
    subscription: Json

    def __call__(self, message: Json) -> tuple[str, int]:
        """Return the message's ID and the status of the answer; StageFailedError without one."""
        sent = {**message, "messageId": str(time.time_ns()), "publishTime": "2026-01-01T00:00:00Z"}
        body = json.dumps({"message": sent, "subscription": self.subscription["name"]}).encode()
        try:
            status, _ = post(body, "application/json", self.deployed.port)
        except (OSError, HTTPException) as error:
            raise StageFailedError(f"the function did not answer a push ({error})") from None
        return sent["messageId"], status


@contextmanager
def pushed_by_the_emulator(
    deployed: Deployed, subscription: Json, script: str
) -> Iterator[Callable[[Json], tuple[str, int]]]:
    """Yield what publishes to the real Pub/Sub emulator, which pushes to the function."""
    with (
        relay(deployed.port) as (port, answers),
        pubsub_emulator(script, deployed.machine.records) as emulator,
    ):
        dead_letters = subscription.get("deadLetterPolicy", {}).get("deadLetterTopic")
        for topic in filter(None, (subscription["topic"], dead_letters)):
            emulator.call("PUT", topic, {})
        kept = ("topic", "ackDeadlineSeconds", "retryPolicy", "deadLetterPolicy")
        copied = {name: subscription[name] for name in kept if name in subscription}
        push = {"pushEndpoint": f"http://127.0.0.1:{port}/"}
        emulator.call("PUT", subscription["name"], {**copied, "pushConfig": push})

        def publish(message: Json) -> tuple[str, int]:
            published = emulator.call(
                "POST", f"{subscription['topic']}:publish", {"messages": [message]}
            )
            (message_id,) = published["messageIds"]
            deadline = time.monotonic() + PUSH_TIMEOUT
            while message_id not in answers:
                if time.monotonic() > deadline:
                    raise StageFailedError(f"the subscription pushed nothing in {PUSH_TIMEOUT} s")
                time.sleep(0.05)
            return message_id, answers[message_id]

        yield publish


@contextmanager
def relay(function_port: int) -> Iterator[tuple[int, dict[str, int]]]:
    """Pass pushed messages on to the function; yield the port, and the statuses by message ID."""
    answers: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                status, _ = post(body, "application/json", function_port)
            except (OSError, HTTPException):
                status = HTTPStatus.BAD_GATEWAY
            answers[json.loads(body)["message"]["messageId"]] = status
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port, answers
        finally:
            server.shutdown()
            thread.join()
