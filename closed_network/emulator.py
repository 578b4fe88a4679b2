"""Google's own Pub/Sub emulator, over its REST interface."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from .processes import free_port, listens, started

START_TIMEOUT = 60


def find_pubsub_emulator() -> str | None:
    """Return the start script in the Cloud SDK that the PATH leads to; it needs Java."""
    gcloud = shutil.which("gcloud")
    if not gcloud or not shutil.which("java"):
        return None
    emulator = Path(gcloud).resolve().parents[1] / "platform" / "pubsub-emulator"
    script = emulator / "bin" / "cloud-pubsub-emulator"
    return str(script) if script.is_file() else None


class Emulator:
    """A running emulator on `port` of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.session = requests.Session()
        self.session.trust_env = False

    def call(self, method: str, name: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Call a method of `name`, such as projects/p/topics/t:publish; requests' exceptions."""
        url = f"http://127.0.0.1:{self.port}/v1/{name}"
        answer = self.session.request(method, url, json=body, timeout=START_TIMEOUT)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content


@contextlib.contextmanager
def pubsub_emulator(script: str, folder: Path) -> Iterator[Emulator]:
    """Run the emulator with its log in `folder`; OSError when it does not start."""
    port = free_port()
    # Not through gcloud, which would leave the Java process behind.
    command = [script, "--host=127.0.0.1", f"--port={port}"]
    kept = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    path = os.pathsep.join([str(Path(shutil.which("java") or "").parent), os.defpath])
    environment = {**kept, "PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    with (
        (folder / "emulator.log").open("wb") as log,
        started(command, environment, folder, log.fileno()) as process,
    ):
        if not listens(process, port, START_TIMEOUT):
            raise OSError("the Pub/Sub emulator did not start")
        yield Emulator(port)
