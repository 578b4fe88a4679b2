"""Renew the locks: one for each kind of function, for their tests, their tools, two of our own.

The work is done by the product's own closed_function, so that template and product lock alike.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "{{cookiecutter.project_slug}}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Renew the locks of the template.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = parser.parse_args().upgrade
    sys.path.insert(0, str(PRODUCT))
    tool = import_module("closed_function.commands.lock")
    locks: list[Path] = []
    for requirements in sorted((ROOT / "templates").glob("*/function/requirements.in")):
        target = requirements.with_suffix(".lock")
        text = tool.compile_lock(requirements, tool.current_lock(target), locks, upgrade=upgrade)
        tool.replace(target, tool.with_wheels(text))
        locks.append(target)
        print(f"Renewed {target.relative_to(ROOT)}")

    for place, constraints in (("tests", locks), ("tools", [])):
        origin = PRODUCT / place / "requirements.in"
        target = origin.with_suffix(".txt")
        text = tool.compile_lock(origin, tool.current_lock(target), constraints, upgrade=upgrade)
        tool.replace(target, text)
        print(f"Renewed {target.relative_to(ROOT)}")

    # checkov pins much that the rest needs newer, so it has a lock and an environment of its own.
    for own in (ROOT / "requirements-dev.in", ROOT / "requirements-scan.in"):
        target = own.with_suffix(".txt")
        text = tool.compile_lock(own, tool.current_lock(target), upgrade=upgrade, wheels_only=False)
        tool.replace(target, text)
        print(f"Renewed {target.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
