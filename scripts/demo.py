"""What `make demo` rehearses, and docs/demo.svg, drawn from a report that is kept.

`fill-in FOLDER` writes the settings that a user of the default repository fills in; `draw [REPORT]`
draws the picture from scripts/demo.json, in which it first keeps REPORT, without what is the
machine's own.
"""

from __future__ import annotations

import argparse
import json
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from closed_network.report import Report

KEPT = Path(__file__).with_name("demo.json")
PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"

COLUMNS = 112
THEME = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (86, 211, 100), (227, 179, 65)],
    [(110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65)],
)
# rich's own format loads its font from elsewhere.
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 role="img" aria-labelledby="t"><title id="t">$title</title>
<style>
text {{ white-space: pre }}
.{unique_id}-matrix {{ font-size: {char_height}px }}
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif }}
{styles}
</style>
<defs>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


# Two settings files, and what their owner fills in.
SETTINGS: dict[str, dict[str, dict[str, object]]] = {
    "platform": {
        "perimeter": {"deployers": ["user:taro@example.com"]},
        "network": {
            "egress_allowances": {
                "snmp": {"ranges": ["10.20.0.5/32"], "protocol": "udp", "ports": ["162"]}
            }
        },
    },
    "function": {"function": {"environment": {"SNMP_RECEIVERS": "10.20.0.5:162"}}},
}


def fill_in(repository: Path) -> None:
    for stack, change in SETTINGS.items():
        file = repository / "terraform" / stack / "settings.auto.tfvars.json"
        settings = json.loads(file.read_text(encoding="utf-8"))
        settings |= {name: settings.get(name, {}) | value for name, value in change.items()}
        file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def keep(report: Report) -> None:
    """Write what is the same on another machine."""
    report.repository = Path(report.repository).name
    report.seconds = report.began = {}
    report.files, report.commands, report.journal, report.versions = [], [], {}, {}
    text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False)
    KEPT.write_text(text + "\n", encoding="utf-8", newline="\n")


def drawing() -> str:
    """The kept report as SVG."""
    report = Report.from_dict(json.loads(KEPT.read_text(encoding="utf-8")))
    console = Console(file=StringIO(), record=True, width=COLUMNS, force_terminal=True)
    report.print(console)
    closing = list(report.closing_lines())[-1]
    return console.export_svg(
        title="make demo",
        theme=THEME,
        code_format=FORMAT.replace("$title", f"What make demo prints. {closing}"),
        unique_id="demo",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts.demo")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fill-in").add_argument("folder", type=Path)
    commands.add_parser("draw").add_argument("report", type=Path, nargs="?")
    options = parser.parse_args()
    if options.command == "fill-in":
        fill_in(options.folder)
        return
    if options.report:
        keep(Report.from_dict(json.loads(options.report.read_text(encoding="utf-8"))))
    PICTURE.write_text(drawing(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
