"""Put a program's text into the forms in which people paste it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 11, 24, 1, 2, 3, 456000, tzinfo=UTC)
TERMINAL = 100  # columns


def stamps(lines: list[str], pattern: str = "%Y-%m-%dT%H:%M:%S.%fZ") -> Iterator[tuple[str, str]]:
    """Yield each line with a time, each a second after the other."""
    for number, line in enumerate(lines):
        yield (BEGIN + timedelta(seconds=number)).strftime(pattern), line


def before(prefix: str) -> Callable[[list[str]], str]:
    return lambda lines: "".join(f"{prefix}{line}\n" for line in lines)


def stamped(form: str) -> Callable[[list[str]], str]:
    return lambda lines: "".join(f"{form.format(time, line)}\n" for time, line in stamps(lines))


def functions_table(lines: list[str]) -> str:
    """`gcloud functions logs read`: the newest line first."""
    head = f"{'LEVEL':5}  {'NAME':13}  {'EXECUTION_ID':12}  {'TIME_UTC':23}  LOG\n"
    rows = [
        f"{'E':5}  {'alert-to-snmp':13}  {'abc123def456':12}  {time[:23]:23}  {line}\n"
        for time, line in stamps(lines, "%Y-%m-%d %H:%M:%S.%f")
    ]
    return head + "".join(reversed(rows))


def console(lines: list[str]) -> str:
    pairs = stamps(lines, "%Y-%m-%d %H:%M:%S.%f")
    return "".join(f"{time[:23]} JST\n{line}\n" for time, line in pairs)


def entry(time: str, text: str) -> dict[str, object]:
    resource = {"type": "cloud_run_revision", "labels": {"service_name": "alert-to-snmp"}}
    return {"insertId": time, "resource": resource, "textPayload": text, "timestamp": time}


def entries(lines: list[str]) -> str:
    """`gcloud logging read --format=json`: an entry for each line, the newest first."""
    return json.dumps([entry(*each) for each in stamps(lines)][::-1], indent=2)


def one_entry(lines: list[str]) -> str:
    return json.dumps(
        [entry(BEGIN.strftime("%Y-%m-%dT%H:%M:%SZ"), "\n".join(lines))],
        indent=2,
        ensure_ascii=False,
    )


def structured(lines: list[str]) -> str:
    """An entry for each line, on a line, as a program writes them."""
    records = [{"severity": "ERROR", "message": line, "time": time} for time, line in stamps(lines)]
    return "".join(json.dumps(record) + "\n" for record in records)


def yaml(lines: list[str]) -> str:
    """`gcloud logging read`: the newest first."""
    documents = [
        f"---\ninsertId: {number}\nlogName: projects/p/logs/run.googleapis.com%2Fstderr\n"
        f"textPayload: {json.dumps(line)}\ntimestamp: '{time}'\n"
        for number, (time, line) in enumerate(stamps(lines))
    ]
    return "".join(reversed(documents))


def yaml_block(lines: list[str]) -> str:
    text = "".join(f"  {line}\n" for line in lines)
    return f"---\ninsertId: a\nseverity: ERROR\ntextPayload: |-\n{text}timestamp: '2026-11-24'\n"


def terminal(lines: list[str]) -> str:
    """What a terminal of that width shows, as it is copied."""
    pieces = [
        line[start : start + TERMINAL]
        for line in lines
        for start in range(0, len(line) or 1, TERMINAL)
    ]
    return "".join(f"{piece}\n" for piece in pieces)


# Each of them takes the lines of a text.
FORMS: dict[str, Callable[[list[str]], str]] = {
    "a step of Cloud Build": before('Step #2 - "build": '),
    "a phase of buildpacks": before("[builder] "),
    "a phase in a step": before('Step #2 - "build": [builder] '),
    "GitHub Actions": stamped("{} {}"),
    "GitHub's command line": stamped("deploy\tRun make deploy\t{} {}"),
    "GitLab": stamped("{} 01O {}"),
    "docker": before("#10 3.123 "),
    "Terraform's debugging": stamped(
        "{} [ERROR] provider.terraform-provider-google_v7.45.0_x5: {}"
    ),
    "Terraform's box": lambda lines: "╷\n" + before("│ ")(lines) + "╵\n",
    "the newest line first": lambda lines: "".join(
        f"{time}\t{line}\n" for time, line in reversed(list(stamps(lines)))
    ),
    "the table of gcloud functions": functions_table,
    "the console's copy": console,
    "one entry in JSON": one_entry,
    "an entry for each line in JSON": entries,
    "structured lines": structured,
    "entries in YAML": yaml,
    "a block in YAML": yaml_block,
    "a terminal": terminal,
    "colours": before("\x1b[31m\x1b[1m"),
    "a quotation": before("> "),
}
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-8 with a mark": lambda text: text.encode("utf-8-sig"),
}


def forms_of(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield a text in every form, by the form's name."""
    lines = text.splitlines()
    for name, form in FORMS.items():
        yield name, form(lines).encode()
    for name, encode in ENCODINGS.items():
        yield name, encode(text)
