"""Draw docs/demo.svg, what `make demo` prints, from a report that is kept in scripts/demo.json.

`make demo RECORD=1` keeps a new one: without the seconds, which are the machine's, and its folder.
"""

from __future__ import annotations

import json
import sys
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
    for name in sys.argv[1:]:
        keep(Report.from_dict(json.loads(Path(name).read_text(encoding="utf-8"))))
    PICTURE.write_text(drawing(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
