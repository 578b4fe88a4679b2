"""Decide when the signals that end a program do so: Ctrl-C, SIGTERM and SIGHUP."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

# Windows has no SIGHUP.
ENDING = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
WHEN_INTERRUPTED = "Interrupted; nothing was changed."
Handler = Callable[[int, FrameType | None], object]


def take_signals(handler: Handler | signal.Handlers) -> None:
    """Give the signals to `handler`, but for those that are ignored, as `nohup` ignores one."""
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def end_at_once(number: int, _: FrameType | None) -> None:
    """End the program, which has started nothing yet."""
    os.write(2, f"{WHEN_INTERRUPTED}\n".encode())
    os._exit(128 + number)


@contextlib.contextmanager
def defer_signals(then: Callable[[int], object] = lambda _: None) -> Iterator[list[int]]:
    """Let no signal end the block, but call `then` with each; the list has those that came."""
    signals: list[int] = []
    handlers = {each: signal.getsignal(each) for each in ENDING}
    # One that is ignored stays so, for a child, too.
    deferred = {each: old for each, old in handlers.items() if old not in (signal.SIG_IGN, None)}

    def note(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        handler = deferred[number]
        if callable(handler):  # it keeps the exit status
            with contextlib.suppress(KeyboardInterrupt):
                handler(number, frame)
        then(number)

    try:
        for number in deferred:
            signal.signal(number, note)
        yield signals
    finally:
        for number, handler in deferred.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def block_signals() -> Iterator[None]:
    """Do a short block to its end; a signal that comes meanwhile comes after it."""
    if sys.platform == "win32":  # cannot
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
