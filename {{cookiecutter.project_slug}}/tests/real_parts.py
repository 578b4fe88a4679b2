"""Real programs for the tests: the function as it is deployed, and Google's Pub/Sub emulator.

Everything listens on free ports of 127.0.0.1, starts from an environment of its own and is ended by
process id. Waiting ends with an AssertionError that shows what the program wrote.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def need(found: str | None, name: str) -> str:
    """The path of a real program; without it the test does not run here, and in CI it fails."""
    if found:
        return found
    why = f"{name} is not installed: this check did not run"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def request(url: str, method: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """Return status and answer, whatever the status; OSError when nobody answers."""
    made = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - of this machine
    for name, value in headers.items():
        made.add_header(name.replace("_", "-"), value)
    try:
        with _LOCAL.open(made, timeout=120) as response:
            return response.status, response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


@contextlib.contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A running `command` whose output goes to `log`; its process group is ended on leaving."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for request_to_end in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, request_to_end)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)


@dataclass(frozen=True)
class Served:
    """The function behind gunicorn, as on Cloud Run."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def lines(self) -> list[dict[str, Any]]:
        """The log entries so far; a line that is still being written is none yet."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def errors(self, event_id: str = "") -> list[str]:
        """What was logged as an error so far, for one event or for all."""
        entries = [each for each in self.lines() if each["severity"] == "ERROR"]
        return [each["message"] for each in entries if event_id in ("", each["event_id"])]


def entry_point() -> str:
    """The function that is deployed."""
    path = ROOT / "terraform/function/settings.auto.tfvars.json"
    name: str = json.loads(path.read_text(encoding="utf-8"))["function"]["entry_point"]
    return name


@contextlib.contextmanager
def serve(folder: Path, source: Path | None = None, **environment: str) -> Iterator[Served]:
    """Serve function/main.py, or `source`, with exactly `environment`, its log in `folder`.

    `FUNCTION_TARGET` defaults to the entry point that is deployed. Raises AssertionError when the
    function does not start.
    """
    target = environment.pop("FUNCTION_TARGET", None) or entry_point()
    port, log = free_port(), folder / "function.log"
    command = [sys.executable, "-m", "functions_framework", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--target", target]
    command += ["--source", str(source or ROOT / "function/main.py")]
    path = os.pathsep.join([str(ROOT / "function"), *filter(None, sys.path)])
    clean = {"PATH": os.defpath, "PYTHONPATH": path, "LANG": "C.UTF-8"}
    with started(command, {**clean, **environment}, log) as process:
        wait_for_port(process, port, log)
        yield Served(process, port, log)


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    def is_open() -> bool:
        assert process.poll() is None, f"{log.name}: {log.read_text(encoding='utf-8')}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    wait_until(is_open, START_SECONDS, f"port {port} of {log.name}")


# The Pub/Sub emulator, over its REST interface


def find_pubsub_emulator() -> str | None:
    """The emulator's start script in the Cloud SDK that the PATH leads to; it needs Java."""
    gcloud = shutil.which("gcloud")
    if not gcloud or not shutil.which("java"):
        return None
    emulator = Path(gcloud).resolve().parents[1] / "platform" / "pubsub-emulator"
    script = emulator / "bin" / "cloud-pubsub-emulator"
    return str(script) if script.is_file() else None


@dataclass(frozen=True)
class Emulator:
    """The topics and subscriptions of one project of its own."""

    port: int
    project: str = "my-project-id"

    def call(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Call the REST method; `path` is such as "topics/t" or "topics/t:publish"."""
        url = f"http://127.0.0.1:{self.port}/v1/projects/{self.project}/{path}"
        encoded = json.dumps(body).encode()
        status, text = request(url, method, encoded, Content_Type="application/json")
        assert status == 200, f"{method} {path}: {status} {text}"
        answer: dict[str, Any] = json.loads(text)
        return answer

    def create_topic(self, topic: str) -> None:
        self.call("PUT", f"topics/{topic}", {})

    def subscribe(self, name: str, topic: str, **settings: object) -> None:
        """Create a subscription; `settings` are fields of the REST resource."""
        body = {"topic": f"projects/{self.project}/topics/{topic}", **settings}
        self.call("PUT", f"subscriptions/{name}", body)

    def publish(self, topic: str, *contents: bytes, **fields: object) -> list[str]:
        """Publish one message for each of `contents`; return the message ids."""
        messages = [{"data": base64.b64encode(each).decode(), **fields} for each in contents]
        answer = self.call("POST", f"topics/{topic}:publish", {"messages": messages})
        return list(answer["messageIds"])

    def pull(self, subscription: str) -> list[dict[str, Any]]:
        """Take the messages that wait there."""
        path = f"subscriptions/{subscription}"
        pulled = self.call("POST", f"{path}:pull", {"maxMessages": 1000, "returnImmediately": True})
        received = list(pulled.get("receivedMessages", []))
        if received:
            ids = [each["ackId"] for each in received]
            self.call("POST", f"{path}:acknowledge", {"ackIds": ids})
        return received

    def deploy(self, topic: str, url: str) -> None:
        """Create what is deployed: `topic`, pushed to `url`, with its topic of dead letters.

        Unlike there, a redelivery waits for nothing, and the topic "in-order" keeps order.
        """
        for name in ("dead-letters", topic, "in-order"):
            self.create_topic(name)
        self.subscribe("dead-letters", "dead-letters")
        settings = {"ackDeadlineSeconds": 600, "pushConfig": {"pushEndpoint": url}}
        dead_letters = f"projects/{self.project}/topics/dead-letters"
        policy = {"deadLetterTopic": dead_letters, "maxDeliveryAttempts": 5}
        self.subscribe(topic, topic, deadLetterPolicy=policy, **settings)
        self.subscribe("in-order", "in-order", enableMessageOrdering=True, **settings)

    def wait_for_dead_letters(self, seconds: float) -> list[bytes]:
        """What was published in vain, once there is something."""
        dead: list[dict[str, Any]] = []

        def has_dead_letter() -> bool:
            dead.extend(self.pull("dead-letters"))
            return bool(dead)

        wait_until(has_dead_letter, seconds, "a dead letter")
        return [base64.b64decode(letter["message"]["data"]) for letter in dead]


def pushed(content: bytes, message_id: str = "1") -> bytes:
    """Return the body with which a subscription pushes a message."""
    encoded = base64.b64encode(content).decode()
    message = {"data": encoded, "messageId": message_id, "publishTime": "2026-11-23T09:00:00Z"}
    subscription = "projects/my-project-id/subscriptions/my-subscription"
    return json.dumps({"message": message, "subscription": subscription}).encode()


@contextlib.contextmanager
def pubsub_emulator(script: str, folder: Path) -> Iterator[Emulator]:
    """Run the emulator with its log in `folder`."""
    port, log = free_port(), folder / "emulator.log"
    # Not through gcloud, which would leave the Java process behind.
    command = [script, "--host=127.0.0.1", f"--port={port}"]
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    # Java cannot start in a folder whose name its locale does not spell.
    with started(command, {**kept, "HOME": str(folder), "LC_ALL": "C.UTF-8"}, log) as process:
        wait_for_port(process, port, log)
        yield Emulator(port)


# A function whose process() is replaced, and what holds for every kind that has one


def with_process(folder: Path, code: str) -> Path:
    """Write a source for `serve` into `folder`: main.py, then `code`, which defines `replacement`.

    `code` may call `process`, the original.
    """
    source = folder / "changed_function.py"
    lines = ["import main", "from main import *", code, "main.process = replacement", ""]
    source.write_text("\n".join(lines), encoding="utf-8")
    return source


# Each of two calls goes on when both are inside, or fails.
MEET = """
import threading
from structured_log import log
both = threading.Barrier(2, timeout=60)
def replacement(given):
    both.wait()
    log("INFO", "inside", given=str(given))
    both.wait()
    return process(given)
"""


def assert_two_at_once_do_not_mix(
    folder: Path, bodies: Mapping[str, bytes], content_type: str
) -> dict[str, str]:
    """Let two bodies, each with its key in it, be processed at the same time; return the answers.

    What is logged for one stands under the trace of its request.
    """
    traces = {name: f"{number:032x}" for number, name in enumerate(bodies, 1)}
    settings = {"GOOGLE_CLOUD_PROJECT": "my-project-id", "LOG_EXECUTION_ID": "true"}
    with serve(folder, with_process(folder, MEET), **settings) as served:

        def post(name: str) -> tuple[int, str]:
            parent = f"00-{traces[name]}-b7ad6b7169203331-01"
            headers = {"Content_Type": content_type, "traceparent": parent}
            return request(served.url, "POST", bodies[name], **headers)

        with ThreadPoolExecutor(2) as pool:
            answers = dict(zip(bodies, pool.map(post, bodies), strict=True))
        entries = served.lines()
    assert {status for status, _ in answers.values()} == {200}, (answers, entries)
    by_trace: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_trace.setdefault(entry["logging.googleapis.com/trace"], []).append(entry)
    assert len(by_trace) == 2, entries
    for name, trace in traces.items():
        mine = by_trace[f"projects/my-project-id/traces/{trace}"]
        assert [name in entry["given"] for entry in mine if entry["message"] == "inside"] == [True]
        (label,) = {str(entry["logging.googleapis.com/labels"]) for entry in mine}
        assert label not in str([each for key, each in by_trace.items() if not key.endswith(trace)])
    return {name: answer for name, (_, answer) in answers.items()}


# Tells that it is inside, and stays there until it is let go.
STAY = """
import os, pathlib, time
def replacement(given):
    pathlib.Path(os.environ["INSIDE"]).touch()
    deadline = time.monotonic() + 60
    while not pathlib.Path(os.environ["LET_GO"]).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process(given)
"""


def assert_a_request_is_answered_before_the_end(
    folder: Path, body: bytes, content_type: str
) -> None:
    """Ask the server to end while a body is processed, as Cloud Run does before it ends one."""
    inside, let_go = folder / "inside", folder / "let go"
    settings = {"INSIDE": str(inside), "LET_GO": str(let_go), "GUNICORN_LOG_LEVEL": "info"}
    with (
        serve(folder, with_process(folder, STAY), **settings) as served,
        ThreadPoolExecutor(1) as pool,
    ):

        def log() -> str:
            return served.log.read_text(encoding="utf-8")

        answer = pool.submit(request, served.url, "POST", body, Content_Type=content_type)
        try:
            wait_until(inside.exists, START_SECONDS, "process() is reached")
            served.process.terminate()
            wait_until(lambda: "Handling signal: term" in log(), 10, "the server is asked to end")
            assert not answer.done()
            assert group_exists(served.process.pid)
        finally:
            let_go.touch()
        status, text = answer.result(timeout=60)
        assert status == 200, text
        assert served.process.wait(timeout=10) == 0, log()
        wait_until(lambda: not group_exists(served.process.pid), 10, "no process is left")


def group_exists(group: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False
