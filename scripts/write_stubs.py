"""Write the stubs: for each file below templates/KIND/*/ one file of the product that includes it.

What every kind has gets its own name. A folder that some kinds have gets the condition in its name:
ruled out, it renders to a reserved name, and the hook removes it. In a folder that every kind has,
the condition is in the file's name, because the engine writes no file whose name renders to
nothing. The facts of a kind, beside its folders, and its lock, which the product's requirements.txt
includes, get no stub.

What several kinds import stands once, in templates/shared/: with its test it becomes a part of each
kind that imports it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "{{cookiecutter.project_slug}}"
KINDS: list[str] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))["function_kind"]
LOCK = ".lock"
SHARED = ROOT / "templates" / "shared"
STUB = re.compile(
    r'\{% include (cookiecutter\.function_kind ~ "|"shared)/[^"]+"( ignore missing)? %\}\n'
)


def stubs() -> dict[str, str]:
    """Return the stubs that the kinds' folders ask for: path in the product → text."""
    kinds_of: dict[str, list[str]] = {}
    for kind in KINDS:
        folder = ROOT / "templates" / kind
        for path in sorted(folder.glob("*/**/*")):
            if path.is_file() and path.suffix != LOCK and not path.name.startswith("."):
                kinds_of.setdefault(path.relative_to(folder).as_posix(), []).append(kind)
    own = [stub(name, kinds) for name, kinds in kinds_of.items()]
    return dict([*own, *map(shared_stub, sorted(SHARED.glob("*/*.py")))])


def shared_stub(path: Path) -> tuple[str, str]:
    """Return the path and the text of the stub for a module that several kinds import."""
    imported = re.compile(rf"^(from|import) {path.stem.removeprefix('test_')}\b", re.MULTILINE)
    kinds = [
        kind
        for kind in KINDS
        for file in (ROOT / "templates" / kind).glob("*/*.py")
        if imported.search(file.read_text(encoding="utf-8"))
    ]
    name = f"{{% if {condition(list(dict.fromkeys(kinds)))} %}}{path.name}{{% endif %}}"
    folder = path.parent.name
    return f"{folder}/{name}", f'{{% include "shared/{folder}/{path.name}" %}}\n'


def stub(name: str, kinds: list[str]) -> tuple[str, str]:
    """Return the path and the text of the stub for the file `name`, which `kinds` have."""
    folder, rest = name.split("/", 1)
    with_folder = [kind for kind in KINDS if (ROOT / "templates" / kind / folder).is_dir()]
    # Below its reserved name the engine renders a stub, too.
    missing = "" if with_folder == KINDS else " ignore missing"
    if missing:
        folder = f"{{{{ '{folder}' if {condition(with_folder)} else '.unused-{folder}' }}}}"
    if kinds != with_folder:
        inner, slash, file = rest.rpartition("/")
        rest = f"{inner}{slash}{{% if {condition(kinds)} %}}{file}{{% endif %}}"
    text = '{% include cookiecutter.function_kind ~ "/' + name + f'"{missing} %}}\n'
    return f"{folder}/{rest}", text


def condition(kinds: list[str]) -> str:
    wanted = f"== '{kinds[0]}'" if len(kinds) == 1 else f"in {kinds}"
    return f"cookiecutter.function_kind {wanted}"


def existing_stubs() -> dict[str, str]:
    """Return the files of the product that are stubs by their text."""
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
        # Two folders that render to one name stop the engine.
        folder = (PRODUCT / name).parent
        while not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
    for name, text in wanted.items():
        if there.get(name) != text:
            (PRODUCT / name).parent.mkdir(parents=True, exist_ok=True)
            (PRODUCT / name).write_text(text, encoding="utf-8", newline="\n")
            print(f"Wrote {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
