"""The function behind the server that it has on Cloud Run, Pub/Sub's emulator and snmptrapd.

The receivers are Net-SNMP's and read the MIB of this repository, where a test does not say
otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import functions_framework
import grpc
import pytest
from google.auth.credentials import AnonymousCredentials

import real_parts
from receiver import COMMUNITY, Notification, Receiver, User, receiver, relay

SECONDS = 60
INCIDENT = {
    "incident_id": "0.abc",
    "policy_name": "CPU of the web servers",
    "condition_name": "CPU utilization",
    "severity": "Critical",
    "summary": "web-1 の CPU 使用率が、しきい値 0.900 を超えました。" * 6,
    "resource_display_name": "web-1",
    "started_at": 1_795_424_400,
    "ended_at": None,
    "url": "https://console.cloud.google.com/monitoring/alerting/incidents/0.abc",
    "state": "open",
}
ENDED = "2026-11-23T09:30:00Z"
ENGINE_ID = "80007ed90561626364"
AUTH_PASSWORD, PRIV_PASSWORD = "an-auth-pässwörd", "暗号化のための合言葉"
PROTOCOLS = {
    "u1": ("SHA-256", "AES-128"),
    "u2": ("SHA-224", "AES-192"),
    "u3": ("SHA-384", "AES-256"),
    "u4": ("SHA-512", "AES-256"),
}
USERS = [
    User(name, auth, AUTH_PASSWORD, priv, PRIV_PASSWORD, engine)
    for name, (auth, priv) in PROTOCOLS.items()
    for engine in ("", f"0x{ENGINE_ID}")
]


def v3(notification: str, user: str = "u1", **settings: str) -> dict[str, str]:
    auth_protocol, priv_protocol = PROTOCOLS[user]
    return {
        "SNMP_VERSION": "3",
        "SNMP_NOTIFICATION": notification,
        "SNMP_USER": user,
        "SNMP_AUTH_PROTOCOL": auth_protocol,
        "SNMP_AUTH_PASSWORD": AUTH_PASSWORD,
        "SNMP_PRIV_PROTOCOL": priv_protocol,
        "SNMP_PRIV_PASSWORD": PRIV_PASSWORD,
        "SNMP_ENGINE_ID": ENGINE_ID,
        **settings,
    }


def v2c(notification: str, **settings: str) -> dict[str, str]:
    return {"SNMP_NOTIFICATION": notification, "SNMP_COMMUNITY": COMMUNITY, **settings}


SETTINGS = {"2c": v2c, "3": v3}


@contextlib.contextmanager
def serve(
    folder: Path, *receivers: int, code: str = "", **settings: str
) -> Iterator[real_parts.Served]:
    """Serve the function, after `code` if any, with ports of 127.0.0.1 to send to.

    Like an instance on Cloud Run it starts with an empty folder for temporary files.
    """
    folder.mkdir(exist_ok=True)
    source = None
    if code:
        source = folder / "changed_function.py"
        source.write_text(f"{code}\nfrom main import *\n", encoding="utf-8")
    addresses = ",".join(f"127.0.0.1:{port}" for port in receivers)
    settings = {"SNMP_RECEIVERS": addresses, "TMPDIR": str(folder), **settings}
    with real_parts.serve(folder, source, **settings) as served:
        yield served


def content_of(incident_id: str, **changes: object) -> bytes:
    return json.dumps(
        {"version": "1.2", "incident": {**INCIDENT, "incident_id": incident_id, **changes}}
    ).encode()


def push_of(incident_id: str, **changes: object) -> bytes:
    """Return the body of a push; its message ID contains the incident ID and the state."""
    state = changes.get("state", "open")
    return real_parts.pushed(content_of(incident_id, **changes), f"{incident_id}-{state}")


def push(served: real_parts.Served, incident_id: str, **changes: object) -> int:
    """Deliver an incident as Pub/Sub does and return the HTTP status."""
    body = push_of(incident_id, **changes)
    status, _ = real_parts.request(served.url, "POST", body, Content_Type="application/json")
    return status


def expected_texts(incident_id: str, state: str = "open", ended: str = "") -> dict[str, str]:
    return {
        "alertIncidentId": incident_id,
        "alertState": state,
        "alertPolicyName": "CPU of the web servers",
        "alertConditionName": "CPU utilization",
        "alertSeverity": "Critical",
        "alertSummary": str(INCIDENT["summary"]),
        "alertResource": "web-1",
        "alertStarted": "2026-11-23T09:00:00Z",
        "alertEnded": ended,
        "alertUrl": "https://console.cloud.google.com/monitoring/alerting/incidents/0.abc",
        "alertMessageId": f"{incident_id}-{state}",
    }


def incidents(notifications: list[Notification]) -> list[str]:
    return [each.texts["alertIncidentId"] for each in notifications]


def received_of(from_: Receiver, *incident_ids: str) -> list[str]:
    """Return which of the incidents have arrived so far, in that order."""
    return [each for each in incidents(from_.received()) if each in incident_ids]


def failed(served: real_parts.Served) -> set[int]:
    """Return the ports in the last failure."""
    names = served.errors()[-1].partition("receivers failed: ")[2]
    return {int(each.split(" ")[0]) for each in names.split("127.0.0.1:")[1:]}


@pytest.fixture(scope="module")
def snmptrapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """Run a receiver that knows all users."""
    with receiver(tmp_path_factory.mktemp("receiver"), USERS) as running:
        yield running


# Behind Pub/Sub, whose redeliveries take time while the other tests run


@dataclass(frozen=True)
class Published:
    """What was published, with its ids by incident, and where it arrives.

    The other receiver is sent to as well, but at first it does not get some incidents.
    """

    emulator: real_parts.Emulator
    served: real_parts.Served
    steady: Receiver
    other: Receiver
    ids: dict[str, str]

    def errors(self, incident_id: str) -> list[str]:
        """Return the errors that the function logged for an incident."""
        return self.served.errors(self.ids[incident_id])

    def wait_for(self, at: Receiver, *incident_ids: str) -> list[str]:
        """Wait until all incidents have arrived there, and return them."""
        real_parts.wait_until(
            lambda: set(received_of(at, *incident_ids)) == set(incident_ids),
            SECONDS,
            f"{incident_ids}; {self.served.lines()}",
        )
        return received_of(at, *incident_ids)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Publish everything at once, because each redelivery takes the emulator a second."""
    script = real_parts.need(real_parts.find_pubsub_emulator(), "the Pub/Sub emulator")
    folder = tmp_path_factory.mktemp("emulator")
    # As many packets, two for each delivery, get lost on the way to the other receiver.
    losses = {b"doomed": 100, b"flaky": 4, b"first": 2}

    def lets_through(packet: bytes) -> bool:
        lost = [name for name, left in losses.items() if left and name in packet]
        for name in lost:
            losses[name] -= 1
        return not lost

    with (
        receiver(folder / "steady") as steady,
        receiver(folder / "other") as other,
        relay(other.port, lets_through) as lossy,
        real_parts.pubsub_emulator(script, folder) as emulator,
        serve(folder / "f", steady.port, lossy, **v2c("inform", SNMP_TIMEOUT="0.2")) as served,
    ):
        emulator.deploy("alerts", served.url)
        ids = {}
        for incident_id in ("doomed", "flaky", "plain"):
            (ids[incident_id],) = emulator.publish("alerts", content_of(incident_id))
        (ids["poison"],) = emulator.publish("alerts", b'{"incident": []}')
        for incident_id in ("first", "second", "third"):
            content = content_of(incident_id)
            (ids[incident_id],) = emulator.publish("in-order", content, orderingKey="a policy")
        yield Published(emulator, served, steady, other, ids)


def test_a_published_incident_arrives_once_everywhere_with_its_message_id(
    published: Published,
) -> None:
    for each in (published.steady, published.other):
        assert published.wait_for(each, "plain") == ["plain"]
        (arrived,) = [one for one in each.received() if one.texts["alertIncidentId"] == "plain"]
        message_id = published.ids["plain"]
        assert arrived.texts == {**expected_texts("plain"), "alertMessageId": message_id}
    assert published.errors("plain") == []


# What arrives


@pytest.mark.parametrize(
    ("version", "sender", "notification"),
    [
        ("2c", COMMUNITY, "trap"),
        ("2c", COMMUNITY, "inform"),
        # Every authentication and encryption on offer, with what all the other tests use.
        ("3", "u2", "trap"),
        ("3", "u3", "inform"),
        ("3", "u4", "trap"),
    ],
)
def test_a_receiver_reads_the_values_of_the_incident(
    version: str, sender: str, notification: str, snmptrapd: Receiver, tmp_path: Path
) -> None:
    incident_id = f"{sender}-{notification}"
    settings = v3(notification, sender) if version == "3" else v2c(notification)
    with serve(tmp_path, snmptrapd.port, **settings) as served:
        assert push(served, incident_id) == 200
        assert push(served, incident_id, state="closed", ended_at=1_795_426_200) == 200

    def arrived() -> list[Notification]:
        notifications = snmptrapd.received()
        return [each for each in notifications if each.texts["alertIncidentId"] == incident_id]

    real_parts.wait_until(lambda: len(arrived()) >= 2, SECONDS, f"{incident_id} arrives twice")
    opened, closed = expected_texts(incident_id), expected_texts(incident_id, "closed", ENDED)
    assert arrived() == [
        (notification, version, sender, "alertOpened", opened),
        (notification, version, sender, "alertClosed", closed),
    ]


# Secrets


@pytest.mark.parametrize(
    "wrong",
    [
        {**v2c("inform"), "SNMP_COMMUNITY": "not-the-community"},
        v3("inform", SNMP_AUTH_PASSWORD="not-the-password"),  # noqa: S106
        v3("inform", SNMP_PRIV_PASSWORD="not-the-password"),  # noqa: S106
    ],
    ids=["community", "authentication", "encryption"],
)
def test_an_inform_with_a_wrong_secret_fails_and_logs_no_secret(
    wrong: dict[str, str], snmptrapd: Receiver, tmp_path: Path
) -> None:
    with serve(tmp_path, snmptrapd.port, SNMP_TIMEOUT="0.2", **wrong) as served:
        body = push_of("wrong")
        status, answer = real_parts.request(
            served.url, "POST", body, Content_Type="application/json"
        )
        log = served.log.read_text(encoding="utf-8")
        assert status == 500
        assert failed(served) == {snmptrapd.port}
    secrets = [COMMUNITY, AUTH_PASSWORD, PRIV_PASSWORD]
    secrets += [value for name, value in wrong.items() if "COMMUNITY" in name or "PASSWORD" in name]
    assert [secret for secret in secrets if secret in log + answer] == []
    assert received_of(snmptrapd, "wrong") == []


def test_a_trap_with_a_wrong_password_does_not_arrive_and_logs_no_secret(
    snmptrapd: Receiver, tmp_path: Path
) -> None:
    passwords = {
        "wrong authentication": {"SNMP_AUTH_PASSWORD": "not-it-at-all"},
        "wrong encryption": {"SNMP_PRIV_PASSWORD": "not-it-at-all"},
        "right": {},
    }
    log = ""
    for name, password in passwords.items():
        with serve(tmp_path / name, snmptrapd.port, **v3("trap", **password)) as served:
            assert push(served, name) == 200  # It has left, and more is not known of a trap.
        log += served.log.read_text(encoding="utf-8")
    real_parts.wait_until(lambda: received_of(snmptrapd, "right"), SECONDS, "the right one")
    assert received_of(snmptrapd, *passwords) == ["right"]
    secrets = [AUTH_PASSWORD, PRIV_PASSWORD, "not-it-at-all"]
    assert [secret for secret in secrets if secret in log] == []


# SNMPv3: instances and receivers that come and go

# An engine that was started AGE seconds ago, with pysnmp's own clock where LEAVE_IT is true.
STARTED = """
import time
import snmp_v3
set_clock = snmp_v3._set_clock
def replacement(engine):
    clock, = engine.get_mib_builder().import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineTime")
    clock.syntax = clock.syntax.clone(int(time.time()) - AGE)
    LEAVE_IT or set_clock(engine)
snmp_v3._set_clock = replacement
"""


@pytest.mark.parametrize("own_clock", ["False", "True"])
def test_traps_of_all_instances_arrive_whenever_the_instances_started(
    own_clock: str, tmp_path: Path
) -> None:
    code = STARTED.replace("LEAVE_IT", own_clock)
    old_code, new_code = code.replace("AGE", "1000"), code.replace("AGE", "0")
    settings = v3("trap")
    with (
        receiver(tmp_path / "receiver", USERS) as running,
        serve(tmp_path / "old", running.port, code=old_code, **settings) as old,
        serve(tmp_path / "new", running.port, code=new_code, **settings) as new,
    ):
        for served, incident_id in [(old, "1"), (new, "2"), (old, "3"), (new, "4"), (old, "5")]:
            assert push(served, incident_id) == 200
        real_parts.wait_until(lambda: "5" in incidents(running.received()), SECONDS, "the last")
        arrived = incidents(running.received())
    # The newer one's would be behind by more than the 150 seconds that receivers forgive.
    assert arrived == (["1", "3", "5"] if own_clock == "True" else ["1", "2", "3", "4", "5"])


COUNT_ENGINES = """
import snmp_v3
from structured_log import log
original = snmp_v3.hlapi.SnmpEngine
def counted(*arguments, **options):
    log("INFO", "An engine is made")
    return original(*arguments, **options)
snmp_v3.hlapi.SnmpEngine = counted
"""


def test_informs_reach_receivers_of_different_engines_also_after_these_start_again(
    tmp_path: Path,
) -> None:
    kept, replaced = tmp_path / "kept", tmp_path / "replaced"
    with contextlib.ExitStack() as stack:
        with receiver(kept, USERS) as one, receiver(replaced, USERS) as other:
            settings = v3("inform", SNMP_TIMEOUT="0.5")
            ports = one.port, other.port
            served = stack.enter_context(serve(tmp_path, *ports, code=COUNT_ENGINES, **settings))
            assert [push(served, "1"), push(served, "2")] == [200, 200]
            assert [incidents(each.received()) for each in (one, other)] == [["1", "2"]] * 2
        with (
            receiver(kept, USERS, ports[0]),
            receiver(tmp_path / "spare", USERS, ports[1]) as spare,
        ):
            # One has counted its start. At the other address there is an engine as yet unknown,
            # which is found out by a failure.
            assert [push(served, "3"), push(served, "3"), push(served, "4")] == [500, 200, 200]
            assert failed(served) == {ports[1]}
            assert incidents(one.received()) == ["1", "2", "3", "3", "4"]
            assert incidents(spare.received()) == ["3", "4"]
        made = [each for each in served.lines() if each["message"] == "An engine is made"]
        assert len(made) == 1


# Receivers that fail


@contextlib.contextmanager
def garbage() -> Iterator[int]:
    """Serve a port of 127.0.0.1 that answers everything with random bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                packet, sender = udp.recvfrom(65_535)
                if packet == b"stop":
                    return
                udp.sendto(os.urandom(100), sender)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield udp.getsockname()[1]
        finally:
            udp.sendto(b"stop", udp.getsockname())
            thread.join(timeout=60)


@pytest.mark.parametrize("version", ["2c", "3"])
def test_failing_receivers_are_named_and_do_not_affect_the_others(
    version: str, snmptrapd: Receiver, tmp_path: Path
) -> None:
    settings = SETTINGS[version]("inform", SNMP_TIMEOUT="0.5")
    ids = [f"{version}-{number}" for number in range(2)]
    closed = real_parts.free_port(socket.SOCK_DGRAM)
    with contextlib.ExitStack() as stack:
        with garbage() as noisy, relay(snmptrapd.port, lambda _: False) as silent:
            bad = closed, silent, noisy
            ports = closed, silent, snmptrapd.port, noisy
            served = stack.enter_context(serve(tmp_path, *ports, code=COUNT_ENGINES, **settings))
            assert push(served, ids[0]) == 500
            assert failed(served) == set(bad)
            assert served.errors()[-1].startswith("Incident not sent: 3 of 4 receivers failed")
        mended = [stack.enter_context(receiver(tmp_path / str(port), USERS, port)) for port in bad]
        assert push(served, ids[1]) == 200
        assert [incidents(each.received()) for each in mended] == [[ids[1]]] * 3
        assert received_of(snmptrapd, *ids) == ids
        made = [each for each in served.lines() if each["message"] == "An engine is made"]
        assert len(made) == (version == "3")


# The end of an instance


@pytest.mark.parametrize("version", ["2c", "3"])
def test_an_inform_is_waited_for_before_the_server_ends(
    version: str, snmptrapd: Receiver, tmp_path: Path
) -> None:
    arrived, let_go = threading.Event(), threading.Event()

    def wait(_packet: bytes) -> bool:
        arrived.set()
        return let_go.wait(SECONDS)

    settings = SETTINGS[version]("inform", SNMP_TIMEOUT="30", GUNICORN_LOG_LEVEL="info")
    with (
        relay(snmptrapd.port, wait) as slow,
        serve(tmp_path, slow, **settings) as served,
        ThreadPoolExecutor(1) as pool,
    ):

        def log() -> str:
            return served.log.read_text(encoding="utf-8")

        answer = pool.submit(push, served, f"{version}-end")
        try:
            assert arrived.wait(SECONDS)
            served.process.terminate()
            real_parts.wait_until(lambda: "Handling signal: term" in log(), 10, "it is asked")
            assert not answer.done()
        finally:
            let_go.set()
        assert answer.result(timeout=SECONDS) == 200
        assert served.process.wait(timeout=10) == 0, log()
        group = served.process.pid
        real_parts.wait_until(lambda: not real_parts.group_exists(group), 10, "no process is left")
    assert received_of(snmptrapd, f"{version}-end") == [f"{version}-end"]


# Behind Pub/Sub, later


def test_a_redelivered_incident_is_recognised_by_its_message_id(published: Published) -> None:
    assert published.wait_for(published.other, "flaky") == ["flaky"]
    # It had failed twice, and the receiver that works got it every time.
    assert len(published.errors("flaky")) == 2
    arrived = [
        each
        for each in published.steady.received()
        if each.texts["alertMessageId"] == published.ids["flaky"]
    ]
    assert len(arrived) == 3
    assert {each.texts["alertIncidentId"] for each in arrived} == {"flaky"}
    assert arrived.count(arrived[0]) == 3


def test_incidents_with_an_ordering_key_arrive_in_order(published: Published) -> None:
    names = ["first", "second", "third"]
    assert published.wait_for(published.other, *names) == names
    assert published.wait_for(published.steady, *names) == ["first", *names]


def test_an_incident_that_keeps_failing_becomes_a_dead_letter_and_poison_is_delivered_once(
    published: Published,
) -> None:
    assert published.emulator.wait_for_dead_letters(SECONDS) == [content_of("doomed")]
    assert len(published.errors("doomed")) == 5
    assert received_of(published.steady, "doomed") == ["doomed"] * 5
    assert received_of(published.other, "doomed") == []
    # Meanwhile the poison message could have come again as often.
    assert published.errors("poison") == ["Message dropped: the data has no incident object"]


def children(process_id: int) -> list[int]:
    path = Path(f"/proc/{process_id}/task/{process_id}/children")
    return [int(each) for each in path.read_text(encoding="ascii").split()]


@pytest.mark.load
@pytest.mark.parametrize("version", ["2c", "3"])
def test_a_burst_arrives_although_the_server_is_killed(version: str, tmp_path: Path) -> None:
    script = real_parts.need(real_parts.find_pubsub_emulator(), "the Pub/Sub emulator")
    count, seconds = 1_000, 180
    settings = SETTINGS[version]("inform", THREADS="8")
    with (
        receiver(tmp_path / "receiver", USERS) as running,
        real_parts.pubsub_emulator(script, tmp_path) as emulator,
        serve(tmp_path / "f", running.port, **settings) as served,
    ):
        emulator.create_topic("alerts")
        push_config = {"pushEndpoint": served.url}
        emulator.subscribe("alerts", "alerts", ackDeadlineSeconds=10, pushConfig=push_config)
        (worker,) = children(served.process.pid)
        names = [f"incident-{number}" for number in range(count)]
        ids = emulator.publish("alerts", *map(content_of, names))

        def arrived() -> Counter[tuple[str, str, str]]:
            texts = [each.texts for each in running.received()]
            return Counter(
                (each["alertMessageId"], each["alertIncidentId"], each["alertState"])
                for each in texts
            )

        real_parts.wait_until(lambda: len(arrived()) >= count // 3, seconds, "a third arrives")
        os.kill(worker, signal.SIGKILL)
        assert len(arrived()) < count
        real_parts.wait_until(
            lambda: children(served.process.pid) not in ([], [worker]), SECONDS, "a new worker"
        )
        real_parts.wait_until(lambda: len(arrived()) >= count, seconds, "all arrive")
        total = arrived()
    # Nothing is lost, and what came more than once is the same in all that tells it apart.
    assert sorted(total) == sorted((ids[n], name, "open") for n, name in enumerate(names))
    print(f"{total.total() - count} of {count} came more than once")


# On Cloud Run


def test_a_failure_is_reported_with_its_service_and_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Imported here, because the types of one of them would hide the others from mypy.
    error_reporting: Any = import_module("google.cloud.error_reporting")
    gapic: Any = import_module("google.cloud.error_reporting._gapic")
    api: Any = import_module("google.cloud.errorreporting_v1beta1")
    reports: list[Any] = []

    def report(request: object, _context: object) -> object:
        reports.append(request)
        return api.ReportErrorEventResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        report,
        request_deserializer=api.ReportErrorEventRequest.deserialize,
        response_serializer=api.ReportErrorEventResponse.serialize,
    )
    service = "google.devtools.clouderrorreporting.v1beta1.ReportErrorsService"
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {"ReportErrorEvent": handler})]
    )
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    real_client = error_reporting.Client

    def create_client(**settings: str) -> object:
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        client = real_client(project="my-project-id", credentials=credentials, **settings)
        transport_class = api.ReportErrorsServiceClient.get_transport_class("grpc")
        transport = transport_class(channel=grpc.insecure_channel(address))
        stub = api.ReportErrorsServiceClient(transport=transport)
        client._report_errors_api = gapic._ErrorReportingGapicApi(stub, "my-project-id")
        return client

    closed = real_parts.free_port(socket.SOCK_DGRAM)
    for name in [name for name in os.environ if name.startswith("SNMP_")]:
        monkeypatch.delenv(name)
    for name, value in v2c("inform", SNMP_RECEIVERS=f"127.0.0.1:{closed}").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("K_SERVICE", "alert-to-snmp")
    monkeypatch.setattr(error_reporting, "Client", create_client)
    app = functions_framework.create_app(  # type: ignore[no-untyped-call]
        target="send_event", source=str(real_parts.ROOT / "function/main.py")
    )
    server.start()
    try:
        body = push_of("reported")
        response = app.test_client().post("/", data=body, content_type="application/json")
        assert response.status_code == 500
    finally:
        server.stop(None).wait(SECONDS)
    (reported,) = reports
    assert reported.project_name == "projects/my-project-id"
    assert reported.event.service_context.service == "alert-to-snmp"
    assert reported.event.message.startswith("Traceback (most recent call last):\n")
    assert f"DeliveryError: 1 of 1 receivers failed: 127.0.0.1:{closed}" in reported.event.message
