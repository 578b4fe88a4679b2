"""Read Python's tracebacks: the last frame in the function's own code and the exception decide."""

import re
from collections.abc import Iterator
from typing import NamedTuple

TITLE = "Traceback (most recent call last):"
FRAME = re.compile(r'[ |+]*File "([^"\n]+)", line (\d+)(?:, in (<module>)?)?')
EXCEPTION = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*)|$)")
# A form may lose the line breaks.
ONE_LINE = re.compile(r'Traceback \(most recent call last\): +File "')
RAISED = re.compile(
    r"\b((?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|NotFound|Denied))\b(?:: (.*))?"
)
# Where the build puts the function's files.
OWN_CODE = re.compile(
    r"^(?:/workspace/|/user_code/|/app/|/srv/|\./|function/)(?!\.?venv|.*site-pack)"
)
LIBRARY = re.compile(r"site-packages/|dist-packages/|/lib/python|^<frozen|/layers/|^<string>")
# Frames of what loads the function: an exception above them is one of the start.
START = re.compile(r"functions_framework/|importlib|^<frozen importlib|gunicorn/|uvicorn/")
HANDLING = re.compile(r"flask/app\.py|starlette/|werkzeug/serving")
LONGEST = 60_000  # characters of a traceback
MOST = 50
# A sentence of Google's says more of it.
REFUSED = re.compile(r"^(?:Permission'|403 |Forbidden|PermissionDenied)")
MODULE = re.compile(r"No module named '?([\w.]+)'?")
IMPORTED = re.compile(
    r"cannot import name '?(\w+)'? from (?:partially initialized module )?'?([\w.]+)'?"
)


class Traceback(NamedTuple):
    """An uncaught exception: where its text is, and the last frame of the function's own code."""

    start: int
    end: int
    exception: str
    message: str
    file: str
    line: str
    starting: bool
    own: bool
    pip: bool


def find_tracebacks(text: str) -> Iterator[Traceback]:
    """Yield the tracebacks of a log; of a chain the last."""
    position = 0
    for _ in range(MOST):
        position = text.find(TITLE, position)
        if position < 0:
            return
        found = read_traceback(text, position)
        if found:
            yield found
        position = max(position + len(TITLE), found.end if found else 0)


def read_traceback(text: str, start: int) -> Traceback | None:
    """Return the traceback whose title is at `start`, or None for a torn one."""
    margin = text[text.rfind("\n", 0, start) + 1 : start]
    margin = margin.rstrip() or margin
    lines = text[start : start + LONGEST].split("\n")
    if ONE_LINE.match(lines[0]):
        return read_line(lines[0], start)
    frames: list[tuple[str, str, str]] = []
    position = start
    for number, whole in enumerate(lines):
        line = whole.removeprefix(margin)
        line = line.removeprefix(" ") if margin.strip() else line
        frame = FRAME.match(line)
        if frame:
            frames.append((frame[1], frame[2], frame[3] or ""))
        elif frames and line.strip() and not line.startswith((" ", "\t", "|", "+")):
            exception = EXCEPTION.match(line.strip())
            if not exception:
                return None
            end = position + len(whole)
            more = [each.strip() for each in lines[number + 1 : number + 3] if each.strip()]
            message = exception[2] or next(iter(more), "")
            return describe(frames, exception[1], message, (position, end))
        position += len(whole) + 1
    return None


def read_line(line: str, start: int) -> Traceback | None:
    """Return the traceback that a form has put on one line."""
    frames = [(frame[1], frame[2], frame[3] or "") for frame in FRAME.finditer(line)]
    exception = next(reversed(list(RAISED.finditer(line))), None)
    if not frames or not exception:
        return None
    place = (start + exception.start(), start + exception.end())
    return describe(frames, exception[1], exception[2] or "", place)


def describe(
    frames: list[tuple[str, str, str]], exception: str, message: str, place: tuple[int, int]
) -> Traceback:
    own = [frame for frame in frames if OWN_CODE.match(frame[0]) or not LIBRARY.search(frame[0])]
    file, line, place_in_file = own[-1] if own else frames[-1]
    paths = [path for path, _, _ in frames]
    return Traceback(
        *place,
        exception.rpartition(".")[2],
        message,
        file,
        line,
        # What runs outside of any function runs while the file is loaded.
        (any(map(START.search, paths)) or (bool(own) and place_in_file == "<module>"))
        and not any(map(HANDLING.search, paths)),
        bool(own),
        any("/pip/_internal/" in path or "/pip/_vendor/" in path for path in paths)
        and "/bin/functions-framework" not in paths[0],
    )


# What an exception's own name decides.
NAMED = {
    **dict.fromkeys(("SyntaxError", "IndentationError", "TabError"), "syntax-error"),
    "MissingSourceException": "main-missing",
    "DefaultCredentialsError": "credentials-missing",
}


def cause_of(traceback: Traceback) -> tuple[str, dict[str, str]]:
    """Return the cause that a traceback shows, and the values of its texts; "" for none."""
    name, message = traceback.exception, traceback.message
    values = {"exception": name, "message": message, "file": traceback.file, "line": traceback.line}
    cause = NAMED.get(name, "")
    if name in ("ModuleNotFoundError", "ImportError") and not traceback.pip:
        return import_cause(message, values)
    if name == "MissingTargetException":
        cause = "entry-point-missing" if "function named" in message else "main-missing"
    elif not cause and not REFUSED.search(f"{name} {message}"):
        called = "code-fails" if traceback.own else ""
        cause = "code-fails-at-start" if traceback.starting else called
    return ("" if traceback.pip else cause), values


def import_cause(message: str, values: dict[str, str]) -> tuple[str, dict[str, str]]:
    module, imported = MODULE.search(message), IMPORTED.search(message)
    if module:
        values["module"] = module[1]
        return "module-missing", values
    if imported and "circular import" not in message and "unknown location" not in message:
        values |= {"name": imported[1], "module": imported[2]}
        return "import-name-missing", values
    if imported and "circular import" not in message:
        values["module"] = imported[2]
        return "module-missing", values
    return "code-fails-at-start", values
