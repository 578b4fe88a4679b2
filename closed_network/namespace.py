"""A network namespace whose only way out is one listening socket, handed to the gate.

A program in it that ignores the proxy variables reaches nothing at all: there is a loopback device
and no route. It is a process namespace, too, so that whatever was started in it ends with it.
Linux only; where the system does not let us make one, `entrance` says why.
"""

from __future__ import annotations

import errno
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

# <linux/sockios.h> and <linux/if.h>
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

# Root may make one as it is; anybody else needs a user namespace around it. Not every container
# lets us show our own processes alone in /proc.
ENCLOSE = ["--net", "--pid", "--fork", "--kill-child"]
WAYS_IN = [
    [*user, *processes, *ENCLOSE]
    for user in ([], ["--user", "--map-root-user"])
    for processes in (["--mount-proc"], [])
]


def entrance() -> tuple[list[str], str]:
    """The command prefix that starts a program in a new closed network.

    Returns an empty prefix and the reason when the system does not allow one. Found by trying: the
    program must be able to switch the loopback device on and must then find no route.
    """
    unshare = shutil.which("unshare")
    if not sys.platform.startswith("linux") or not unshare:
        return [], "this system has no network namespaces (unshare)"
    reason = ""
    for way in WAYS_IN:
        prefix = [unshare, *way]
        command = [*prefix, sys.executable, "-m", "closed_network.namespace"]
        package = Path(__file__).resolve().parent.parent
        tried = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return prefix, ""
        reason = (tried.stderr.strip().splitlines() or ["unshare failed"])[-1]
    return [], reason


def switch_loopback_on() -> None:
    """Bring the loopback device of this network up. OSError when that is not allowed."""
    from fcntl import ioctl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", ioctl(control, SIOCGIFFLAGS, request))[1]
        ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def has_no_way_out() -> bool:
    """Whether this network has no route to an address outside. Nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address; connecting UDP only routes
        except OSError as error:
            return error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return False


def hand_over_listener(door: int) -> int:
    """Listen on a port of this network, give the socket to the gate, and return the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(fileno=door) as gate:
        socket.send_fds(gate, [b"."], [listener.fileno()])
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    switch_loopback_on()
    if not has_no_way_out():
        sys.exit("the new network namespace has a way out")
