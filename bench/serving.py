"""Functions behind functions-framework's own server, as on Cloud Run, and a receiver of traps."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from closed_network.processes import started

from .pairs import PRODUCT, TEMPLATE

FRAMEWORK = TEMPLATE / ".venv-functions" / "bin" / "functions-framework"
START_SECONDS = 60
ANSWER_SECONDS = 30
TRAP_SECONDS = 2


@dataclass(frozen=True)
class Function:
    """A source, its entry point, the event that it gets and the settings that it reads."""

    source: Path
    target: str
    event: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join([str(self.source.parent), str(PRODUCT / "function")]),
            # Byte code would be copied into products; a deployed source has none either.
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.settings,
        }


class Server:
    """One instance of a function: gunicorn with one worker."""

    def __init__(
        self, process: subprocess.Popen[str], spawned: float, port: int, log: Path, event: bytes
    ) -> None:
        self.process, self.port, self.log, self.event = process, port, log, event
        self.spawned = spawned
        kind = "cloudevents+json" if "specversion" in json.loads(event) else "json"
        self.headers = {"Content-Type": f"application/{kind}"}

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)

    def wait(self) -> None:
        """Return as soon as connections are accepted."""
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), closing(self.connect()) as connection:
                connection.connect()
                return
            time.sleep(0.002)
        raise RuntimeError(self.log.read_text(encoding="utf-8"))

    def answers(self, connection: http.client.HTTPConnection) -> bool:
        """Post the event; tell whether the answer is 200."""
        try:
            connection.request("POST", "/", self.event, self.headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return False
        return response.status == 200

    def age(self) -> float:
        """Return the seconds since its process was started."""
        return time.perf_counter() - self.spawned

    def request_seconds(self) -> float:
        start = time.perf_counter()
        with closing(self.connect()) as connection:
            if not self.answers(connection):
                raise RuntimeError(self.log.read_text(encoding="utf-8"))
        return time.perf_counter() - start

    def burst(self, clients: int, events: int) -> tuple[int, float]:
        """Post `events` from so many clients at once; return the answers of 200 and the seconds."""

        def client(_number: int) -> int:
            with closing(self.connect()) as connection:
                return sum(self.answers(connection) for _ in range(events // clients))

        start = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            answered = sum(pool.map(client, range(clients)))
        return answered, time.perf_counter() - start

    def peak_mib(self) -> float:
        """The peak memory of master and worker; pages that they share count twice. Linux only."""
        master = Path("/proc", str(self.process.pid))
        workers = Path(master, "task", master.name, "children").read_text(encoding="ascii").split()
        statuses = [
            Path("/proc", pid, "status").read_text(encoding="utf-8")
            for pid in (master.name, *workers)
        ]
        return sum(int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) for status in statuses) / 1024


@contextmanager
def serve(function: Function, **environment: str) -> Iterator[Server]:
    """The function's server, which accepts connections; it is ended on leaving."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [str(FRAMEWORK), "--source", str(function.source), "--target", function.target]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    event = function.event.read_bytes()
    with tempfile.TemporaryDirectory() as name, Path(name, "log").open("wb") as log:
        everything = {**function.environment, **environment}
        spawned = time.perf_counter()
        with started(command, everything, Path(name), log.fileno()) as process:
            server = Server(process, spawned, port, Path(log.name), event)
            server.wait()
            yield server


class Traps:
    """A UDP socket that counts what arrives."""

    def __init__(self, udp: socket.socket) -> None:
        self.udp, self.count = udp, 0
        self.address = "{}:{}".format(*udp.getsockname())

    def listen(self) -> None:
        while self.udp.recv(65_535):
            self.count += 1

    def wait_for(self, count: int) -> bool:
        deadline = time.monotonic() + TRAP_SECONDS
        while self.count < count and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.count >= count


@contextmanager
def receive_traps() -> Iterator[Traps]:
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        traps = Traps(udp)
        thread = threading.Thread(target=traps.listen)
        thread.start()
        try:
            yield traps
        finally:
            udp.sendto(b"", udp.getsockname())  # an empty packet ends it
            thread.join()
