"""A real Chromium that opens a page and tells what it drew, asked for and complained of.

It is spoken to by the DevTools protocol over a pipe, so that nothing listens anywhere, and it can
reach no host.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from closed_network.processes import end_gently

# Chromium reads commands from descriptor 3 and writes to 4. Not every sh has numbers above 9.
ON_ITS_DESCRIPTORS = 'exec "$@" 3<&%d 4>&%d'
OPTIONS = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars
    --disable-background-networking --disable-component-update --disable-sync
    --disable-dev-shm-usage --remote-debugging-pipe
""".split()
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND"


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Tab:
    """One page of a running Chromium.

    `asked` lists the URLs that it asked for, `complaints` what it wrote to its console, the
    violations of a page's policy among it.
    """

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self.commands, self.answers = commands, answers
        self.number = 0
        self.unread = b""
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.loaded = False
        self.session: str | None = None
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        attached = self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.tell(f"{domain}.enable")

    def tell(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send one command and return its result; events that come before it are noted."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.number:
            self.note(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def read(self) -> dict[str, Any]:
        while b"\0" not in self.unread:
            more = self.answers.read(1 << 16)
            assert more, "Chromium has ended"
            self.unread += more
        text, _, self.unread = self.unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def note(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(parameters))
        elif method == "Page.loadEventFired":
            self.loaded = True

    def open(self, path: Path) -> None:
        """Open the file `path` and wait until it is loaded, with whatever it asks for."""
        self.asked, self.complaints, self.loaded = [], [], False
        self.tell("Page.navigate", url=path.as_uri())
        while not self.loaded:
            self.note(self.read())
        self.evaluate("document.fonts.ready.then(() => 1)")

    def show(self, *, width: int, scheme: str = "light", media: str = "screen") -> None:
        """Lay the page out `width` CSS pixels wide, in a colour scheme, on screen or in print."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.tell("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.tell("Emulation.setEmulatedMedia", media=media, features=features)

    def evaluate(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """The value of `script`, which the page's own policy does not bind."""
        result = self.tell(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write the whole page to `path` as PNG."""
        shot = self.tell("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def chromium(program: str, folder: Path) -> Iterator[Tab]:
    """A tab of a new Chromium that keeps everything in `folder`."""
    its_commands, commands = os.pipe()
    answers, its_answers = os.pipe()
    environment = {"HOME": str(folder), "PATH": os.defpath, "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        [
            *("bash", "-c", ON_ITS_DESCRIPTORS % (its_commands, its_answers), "bash", program),
            *(*OPTIONS, NOWHERE, f"--user-data-dir={folder / 'profile'}", "about:blank"),
        ],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        pass_fds=[its_commands, its_answers],
    )
    os.close(its_commands)
    os.close(its_answers)
    try:
        with os.fdopen(commands, "wb", 0) as to_it, os.fdopen(answers, "rb", 0) as from_it:
            yield Tab(to_it, from_it)
    finally:
        end_gently(process)
