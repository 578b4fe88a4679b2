"""What docs/benchmarks.md quotes: ratios of one run, the two sides in turn, medians of pairs.

`make bench` prints a table; `python -m bench GROUP` measures a part of it. Nothing is asserted. The
reference is what one writes without this template: bench/compared/reference.py.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from closed_network.processes import interrupt_on_signals

from . import doctor, functions, hooks, template

GROUPS = {
    "template": (template.bake_rows, template.request_rows),
    "functions": (
        functions.import_rows,
        functions.start_rows,
        functions.warm_rows,
        functions.load_rows,
    ),
    "doctor": (doctor.check_rows, doctor.explain_rows),
    "hooks": (hooks.lint_rows,),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("group", nargs="?", choices=GROUPS, help="measure this group only")
    group = parser.parse_args().group
    interrupt_on_signals()
    table = Table(title="Medians of pairs", title_justify="left")
    for heading in ("what", "measured", "ratio", "wanted"):
        table.add_column(heading)
    try:
        for name in [group] if group else GROUPS:
            for rows in GROUPS[name]:
                for row in rows():
                    table.add_row(*row)
    finally:  # what was measured counts, whatever becomes of the rest
        console = Console()
        if not console.is_terminal:
            console.width = 120
        console.print(table)


if __name__ == "__main__":
    main()
