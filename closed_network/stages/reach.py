"""Show in stage 1 what a client reaches of the machine: in its room nothing, outside of it all."""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from pathlib import Path

from closed_network.processes import run as run_outside
from closed_network.report import StageFailedError

from .run import TOOL_TIMEOUT, Run

# What must be out of reach, by the name that the program below prints of it.
CLAIMS = {
    "file": "a client reads no other file of this machine",
    "socket": "a client reaches no socket of this machine",
    "process": "a client sees no other process, its variables or its memory",
    "gate": "what the gate records cannot be read or written",
}
PROGRAM = """\
import contextlib, glob, json, os, socket, sys
file, address, gate = sys.argv[1:]
STAGES = b".".join([b"closed_network", b"stages"])  # not this program itself
reached = []
with contextlib.suppress(OSError):
    open(file).close()
    reached.append("file")
with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
    client.connect(address)
    reached.append("socket")
for environ in glob.glob("/proc/[0-9]*/environ"):
    process = os.path.dirname(environ)
    with contextlib.suppress(OSError):
        if STAGES in open(f"{process}/cmdline", "rb").read():
            open(environ, "rb").read()
            open(f"{process}/mem", "rb").close()
            reached.append("process")
            break
with contextlib.suppress(OSError):
    os.listdir(gate)
    os.close(os.open(f"{gate}/probe", os.O_CREAT | os.O_WRONLY))
    reached.append("gate")
print(json.dumps(reached))
"""


def show_the_room(run: Run) -> None:
    """What a client reaches of the machine, and the same program outside of a room."""
    if run.room.reason:
        for claim in CLAIMS.values():
            run.report.not_proven(claim, f"not enforced: {run.room.reason}")
        return
    hidden = run.machine.hidden
    file = hidden / "plan"
    with (
        tempfile.TemporaryDirectory(prefix="s", dir=hidden) as folder,
        socket.socket(socket.AF_UNIX) as server,
    ):
        address = Path(folder, "s")
        try:
            server.bind(str(address))
        except OSError:
            address.touch()  # the path is too long for a socket's name, so nobody reaches it
        else:
            server.listen()
        command = [sys.executable, "-I", "-c", PROGRAM]
        command += [str(file), str(address), str(hidden / "gate")]
        environment = run.machine.environment()
        outside = run_outside(command, environment, hidden, TOOL_TIMEOUT)
        inside = run.client(command, environment, run.machine.folder, TOOL_TIMEOUT)
    try:
        beyond, within = json.loads(outside.output), json.loads(inside.output)
    except ValueError:
        raise StageFailedError(f"a client's reach is not known: {inside.last_line}") from None
    for name, claim in CLAIMS.items():
        if name in within:
            raise StageFailedError(f"not so: {claim}")
        if name in beyond:
            run.report.proven(claim, "not from its room; the same program outside of one does")
        else:
            run.report.not_proven(claim, "the same program did not outside of its room either")
