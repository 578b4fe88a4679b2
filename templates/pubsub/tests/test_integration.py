"""The function behind the server that it has on Cloud Run, and Pub/Sub's emulator before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import real_parts

SECONDS = 60
BALLAST = "x" * 9_999_900  # With a name, 10 MB: the largest message that Pub/Sub takes.

# Fails as often as the message says.
FAIL = """
from collections import Counter
import flask
from structured_log import log
calls = Counter()
def replacement(message):
    name = message["name"]
    calls[name] += 1
    if calls[name] <= message.get("failures", 0):
        raise ConnectionError(f"{name} fails")
    process(message)
    pushed = flask.request.get_json()["message"]
    ballast = len(message.get("ballast", ""))
    log("INFO", "done", name=name, message_id=pushed["messageId"], ballast=ballast)
"""


@dataclass(frozen=True)
class Published:
    """What was published, with its ids by name, and what became of it so far."""

    emulator: real_parts.Emulator
    served: real_parts.Served
    ids: dict[str, str]

    def errors(self, name: str) -> list[str]:
        """Return the errors that the function logged for the message."""
        return self.served.errors(self.ids[name])

    def done(self, *names: str) -> list[str]:
        """Return which of the messages were processed, in that order."""
        wanted = {self.ids[name]: name for name in names}
        entries = self.served.lines()
        return [wanted[each["message_id"]] for each in entries if each.get("message_id") in wanted]

    def wait_until_done(self, *names: str) -> list[str]:
        def all_done() -> bool:
            return len(self.done(*names)) >= len(names)

        real_parts.wait_until(all_done, SECONDS, f"{names} are done; {self.served.lines()}")
        return self.done(*names)


def message(name: str, **fields: object) -> bytes:
    return json.dumps({"name": name, **fields}).encode()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Publish everything at once, because each redelivery takes the emulator a second."""
    script = real_parts.need(real_parts.find_pubsub_emulator(), "the Pub/Sub emulator")
    folder = tmp_path_factory.mktemp("emulator")
    source = real_parts.with_process(folder, FAIL)
    with (
        real_parts.pubsub_emulator(script, folder) as emulator,
        real_parts.serve(folder, source) as served,
    ):
        emulator.deploy("orders", served.url)
        ids = {}
        for name, content in {
            "doomed": message("doomed", failures=100),
            "poison": b"[1]",
            "flaky": message("flaky", failures=2),
            "plain": message("plain"),
            "large": message("large", ballast=BALLAST),
        }.items():
            (ids[name],) = emulator.publish("orders", content)
        for name, failures in {"first": 1, "second": 0, "third": 0}.items():
            content = message(name, failures=failures)
            (ids[name],) = emulator.publish("in-order", content, orderingKey="a customer")
        yield Published(emulator, served, ids)


def test_a_published_message_is_processed_once(published: Published) -> None:
    assert published.wait_until_done("plain") == ["plain"]
    assert published.errors("plain") == []


def test_the_largest_message_arrives_whole(published: Published) -> None:
    assert published.wait_until_done("large") == ["large"]
    (entry,) = [each for each in published.served.lines() if each.get("name") == "large"]
    assert entry["ballast"] == len(BALLAST)


def test_a_message_is_delivered_until_it_is_processed(published: Published) -> None:
    # Without an ordering key, later messages do not wait.
    assert published.wait_until_done("flaky", "plain") == ["plain", "flaky"]
    assert published.errors("flaky") == ["Message not processed: flaky fails"] * 2


def test_messages_with_an_ordering_key_wait_for_the_one_that_fails(published: Published) -> None:
    names = ["first", "second", "third"]
    assert published.wait_until_done(*names) == names
    assert published.errors("first") == ["Message not processed: first fails"]


def test_a_message_that_keeps_failing_becomes_a_dead_letter_and_poison_is_delivered_once(
    published: Published,
) -> None:
    letters = published.emulator.wait_for_dead_letters(SECONDS)
    assert letters == [message("doomed", failures=100)]
    # Meanwhile the poison message could have come again as often.
    assert published.errors("doomed") == ["Message not processed: doomed fails"] * 5
    assert published.errors("poison") == ["Message dropped: the data is JSON, but not an object"]


def test_two_messages_at_once_do_not_mix(tmp_path: Path) -> None:
    bodies = {name: real_parts.pushed(message(name)) for name in ("first", "second")}
    real_parts.assert_two_at_once_do_not_mix(tmp_path, bodies, "application/json")


def test_a_message_is_processed_before_the_server_ends(tmp_path: Path) -> None:
    body = real_parts.pushed(message("only"))
    real_parts.assert_a_request_is_answered_before_the_end(tmp_path, body, "application/json")
