"""Send events to the functions framework and read its packets from local UDP sockets."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from unittest import mock

import pytest
from google.cloud import error_reporting
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto.api import v2c

import framework_client
import snmp
from framework_client import TRACE, TRACEPARENT, load, log_lines, post, push
from incident import MAX_SUMMARY_BYTES, MAX_TEXT_BYTES
from real_parts import ROOT
from settings import NAMES, SettingsError, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import Client, TestResponse

ENTERPRISE = "1.3.6.1.4.1.32473.1"
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
SNMP_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"


class Notification(NamedTuple):
    """A decoded SNMPv2c notification; `texts` maps the N of ENTERPRISE.1.N.0 to the text."""

    kind: type
    community: str
    oid: str
    texts: dict[int, str]


class Receiver:
    """An SNMP receiver on 127.0.0.1; it answers an inform only in `acknowledge`."""

    def __init__(self, family: socket.AddressFamily, host: str) -> None:
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((host, 0))
        self.udp.settimeout(10)
        self.port = self.udp.getsockname()[1]
        self.name = f"127.0.0.1:{self.port}"

    def receive(self) -> Notification:
        return read(self.udp.recv(65_535))

    def acknowledge(
        self, *, ignored: int = 0, error_status: int = 0, id_offset: int = 0
    ) -> Notification:
        """Answer one inform, after ignoring the first `ignored`, and return it."""
        for _ in range(ignored + 1):
            packet, sender = self.udp.recvfrom(65_535)
        request, _ = decoder.decode(packet, asn1Spec=v2c.Message())
        response = v2c.apiMessage.get_response(request)
        pdu = v2c.apiMessage.get_pdu(response)
        v2c.apiPDU.set_error_status(pdu, error_status)
        v2c.apiPDU.set_request_id(pdu, v2c.apiPDU.get_request_id(pdu) + id_offset)
        self.udp.sendto(encoder.encode(response), sender)
        return read(packet)


def read(packet: bytes) -> Notification:
    message, rest = decoder.decode(packet, asn1Spec=v2c.Message())
    assert not rest
    assert int(v2c.apiMessage.get_version(message)) == 1
    pdu = v2c.apiMessage.get_pdu(message)
    pairs = [(str(oid), value) for oid, value in v2c.apiTrapPDU.get_varbinds(pdu)]
    (up_time, _), (trap_oid, notification_oid), *objects = pairs
    assert (up_time, trap_oid) == (SYS_UP_TIME, SNMP_TRAP_OID)
    assert [oid for oid, _ in objects] == [f"{ENTERPRISE}.1.{n}.0" for n in range(1, 12)]
    assert all(value.tagSet == v2c.OctetString.tagSet for _, value in objects)
    texts = {n: value.asOctets().decode() for n, (_, value) in enumerate(objects, start=1)}
    community = v2c.apiMessage.get_community(message).asOctets().decode()
    return Notification(type(pdu), community, str(notification_oid), texts)


class CreateClient(Protocol):
    """Create a client of a freshly loaded function with exactly these SNMP_* settings."""

    def __call__(self, **settings: str) -> Client: ...


@pytest.fixture(autouse=True)
def _off_cloud_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K_SERVICE", raising=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(socket.AF_INET, "127.0.0.1")
    with receiver.udp:
        yield receiver


@pytest.fixture
def silent() -> Iterator[Receiver]:
    receiver = Receiver(socket.AF_INET, "127.0.0.1")
    with receiver.udp:
        yield receiver


@pytest.fixture
def create_client(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> CreateClient:
    def create(**settings: str) -> Client:
        for name in [name for name in os.environ if name.startswith("SNMP_")]:
            monkeypatch.delenv(name)
        for name, value in {"SNMP_RECEIVERS": receiver.name, **settings}.items():
            monkeypatch.setenv(name, value)
        return framework_client.create_client()

    return create


def event_of(content: object) -> dict[str, Any]:
    """Return incident-open.json with other content: bytes unchanged, anything else as JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    event = load("incident-open.json")
    event["data"]["message"]["data"] = base64.b64encode(raw).decode()
    return event


def incident(**changes: object) -> dict[str, Any]:
    content = json.loads(base64.b64decode(load("incident-open.json")["data"]["message"]["data"]))
    return event_of(content | {"incident": content["incident"] | changes})


def failure(response: TestResponse, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the log of a delivery that Pub/Sub will repeat."""
    assert response.status_code == 500
    line, *_ = log_lines(capsys)
    assert line["severity"] == "ERROR"
    return str(line["message"])


# The events


def test_an_open_incident_becomes_notification_1_with_all_its_objects(
    create_client: CreateClient, receiver: Receiver
) -> None:
    assert post(create_client(), load("incident-open.json")).status_code == 200
    assert receiver.receive() == (
        v2c.SNMPv2TrapPDU,
        "public",
        f"{ENTERPRISE}.0.1",
        {
            1: "0.opqiw61fsv7p",
            2: "open",
            3: "CPU of the web servers",
            4: "VM Instance - CPU utilization",
            5: "Critical",
            6: "CPU utilization for my-project-id web-1 with metric labels {instance_name=web-1} "
            "is above the threshold of 0.900 with a value of 0.967.",
            7: "web-1",
            8: "2026-11-23T09:00:00Z",
            9: "",
            10: "https://console.cloud.google.com/monitoring/alerting/incidents/0.opqiw61fsv7p"
            "?project=my-project-id",
            11: "13284501712345678",
        },
    )


def test_a_closed_incident_becomes_notification_2_with_its_japanese_summary(
    create_client: CreateClient, receiver: Receiver
) -> None:
    assert post(create_client(), load("incident-closed.json")).status_code == 200
    notification = receiver.receive()
    assert notification.oid == f"{ENTERPRISE}.0.2"
    assert notification.texts[1] == "0.opqiw61fsv7p"
    assert notification.texts[2] == "closed"
    assert notification.texts[6].startswith("my-project-id の web-1 の CPU 使用率")
    assert notification.texts[9] == "2026-11-23T09:30:00Z"


def test_the_console_s_test_notification_is_sent_as_an_open_incident_without_times(
    create_client: CreateClient, receiver: Receiver
) -> None:
    assert post(create_client(), load("test-notification.json")).status_code == 200
    notification = receiver.receive()
    assert notification.oid == f"{ENTERPRISE}.0.1"
    assert notification.texts[1] == "12345"
    assert notification.texts[2] == "open"
    assert notification.texts[3] == "projects/my-project-id/alertPolicies/12345"
    assert (notification.texts[8], notification.texts[9]) == ("", "")


def test_a_pushed_message_is_the_same_message(
    create_client: CreateClient, receiver: Receiver
) -> None:
    assert push(create_client(), load("incident-open.json")["data"]["message"]).status_code == 200
    notification = receiver.receive()
    assert notification.texts[1] == "0.opqiw61fsv7p"
    assert notification.texts[11] == "13284501712345678"


# Incidents with missing or extra fields


@pytest.mark.parametrize(
    ("changes", "number", "text"),
    [
        pytest.param({"policy_name": None}, 3, "", id="null policy"),
        pytest.param({"severity": None}, 5, "No Severity", id="null severity"),
        pytest.param({"severity": "Warning"}, 5, "Warning", id="severity"),
        pytest.param({"resource_display_name": ""}, 7, "my-project-id web-1", id="resource name"),
        pytest.param(
            {"resource_display_name": None, "resource_name": None}, 7, "", id="no resource"
        ),
        pytest.param({"started_at": None}, 8, "", id="null time"),
        pytest.param({"started_at": 0}, 8, "", id="time 0"),
        pytest.param({"started_at": "1795424400"}, 8, "2026-11-23T09:00:00Z", id="time as text"),
        pytest.param({"started_at": "yesterday"}, 8, "", id="no time at all"),
        pytest.param({"started_at": -62135596800}, 8, "0001-01-01T00:00:00Z", id="year 1"),
        pytest.param({"ended_at": 1795424400}, 9, "", id="an end while it is open"),
        pytest.param({"started_at": 1e300}, 8, "", id="time beyond the calendar"),
        pytest.param({"incident_id": 12345}, 1, "12345", id="a number for a text"),
        pytest.param({"summary": "a\tb\r\nc\x00d\x7fe\x85f"}, 6, "a b  c d e f", id="controls"),
        pytest.param({"summary": "x" * 10_000}, 6, "x" * 700, id="10,000 characters"),
        pytest.param({"summary": "障" * 10_000}, 6, "障" * 233, id="cut between characters"),
        pytest.param({"policy_name": "x" * 10_000}, 3, "x" * 255, id="a long name"),
        pytest.param({"summary": "a\u2028b"}, 6, "a b", id="line separator"),
        pytest.param({"unknown": {"a": [1]}, "metric": None}, 1, "0.opqiw61fsv7p", id="unknown"),
        pytest.param({"summary": "\ud800"}, 6, "?", id="half a character"),
        pytest.param({"state": "CLOSED"}, 2, "closed", id="capitals"),
    ],
)
def test_an_imperfect_incident_is_sent_all_the_same(
    create_client: CreateClient,
    receiver: Receiver,
    changes: dict[str, object],
    number: int,
    text: str,
) -> None:
    assert post(create_client(), incident(**changes)).status_code == 200
    assert receiver.receive().texts[number] == text


def test_an_incident_needs_only_a_state(create_client: CreateClient, receiver: Receiver) -> None:
    assert post(create_client(), event_of({"incident": {"state": "open"}})).status_code == 200
    empty = dict.fromkeys(range(1, 12), "")
    assert receiver.receive().texts == empty | {
        2: "open",
        5: "No Severity",
        11: "13284501712345678",
    }


def test_the_packet_of_a_usual_incident_with_a_long_summary_needs_no_fragments(
    create_client: CreateClient, receiver: Receiver
) -> None:
    assert post(create_client(), incident(summary="障害" * 1_000)).status_code == 200
    # A VPC carries 1,460 bytes, 28 of them the headers of IP and UDP; SNMPv3 adds about 100.
    assert 1_000 < len(receiver.udp.recv(65_535)) < 1_460 - 28 - 100


# Poison messages


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(event_of(b"incident"), "not JSON", id="not JSON"),
        pytest.param(event_of([]), "no incident object", id="a list"),
        pytest.param(event_of({"version": "1.2"}), "no incident object", id="no incident"),
        pytest.param(event_of({"incident": None}), "no incident object", id="null incident"),
        pytest.param(incident(state="acknowledged"), "'acknowledged', neither", id="state"),
        pytest.param(incident(state=None), "'', neither", id="null state"),
    ],
)
def test_a_poison_message_is_logged_and_acknowledged_but_not_sent(
    create_client: CreateClient,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    reason: str,
) -> None:
    client = create_client()
    assert post(client, event).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert reason in line["message"]
    assert line["event_id"] == "13284501712345678"
    assert post(client, incident(summary="the first to arrive")).status_code == 200
    assert receiver.receive().texts[6] == "the first to arrive"


def test_a_pushed_message_with_only_attributes_is_a_poison_message(
    create_client: CreateClient, capsys: pytest.CaptureFixture[str]
) -> None:
    message = load("incident-open.json")["data"]["message"]
    del message["data"]
    assert push(create_client(), message).status_code == 200
    (line,) = log_lines(capsys)
    assert line["severity"] == "ERROR"
    assert line["message"].startswith("Message dropped: ")
    assert line["event_id"] == "13284501712345678"


def test_the_largest_message_is_judged_like_any_other(
    create_client: CreateClient, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_client()
    largest = 10_000_000  # bytes, all that Pub/Sub takes
    message = incident(summary="x" * 9_990_000)["data"]["message"]
    assert largest * 0.99 < len(base64.b64decode(message["data"])) < largest
    assert push(client, message).status_code == 200
    assert receiver.receive().texts[6] == "x" * 700
    assert log_lines(capsys)[0]["severity"] == "INFO"
    assert push(client, event_of(b"x" * largest)["data"]["message"]).status_code == 200
    assert "not JSON" in log_lines(capsys)[0]["message"]


# Settings


V3 = {
    "SNMP_VERSION": "3",
    "SNMP_USER": "monitor",
    "SNMP_AUTH_PASSWORD": "auth-password",
    "SNMP_PRIV_PASSWORD": "priv-password",
    "SNMP_ENGINE_ID": "8000000001020304",
}


def refusal(
    create_client: CreateClient, capsys: pytest.CaptureFixture[str], **settings: str
) -> str:
    """Return the log of a function that did not start."""
    with pytest.raises(SystemExit) as stopped:
        create_client(**settings)
    assert stopped.value.code == 1
    (line,) = log_lines(capsys)
    assert line["severity"] == "CRITICAL"
    return str(line["message"])


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("SNMP_RECEIVERS", "", "SNMP_RECEIVERS is empty"),
        ("SNMP_RECEIVERS", " , ", "SNMP_RECEIVERS is empty"),
        ("SNMP_RECEIVERS", "manager", "'manager' is not host:port"),
        ("SNMP_RECEIVERS", "manager:", "'manager:' is not host:port"),
        ("SNMP_RECEIVERS", "manager:snmp", "'manager:snmp' is not host:port"),
        ("SNMP_RECEIVERS", "manager:0", "'manager:0' is not host:port"),
        ("SNMP_RECEIVERS", "manager:65536", "'manager:65536' is not host:port"),
        ("SNMP_RECEIVERS", "::1:162", "'::1:162' is not host:port"),
        ("SNMP_RECEIVERS", "[::1::2]:162", "'[::1::2]:162' is not host:port"),
        ("SNMP_RECEIVERS", "127.0.0.1:162,two words:162", "'two words:162' is not host:port"),
        ("SNMP_VERSION", "2", "SNMP_VERSION is '2'; give 2c or 3"),
        ("SNMP_COMMUNITY", "", "SNMP_COMMUNITY is shorter than 1"),
        ("SNMP_COMMUNITY", "public\n", "white space around it"),
        ("SNMP_NOTIFICATION", "Trap", "SNMP_NOTIFICATION is 'Trap'; give trap or inform"),
        ("SNMP_ENTERPRISE_OID", "", "SNMP_ENTERPRISE_OID is ''"),
        ("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1", "SNMP_ENTERPRISE_OID is '1.3.6.1.4.1'"),
        ("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1.x", "SNMP_ENTERPRISE_OID is '1.3.6.1.4.1.x'"),
        ("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1.4294967296", "SNMP_ENTERPRISE_OID is"),
        ("SNMP_TIMEOUT", "soon", "SNMP_TIMEOUT is 'soon'"),
        ("SNMP_TIMEOUT", "0", "SNMP_TIMEOUT is '0'"),
        ("SNMP_TIMEOUT", "nan", "SNMP_TIMEOUT is 'nan'"),
        ("SNMP_TIMEOUT", "61", "SNMP_TIMEOUT is '61'; give 0.01 to 60 seconds"),
        ("SNMP_TIMEOUT", "1e-300", "SNMP_TIMEOUT is '1e-300'"),
        ("SNMP_COMMUNITY", "abc\udcffdef", "or is not UTF-8"),
        ("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1" + ".1" * 120, "SNMP_ENTERPRISE_OID is"),
        ("SNMP_USER", "monitor", "SNMP_USER is set, but SNMP_VERSION is '2c'"),
        ("SNMP_AUTH_PASSWORD", "auth-password", "SNMP_AUTH_PASSWORD is set, but"),
        ("SNMP_RECIEVERS", "m:162", "SNMP_RECIEVERS is unknown (did you mean SNMP_RECEIVERS?)"),
        ("SNMP_PORT", "162", "SNMP_PORT is unknown ("),
        ("SNMP_PRIV_PASSWORD", "priv-password", "SNMP_PRIV_PASSWORD is set, but"),
    ],
)
def test_a_function_with_a_bad_setting_names_it_and_does_not_start(
    create_client: CreateClient,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    problem: str,
) -> None:
    message = refusal(create_client, capsys, **{name: value})
    assert message.startswith("Not started: ")
    assert problem in message


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("SNMP_USER", "", "SNMP_USER is ''"),
        ("SNMP_USER", "monitor ", "SNMP_USER is 'monitor '"),
        ("SNMP_USER", "監視", "give 1 to 32 ASCII characters"),
        ("SNMP_USER", "x" * 33, "give 1 to 32 ASCII characters"),
        ("SNMP_AUTH_PASSWORD", "auth-password\udcff", "or is not UTF-8"),
        ("SNMP_ENGINE_ID", "00" * 5, "SNMP_ENGINE_ID is '0000000000'"),
        ("SNMP_ENGINE_ID", "FF" * 5, "SNMP_ENGINE_ID is 'FFFFFFFFFF'"),
        ("SNMP_AUTH_PROTOCOL", "MD5", "SNMP_AUTH_PROTOCOL is 'MD5'; give SHA-256 or SHA-224"),
        ("SNMP_PRIV_PROTOCOL", "DES", "SNMP_PRIV_PROTOCOL is 'DES'; give AES-128 or AES-192"),
        ("SNMP_AUTH_PASSWORD", "1234567", "SNMP_AUTH_PASSWORD is shorter than 8 characters"),
        ("SNMP_PRIV_PASSWORD", "1234567", "SNMP_PRIV_PASSWORD is shorter than 8 characters"),
        ("SNMP_PRIV_PASSWORD", "priv-password\n", "white space around it"),
        ("SNMP_ENGINE_ID", "", "SNMPv3 traps need the 10 to 64"),
        ("SNMP_ENGINE_ID", "80000000", "SNMP_ENGINE_ID is '80000000'"),
        ("SNMP_ENGINE_ID", "80000000010203zz", "SNMP_ENGINE_ID is '80000000010203zz'"),
        ("SNMP_ENGINE_ID", "800000000102030", "SNMP_ENGINE_ID is '800000000102030'"),
    ],
)
def test_a_function_with_a_bad_setting_of_snmpv3_names_it_and_does_not_start(
    create_client: CreateClient,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    problem: str,
) -> None:
    create_client(**V3)
    message = refusal(create_client, capsys, **V3 | {name: value})
    assert problem in message
    assert "; SNMP_" not in message  # One problem, one complaint.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SNMP_RECEIVERS", "127.0.0.1:1"),
        ("SNMP_RECEIVERS", " 127.0.0.1:65535 , localhost:162,"),
        ("SNMP_COMMUNITY", "監視"),
        ("SNMP_NOTIFICATION", "trap"),
        ("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1.4294967295"),
        ("SNMP_ENTERPRISE_OID", "1.3.6.1.4.1" + ".1" * 119),
        ("SNMP_TIMEOUT", "0.5"),
        ("SNMP_TIMEOUT", "60"),
    ],
)
def test_a_good_setting_is_accepted(create_client: CreateClient, name: str, value: str) -> None:
    assert post(create_client(**{name: value}), load("incident-open.json")).status_code == 200


def test_snmpv3_has_the_stronger_algorithms_by_default_and_informs_need_no_engine_id() -> None:
    del (environment := {"SNMP_RECEIVERS": "127.0.0.1:162", **V3})["SNMP_ENGINE_ID"]
    settings = read_settings(environment | {"SNMP_NOTIFICATION": "inform"})
    assert settings.user
    assert (settings.user.auth_protocol, settings.user.priv_protocol) == ("SHA-256", "AES-128")
    assert read_settings({**environment, "SNMP_ENGINE_ID": "0x8000000001"}).engine_id == bytes(
        [128, 0, 0, 0, 1]
    )


@pytest.mark.parametrize("name", ["SNMP_AUTH_PASSWORD", "SNMP_PRIV_PASSWORD"])
def test_a_password_that_is_not_set_is_not_said_to_be_short(name: str) -> None:
    environment = {"SNMP_RECEIVERS": "127.0.0.1:162", **V3}
    assert read_settings(environment).user
    del environment[name]
    with pytest.raises(SettingsError) as refused:
        read_settings(environment)
    assert str(refused.value) == f"{name} is not set; give 8 characters or more"


@pytest.mark.parametrize("name", NAMES)
def test_every_known_name_is_read(name: str) -> None:
    environment = {"SNMP_RECEIVERS": "127.0.0.1:162", **V3}
    with pytest.raises(SettingsError, match=f"^{name} is "):
        read_settings({**environment, name: " "})


def test_settings_do_not_show_their_secrets() -> None:
    environment = {"SNMP_RECEIVERS": "127.0.0.1:162", "SNMP_COMMUNITY": "correct-horse", **V3}
    printed = repr(read_settings(environment))
    assert "monitor" in printed
    assert [secret for secret in ("correct-horse", "password'") if secret in printed] == []


def test_all_bad_settings_are_named_at_once_and_no_secret_with_them(
    create_client: CreateClient, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "SNMP_VERSION": "3",
        "SNMP_RECEIVERS": "one, two",
        "SNMP_COMMUNITY": "horse ",
        "SNMP_NOTIFICATION": "",
        "SNMP_ENTERPRISE_OID": "",
        "SNMP_TIMEOUT": "",
        "SNMP_AUTH_PASSWORD": "battery",
        "SNMP_PRIV_PASSWORD": "staple",
    }
    message = refusal(create_client, capsys, **settings)
    problems = ["'one'", "'two'", "COMMUNITY", "NOTIFICATION", "ENTERPRISE_OID", "TIMEOUT"]
    problems += ["SNMP_USER", "AUTH_PASSWORD", "PRIV_PASSWORD", "ENGINE_ID"]
    assert [problem for problem in problems if problem not in message] == []
    assert [secret for secret in ("horse", "battery", "staple") if secret in message] == []


def test_settings_are_read_once(
    create_client: CreateClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_client()
    post(client, load("incident-open.json"))
    monkeypatch.setenv("SNMP_COMMUNITY", "changed")
    post(client, load("incident-open.json"))
    assert [receiver.receive().community for _ in range(2)] == ["public", "public"]


def test_the_enterprise_oid_is_the_root_of_every_oid(
    create_client: CreateClient, receiver: Receiver
) -> None:
    post(create_client(SNMP_ENTERPRISE_OID="1.3.6.1.4.1.99999"), load("incident-open.json"))
    message, _ = decoder.decode(receiver.udp.recv(65_535), asn1Spec=v2c.Message())
    pairs = v2c.apiTrapPDU.get_varbinds(v2c.apiMessage.get_pdu(message))
    assert str(pairs[1][1]) == "1.3.6.1.4.1.99999.0.1"
    assert str(pairs[2][0]) == "1.3.6.1.4.1.99999.1.1.0"


def test_an_ipv6_receiver_is_written_in_brackets(create_client: CreateClient) -> None:
    try:
        receiver = Receiver(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with receiver.udp:
        client = create_client(SNMP_RECEIVERS=f"[::1]:{receiver.port}")
        assert post(client, load("incident-open.json")).status_code == 200
        assert receiver.receive().texts[2] == "open"


def resolve(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
    """Replace the resolver by one that knows one name."""
    if host != "manager.example":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", ("127.0.0.1", port))]


def test_a_receiver_may_have_a_name(
    create_client: CreateClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_client(SNMP_RECEIVERS=f"manager.example:{receiver.port}")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert post(client, load("incident-open.json")).status_code == 200
    assert receiver.receive().texts[2] == "open"


# Delivery


def test_an_inform_succeeds_when_it_is_acknowledged(
    create_client: CreateClient, receiver: Receiver
) -> None:
    client = create_client(SNMP_NOTIFICATION="inform")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(receiver.acknowledge)
        assert post(client, load("incident-open.json")).status_code == 200
    notification = answer.result()
    assert notification.kind is v2c.InformRequestPDU
    assert notification.oid == f"{ENTERPRISE}.0.1"
    assert notification.texts[1] == "0.opqiw61fsv7p"


def test_an_inform_is_sent_again_once(create_client: CreateClient, receiver: Receiver) -> None:
    client = create_client(SNMP_NOTIFICATION="inform", SNMP_TIMEOUT="0.3")
    with ThreadPoolExecutor() as pool:
        pool.submit(receiver.acknowledge, ignored=1)
        assert post(client, load("incident-open.json")).status_code == 200


def test_an_inform_without_an_answer_fails_and_names_the_receiver(
    create_client: CreateClient, silent: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_client(
        SNMP_RECEIVERS=silent.name, SNMP_NOTIFICATION="inform", SNMP_TIMEOUT="0.1"
    )
    message = failure(post(client, load("incident-open.json")), capsys)
    assert f"1 of 1 receivers failed: {silent.name} (no answer to 2 informs)" in message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param({"error_status": 16}, "it answered authorizationError", id="an error"),
        pytest.param({"id_offset": 1}, "does not belong to the inform", id="another request id"),
    ],
)
def test_an_inform_with_a_bad_answer_fails(
    create_client: CreateClient,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
    answer: dict[str, int],
    reason: str,
) -> None:
    client = create_client(SNMP_NOTIFICATION="inform")
    with ThreadPoolExecutor() as pool:
        pool.submit(receiver.acknowledge, **answer)
        response = post(client, load("incident-open.json"))
    assert reason in failure(response, capsys)


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\x30\x80" * 500, b"\x30\x03\x02\x01\x01"])
def test_an_answer_that_is_garbage_does_not_acknowledge_an_inform(
    create_client: CreateClient,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
    garbage: bytes,
) -> None:
    client = create_client(SNMP_NOTIFICATION="inform")
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: receiver.udp.sendto(garbage, receiver.udp.recvfrom(65_535)[1]))
        response = post(client, load("incident-open.json"))
    assert "its answer is not an SNMPv2c message" in failure(response, capsys)


def test_an_echo_of_the_inform_does_not_acknowledge_it(
    create_client: CreateClient, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_client(SNMP_NOTIFICATION="inform")
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: receiver.udp.sendto(*receiver.udp.recvfrom(65_535)))
        response = post(client, load("incident-open.json"))
    assert "does not belong to the inform" in failure(response, capsys)


def test_a_receiver_that_fails_does_not_stop_the_others(
    create_client: CreateClient,
    receiver: Receiver,
    silent: Receiver,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = create_client(
        SNMP_RECEIVERS=f"{silent.name},{receiver.name}",
        SNMP_NOTIFICATION="inform",
        SNMP_TIMEOUT="0.3",
    )
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(receiver.acknowledge)
        response = post(client, load("incident-open.json"))
    assert answer.result().texts[1] == "0.opqiw61fsv7p"
    message = failure(response, capsys)
    assert f"1 of 2 receivers failed: {silent.name} " in message
    assert receiver.name not in message


def test_a_name_that_does_not_resolve_fails_and_the_others_get_the_trap(
    create_client: CreateClient,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = create_client(SNMP_RECEIVERS=f"gone.example:162,manager.example:{receiver.port}")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    response = post(client, load("incident-open.json"))
    assert "1 of 2 receivers failed: gone.example:162 " in failure(response, capsys)
    assert receiver.receive().texts[2] == "open"


def test_silent_receivers_are_waited_for_at_the_same_time(
    create_client: CreateClient, capsys: pytest.CaptureFixture[str]
) -> None:
    receivers = [Receiver(socket.AF_INET, "127.0.0.1") for _ in range(5)]
    client = create_client(
        SNMP_RECEIVERS=",".join(receiver.name for receiver in receivers),
        SNMP_NOTIFICATION="inform",
        SNMP_TIMEOUT="0.3",
    )
    start = time.monotonic()
    response = post(client, load("incident-open.json"))
    elapsed = time.monotonic() - start
    for receiver in receivers:
        receiver.udp.close()
    assert "5 of 5 receivers failed" in failure(response, capsys)
    assert 0.6 <= elapsed < 2.0  # One after the other would take 3.0 s.


def test_a_failure_without_words_is_named(
    create_client: CreateClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_client()
    monkeypatch.setattr(socket, "getaddrinfo", mock.Mock(side_effect=MemoryError))
    response = post(client, load("incident-open.json"))
    assert "(MemoryError)" in failure(response, capsys)


# SNMPv3; test_integration.py sends it to real receivers


def security(packet: bytes) -> list[Any]:
    """Return engine id, boots, time, user, digest and salt of an SNMPv3 packet."""
    message, _ = decoder.decode(packet)
    assert message[0] == 3
    parameters, _ = decoder.decode(message[2])
    return [parameters[number] for number in range(6)]


def test_an_snmpv3_trap_is_encrypted_and_its_clock_counts_from_2026(
    create_client: CreateClient, receiver: Receiver
) -> None:
    client = create_client(**V3)
    assert post(client, load("incident-open.json")).status_code == 200
    packet = receiver.udp.recv(65_535)
    engine_id, boots, seconds, user, digest, salt = security(packet)
    assert bytes(engine_id).hex() == V3["SNMP_ENGINE_ID"]
    assert boots == 1
    start_of_2026 = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert int(seconds) == pytest.approx(time.time() - start_of_2026, abs=60)
    assert bytes(user) == b"monitor"
    assert (len(digest), len(salt)) == (24, 8)  # SHA-256 cut to 192 bits, and AES
    secrets = [b"0.opqiw61fsv7p", b"auth-password", b"priv-password"]
    assert [secret for secret in secrets if secret in packet] == []


def test_an_snmpv3_inform_without_a_useful_answer_fails_and_names_the_receiver(
    create_client: CreateClient, silent: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = V3 | {"SNMP_NOTIFICATION": "inform", "SNMP_TIMEOUT": "0.5"}
    client = create_client(SNMP_RECEIVERS=silent.name, **settings)
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: silent.udp.sendto(b"garbage", silent.udp.recvfrom(65_535)[1]))
        response = post(client, load("incident-open.json"))
    assert response.status_code == 500
    message = log_lines(capsys)[-1]["message"]
    assert f"1 of 1 receivers failed: {silent.name} (" in message


def test_an_engine_that_does_not_end_does_not_block_the_request(
    create_client: CreateClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_client(**V3, SNMP_TIMEOUT="0.1")
    assert post(client, load("incident-open.json")).status_code == 200
    log_lines(capsys)
    monkeypatch.setattr(sys.modules["snmp_v3"], "_notify", lambda *_: asyncio.sleep(60))
    monkeypatch.setattr(sys.modules["snmp_v3"], "SPARE_SECONDS", 0)
    response = post(client, load("incident-open.json"))
    assert "(the engine did not end in 0.2 s)" in failure(response, capsys)


# Logs and reports


@pytest.mark.parametrize(
    "receivers", ["127.0.0.1:162", "nowhere.invalid:162"], ids=["sent", "failed"]
)
def test_the_community_is_sent_but_never_logged(
    create_client: CreateClient,
    receiver: Receiver,
    capfd: pytest.CaptureFixture[str],
    receivers: str,
) -> None:
    client = create_client(
        SNMP_RECEIVERS=f"{receiver.name},{receivers}", SNMP_COMMUNITY="correct-horse"
    )
    response = post(client, load("incident-open.json"))
    assert response.status_code == (500 if "nowhere" in receivers else 200)
    assert receiver.receive().community == "correct-horse"
    captured = capfd.readouterr()
    assert "severity" in captured.out
    assert "correct-horse" not in captured.out + captured.err + response.text


def test_every_log_line_belongs_to_the_trace_of_its_request(
    create_client: CreateClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project-id")
    client = create_client()
    post(client, load("incident-open.json"), traceparent=TRACEPARENT)
    post(client, event_of([]), traceparent=TRACEPARENT)
    lines = log_lines(capsys)
    assert [line["severity"] for line in lines] == ["INFO", "ERROR"]
    assert {line["logging.googleapis.com/trace"] for line in lines} == {
        f"projects/my-project-id/traces/{TRACE}"
    }


@pytest.fixture
def reporter(monkeypatch: pytest.MonkeyPatch) -> mock.MagicMock:
    """Put the function on Cloud Run, with a fake of the real client's shape."""
    client_class: mock.MagicMock = mock.create_autospec(error_reporting.Client)
    monkeypatch.setattr(error_reporting, "Client", client_class)
    monkeypatch.setenv("K_SERVICE", "my-function")
    return client_class


@pytest.fixture
def failing_client(create_client: CreateClient, silent: Receiver) -> Client:
    return create_client(
        SNMP_RECEIVERS=silent.name, SNMP_NOTIFICATION="inform", SNMP_TIMEOUT="0.05"
    )


def test_a_failure_on_cloud_run_is_reported_with_its_stack(
    failing_client: Client, reporter: mock.MagicMock
) -> None:
    assert post(failing_client, load("incident-open.json")).status_code == 500
    reporter.assert_called_once_with(service="my-function")
    (stack,) = reporter.return_value.report.call_args.args
    assert stack.startswith("Traceback (most recent call last):")
    assert "DeliveryError: 1 of 1 receivers failed" in stack


def test_a_failure_elsewhere_is_not_reported(
    failing_client: Client, reporter: mock.MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("K_SERVICE")
    assert post(failing_client, load("incident-open.json")).status_code == 500
    reporter.assert_not_called()


def test_neither_a_success_nor_a_poison_message_is_reported(
    create_client: CreateClient, reporter: mock.MagicMock
) -> None:
    client = create_client()
    assert post(client, load("incident-open.json")).status_code == 200
    assert post(client, event_of([])).status_code == 200
    reporter.assert_not_called()


def test_a_report_without_credentials_does_not_hide_the_failure(
    failing_client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("K_SERVICE", "my-function")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(ROOT / "absent.json"))
    assert post(failing_client, load("incident-open.json")).status_code == 500
    error, warning = log_lines(capsys)
    assert error["severity"] == "ERROR"
    assert "1 of 1 receivers failed" in error["message"]
    assert warning["severity"] == "WARNING"
    assert "DefaultCredentialsError" in warning["message"]


def test_a_report_that_hangs_does_not_delay_the_failure(
    failing_client: Client,
    reporter: mock.MagicMock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = threading.Event()
    reporter.return_value.report.side_effect = lambda _: release.wait(30)
    monkeypatch.setattr(sys.modules["main"], "REPORT_SECONDS", 0.1)
    start = time.monotonic()
    response = post(failing_client, load("incident-open.json"))
    elapsed = time.monotonic() - start
    release.set()
    assert response.status_code == 500
    assert elapsed < 5
    assert "no answer in 0.1 s" in log_lines(capsys)[-1]["message"]


# The MIB


def mib() -> str:
    return (ROOT / "mibs/ALERT-TO-SNMP-MIB.txt").read_text(encoding="utf-8")


def test_the_mib_names_every_notification_and_object_and_no_other() -> None:
    numbers = dict(
        re.findall(
            r"^alert(\w+) (?:OBJECT|NOTIFICATION)-TYPE\n.*?::= \{ \w+ (\d+) \}",
            mib(),
            re.DOTALL | re.MULTILINE,
        )
    )
    names = {"Opened": "open", "Closed": "closed"}
    notifications = {names[name]: int(numbers.pop(name)) for name in names}
    assert notifications == snmp.NOTIFICATION_NUMBERS
    objects = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): n for name, n in numbers.items()}
    assert {name: int(number) for name, number in objects.items()} == snmp.OBJECTS


def test_the_mib_has_the_limits_of_the_texts() -> None:
    sizes = dict(
        re.findall(
            r"^(Alert\w+) ::= TEXTUAL.*?SIZE \(0\.\.(\d+)\)", mib(), re.DOTALL | re.MULTILINE
        )
    )
    assert sizes == {"AlertText": str(MAX_TEXT_BYTES), "AlertLongText": str(MAX_SUMMARY_BYTES)}


def test_the_mib_has_the_enterprise_oid_that_is_deployed() -> None:
    path = ROOT / "terraform/function/settings.auto.tfvars.json"
    function = json.loads(path.read_text(encoding="utf-8"))["function"]
    environment = {"SNMP_RECEIVERS": "127.0.0.1:162"}
    if oid := function["environment"].get("SNMP_ENTERPRISE_OID"):
        environment["SNMP_ENTERPRISE_OID"] = oid
    (root,) = re.findall(r"^    ::= \{ iso (.*) \}$", mib(), re.MULTILINE)
    arcs = re.findall(r"(?:\w+\()?(\d+)\)?", re.sub(r"[a-z]+\(", "(", root))
    assert ".".join(["1", *arcs]) == read_settings(environment).enterprise_oid


def test_the_slow_libraries_wait_for_their_first_use() -> None:
    code = "import main, sys; print(*sys.modules)"
    path = os.pathsep.join([str(ROOT / "function"), *sys.path])
    settings = {"SNMP_RECEIVERS": "127.0.0.1:162", "PYTHONPATH": path}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = result.stdout.split()
    assert "functions_framework" in loaded
    slow = ("asyncio", "pyasn1", "pysnmp", "google.cloud.error_reporting", "grpc")
    assert [name for name in loaded if name.startswith(slow)] == []
