"""What is rehearsed reaches nothing of the machine: no file, socket or process, and no witness."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from closed_network.namespace import entrance
from closed_network.room import find_room
from closed_network.stages.reach import CLAIMS
from tests.support.baking import Baked, bake
from tests.support.machine import need
from tests.support.rehearsals import rehearse, temporary
from tests.support.template import TEMPLATE

# A function that takes what it can get before it serves anything, and fails if it got something.
ATTACK = """
import contextlib, glob, os, pathlib, socket

def attack():
    found = set()
    for address in {sockets!r}:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(address)
            found.add("a socket")
    with contextlib.suppress(OSError):
        pathlib.Path({secret!r}).read_text()
        found.add("a file of the home")
    for process in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError):
            if {marker!r}.encode() in pathlib.Path(process, "environ").read_bytes():
                found.add("a variable")
        with contextlib.suppress(OSError):
            if b"closed_network.gate" in pathlib.Path(process, "cmdline").read_bytes():
                os.close(os.open(process + "/mem", os.O_RDWR))
                found.add("the gate's memory")
    for folder in pathlib.Path.cwd().parents:
        if folder.name.startswith("rehearsal-"):
            for record in ("gate", "records", "plan"):
                with contextlib.suppress(OSError):
                    os.rename(folder / record, folder / "moved")
                    os.rename(folder / "moved", folder / record)
                    found.add("the record")
            for token in folder.rglob(".netrc"):
                found.add("the token")
    return sorted(found)

if found := attack():
    raise RuntimeError("reached: " + ", ".join(found))
"""
REACHED = "a file of the home, a socket, a variable, the gate's memory, the record, the token"


@pytest.fixture
def addresses() -> Iterator[list[str]]:
    """Unix sockets of this machine that somebody listens on."""
    name = f"closed-{secrets.token_hex(4)}"
    places = [Path("/run"), Path("/tmp"), Path(os.environ.get("XDG_RUNTIME_DIR", "/var/run"))]  # noqa: S108
    listening = []
    with ExitStack() as servers:
        for place in dict.fromkeys(place.resolve() for place in places):
            server = servers.enter_context(socket.socket(socket.AF_UNIX))
            with suppress(OSError):  # not everybody may
                server.bind(str(place / name))
                server.listen()
                listening.append(place / name)
        assert listening
        yield [str(path) for path in listening]
    for path in listening:
        path.unlink()


@pytest.fixture
def attacker(addresses: list[str], tmp_path: Path) -> Baked:
    secret = tmp_path / "home" / "secret"
    secret.parent.mkdir()
    secret.write_text("mine", encoding="utf-8")
    product = bake(tmp_path, function_kind="http")
    main = product.path / "function" / "main.py"
    attack = ATTACK.format(sockets=addresses, secret=str(secret), marker="a-marker-of-mine")
    main.write_text(main.read_text(encoding="utf-8") + attack, encoding="utf-8")
    return product


def attacked(product: Baked, folder: Path, *options: str) -> tuple[int, str, dict[str, str]]:
    mine = {"HOME": str(folder / "home"), "MARKER": "a-marker-of-mine"}
    done = rehearse(product.path, folder, *options, **mine, TMPDIR=str(temporary(folder)))
    assert list(temporary(folder).iterdir()) == []
    said = done.sentence if done.status else done.output
    return done.status, said, done.results()


@pytest.mark.slow
def test_what_is_rehearsed_reaches_nothing(attacker: Baked, tmp_path: Path) -> None:
    need(" ".join(entrance()[0]) or None, "unshare, with the right to make namespaces,")
    status, said, results = attacked(attacker, tmp_path)
    assert (status, [results[claim] for claim in CLAIMS.values()]) == (0, ["ok"] * 4), said


@pytest.mark.slow
def test_without_namespaces_it_does_and_that_is_not_proven(attacker: Baked, tmp_path: Path) -> None:
    status, said, results = attacked(attacker, tmp_path, "--no-namespace")
    assert status == 1
    assert f"reached: {REACHED}" in said
    assert [results[claim] for claim in CLAIMS.values()] == ["NOT PROVEN"] * 4


# As those do who are not root: a user namespace, in which one is.
AS_A_USER = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"]
IN_A_ROOM = """
import os, subprocess, sys
from pathlib import Path
from closed_network.room import find_room
folder = Path(sys.argv[1])
room = find_room(folder, [])
assert not room.reason, room.reason
own = folder / "own"
own.mkdir()
program = '''
import os, sys
own, outside = sys.argv[1:]
open(own + "/written", "w").close()
assert os.environ["A"] == "b" and "PATH" not in os.environ and os.getcwd() == own
assert os.listdir("/proc/1") and not os.path.exists(outside), outside
for path in ("/new", "/usr/new", "/proc/sys/kernel/hostname", os.path.dirname(own) + "/new"):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError:
        continue
    raise SystemExit(path)
assert not any("0000000000000000" not in line for line in open("/proc/self/status")
               if line.startswith("Cap"))
raise SystemExit(7)
'''
command = [sys.executable, "-I", "-c", program, str(own), str(folder / "outside")]
command, environment, where = room.around(command, {"A": "b"}, own, writable=[own])
done = subprocess.run(command, env=environment, cwd=where)
assert (done.returncode, [p.name for p in own.iterdir()]) == (7, ["written"]), done
"""


@pytest.mark.parametrize("prefix", [[], AS_A_USER], ids=["as it is", "as a user"])
def test_a_room_has_what_it_is_given(prefix: list[str], tmp_path: Path) -> None:
    need(" ".join(entrance()[0]) or None, "unshare, with the right to make namespaces,")
    if not prefix and os.getuid() != 0:
        pytest.skip("only root makes a room without a user namespace")
    (tmp_path / "outside").touch()
    command = [*prefix, sys.executable, "-c", IN_A_ROOM, str(tmp_path)]
    done = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_where_no_room_can_be_made_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    false = need(shutil.which("false"), "false")
    (tmp_path / "unshare").symlink_to(false)
    monkeypatch.setenv("PATH", str(tmp_path))
    room = find_room(tmp_path, [])
    assert room.reason == "a client does not start in it"
    command = ["true"], {"A": "b"}, tmp_path
    assert room.around(*command) == command
