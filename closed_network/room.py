"""A room for one client: files, processes and messages of its own, and no rights.

In it are the system's programs, what a client is given, and the client's own processes. The files,
sockets and processes of the machine are not there, nor is the gate, nor what starts the client.
Linux only, with util-linux; `python room.py FILE` runs as the room's first process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

# What a program needs of a system; of /etc nothing that configures a client or is secret.
SYSTEM = """
    /usr /bin /sbin /lib /lib32 /lib64 /libx32 /nix/store /gnu/store /home/linuxbrew/.linuxbrew
    /etc/alternatives /etc/group /etc/hosts /etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d
    /etc/localtime /etc/mime.types /etc/nsswitch.conf /etc/passwd /etc/pki /etc/protocols
    /etc/services /etc/ssl/certs /etc/ssl/openssl.cnf
    /dev/full /dev/null /dev/random /dev/urandom /dev/zero
""".split()
EMPTY = ("/dev/shm", "/proc", "/run", "/tmp", "/var/tmp")  # noqa: S108 - of the room, not of this machine

# <linux/mount.h>, <linux/prctl.h>, <linux/capability.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 1, 2, 4, 8, 4096, 16384
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
CAPABILITIES_V3, LAST_CAPABILITY = 0x20080522, 63
# System calls that the C library has no function for.
MOUNT_SETATTR = 442
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


@dataclass(frozen=True)
class Room:
    """How clients are started: each in a room of its own, or, with a reason why not, without one.

    `hidden` is the folder of the run, of which a room has only what it is given; `readable` is what
    every room has.
    """

    hidden: Path
    readable: tuple[Path, ...] = ()
    reason: str = ""

    def around(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        readable: Iterable[Path] = (),
        writable: Iterable[Path] = (),
    ) -> tuple[list[str], dict[str, str], Path]:
        """Return the command, environment and folder that start `command` in a room.

        Its standard input, output and errors are those of the command that is returned.
        """
        if self.reason:
            return list(command), dict(environment), folder
        rooms = self.hidden / "rooms"
        rooms.mkdir(exist_ok=True)
        plan = {
            "command": list(command),
            "environment": dict(environment),
            "folder": str(folder),
            "hidden": str(self.hidden),
            "readable": [str(path) for path in (*self.readable, *readable)],
            "writable": [str(path) for path in writable],
        }
        # Not as arguments or variables, which what is in the room could read or be led by.
        with tempfile.NamedTemporaryFile("w", dir=rooms, delete=False, encoding="utf-8") as file:
            json.dump(plan, file)
        unshare = shutil.which("unshare") or "unshare"
        words = [unshare, "--mount", "--pid", "--ipc", "--fork", "--kill-child"]
        words += [sys.executable, "-I", "-S", __file__, file.name]
        return words, {"PATH": os.defpath}, self.hidden


def find_room(hidden: Path, interpreters: Iterable[Path]) -> Room:
    """Return the room in which each of `interpreters` runs; without one, the reason why not."""
    prefixes = {
        *(Path(sys.prefix), Path(sys.base_prefix)),
        *(Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()),
        *(path.resolve().parents[1] for path in interpreters),
    }
    room = Room(hidden, tuple(sorted(prefixes)))
    for path in (Path(sys.executable), *interpreters):
        command, environment, folder = room.around([str(path), "-c", "pass"], {}, Path("/"))
        try:
            tried = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            return Room(hidden, reason=str(error))
        if tried.returncode != 0:
            reason = (tried.stderr.strip().splitlines() or ["a client does not start in it"])[-1]
            return Room(hidden, reason=reason)
    return room


# In the room


def call(name: str, *arguments: Any) -> None:  # noqa: ANN401 - what C takes
    """Call a function of the C library; OSError when it returns -1."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    words = [text.encode() or None for text in (source, target, kind)]
    call("mount", *words, ctypes.c_ulong(flags), options.encode() or None)


def set_attributes(path: str, attributes: int, *, below: bool = True) -> None:
    """Set attributes of the mount at `path`, of those below it also; the others stay."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    flags = AT_RECURSIVE if below else 0
    where = (ctypes.c_long(MOUNT_SETATTR), ctypes.c_int(AT_FDCWD), path.encode())
    call("syscall", *where, ctypes.c_uint(flags), wanted, ctypes.c_size_t(32))


def bind(path: str, root: str, *, read_only: bool) -> None:
    """Let `path` be at the same place below `root`, if it exists."""
    source, target = Path(path), root + path
    if not source.exists():
        return
    if source.is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    elif not os.path.lexists(target):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    mount(path, target, "", MS_BIND | MS_REC)
    device = 0 if path.startswith("/dev/") else MOUNT_ATTR_NODEV
    set_attributes(target, MOUNT_ATTR_NOSUID | device | (MOUNT_ATTR_RDONLY if read_only else 0))


def furnish(root: str, plan: Mapping[str, Any]) -> None:
    """Mount below `root` what the room has."""
    mount("room", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for path in EMPTY:
        Path(root + path).mkdir(parents=True)
    for path in ("/dev/shm", "/tmp", "/var/tmp"):  # noqa: S108 - of the room
        mount("room", root + path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY)
    Path(root, "dev", "fd").symlink_to("/proc/self/fd")
    own = set(plan["writable"])
    hidden = plan["hidden"]
    # A folder before what is in it.
    paths = sorted({*SYSTEM, *plan["readable"], *own})
    inside = [path for path in paths if path.startswith(f"{hidden}/")]
    for path in paths:
        if path not in inside:
            bind(path, root, read_only=path not in own)
    Path(root + hidden).mkdir(parents=True, exist_ok=True)  # it may be in one of those
    mount("room", root + hidden, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for path in inside:
        bind(path, root, read_only=path not in own)
    for path in (root + hidden, root):
        set_attributes(path, MOUNT_ATTR_RDONLY, below=False)


def close_the_door(root: str) -> None:
    """Make `root` the root, and let go of the machine's."""
    os.chdir(root)
    pivot_root = ctypes.c_long(PIVOT_ROOT[platform.machine()])
    call("syscall", pivot_root, b".", b".")
    call("umount2", b".", ctypes.c_int(MNT_DETACH))
    os.chdir("/")


def give_up_rights() -> None:
    """Give up every capability, and the ways to get one again."""
    call("prctl", PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    clear = (PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    call("prctl", PR_CAP_AMBIENT, *map(ctypes.c_ulong, clear))
    for capability in range(LAST_CAPABILITY + 1):
        with contextlib.suppress(OSError):  # those that this kernel does not have
            call("prctl", PR_CAPBSET_DROP, *map(ctypes.c_ulong, (capability, 0, 0, 0)))
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def run_to_its_end(plan: Mapping[str, Any]) -> NoReturn:
    """Run the client; when it ends, so does all that it has started, for this is process 1."""
    command = plan["command"]
    client = os.fork()
    if client == 0:
        try:
            os.chdir(plan["folder"])
            os.execvpe(command[0], command, plan["environment"])  # noqa: S606 - the client
        except OSError as error:
            print(f"{command[0]}: {error}", file=sys.stderr, flush=True)
            os._exit(127)
    while True:
        ended, status = os.wait()
        if ended == client:
            code = os.waitstatus_to_exitcode(status)
            os._exit(128 - code if code < 0 else code)


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    root = f"{sys.argv[1]}.root"
    try:
        Path(root).mkdir()
        furnish(root, plan)
        close_the_door(root)
        give_up_rights()
    except (OSError, KeyError) as error:
        sys.exit(f"the room cannot be made: {error}")
    run_to_its_end(plan)


if __name__ == "__main__":
    main()
