"""Write the stubs: for each file below templates/KIND/*/ one file of the product that includes it.

What every kind has gets its own name; what some kinds have gets a name with the condition in it,
because the engine writes no file whose name renders to nothing. Facts of a kind, which lie beside
its folders, and its lock, which the product's requirements.txt includes, get none.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "{{cookiecutter.project_slug}}"
KINDS: list[str] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))["function_kind"]
LOCK = ".lock"
STUB = re.compile(r'\{% include cookiecutter\.function_kind ~ "/[^"]+" %\}\n')


def stub_text(name: str) -> str:
    return '{% include cookiecutter.function_kind ~ "/' + name + '" %}\n'


def stubs() -> dict[str, str]:
    """The stubs that the kinds' folders ask for: path in the product → text."""
    kinds_of: dict[str, list[str]] = {}
    for kind in KINDS:
        folder = ROOT / "templates" / kind
        for path in sorted(folder.glob("*/**/*")):
            if path.is_file() and path.suffix != LOCK and not path.name.startswith("."):
                kinds_of.setdefault(path.relative_to(folder).as_posix(), []).append(kind)
    return {stub_name(name, kinds): stub_text(name) for name, kinds in kinds_of.items()}


def stub_name(name: str, kinds: list[str]) -> str:
    if kinds == KINDS:
        return name
    folder, _, file = name.rpartition("/")
    wanted = f"== '{kinds[0]}'" if len(kinds) == 1 else f"in {kinds}"
    return f"{folder}/{{% if cookiecutter.function_kind {wanted} %}}{file}{{% endif %}}"


def existing_stubs() -> dict[str, str]:
    """The files of the product that are stubs by their text."""
    texts = {
        path.relative_to(PRODUCT).as_posix(): path.read_text(encoding="utf-8")
        for path in PRODUCT.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    return {name: text for name, text in texts.items() if STUB.fullmatch(text)}


def main() -> int:
    wanted, there = stubs(), existing_stubs()
    for name in there.keys() - wanted.keys():
        (PRODUCT / name).unlink()
        print(f"Removed {name}")
    for name, text in wanted.items():
        if there.get(name) != text:
            (PRODUCT / name).parent.mkdir(parents=True, exist_ok=True)
            (PRODUCT / name).write_text(text, encoding="utf-8", newline="\n")
            print(f"Wrote {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
