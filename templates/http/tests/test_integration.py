"""The function behind the server that it has on Cloud Run."""

from __future__ import annotations

import json
from pathlib import Path

import real_parts

JSON = "application/json"


def body(name: str) -> bytes:
    return json.dumps({name: 1}).encode()


def test_two_requests_at_once_do_not_mix(tmp_path: Path) -> None:
    bodies = {name: body(name) for name in ("first", "second")}
    answers = real_parts.assert_two_at_once_do_not_mix(tmp_path, bodies, JSON)
    assert {name: json.loads(answer) for name, answer in answers.items()} == {
        "first": {"keys": ["first"]},
        "second": {"keys": ["second"]},
    }


def test_a_request_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    real_parts.assert_a_request_is_answered_before_the_end(tmp_path, body("only"), JSON)
