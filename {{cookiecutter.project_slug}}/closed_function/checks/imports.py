"""Check that the lock has the packages that the function's code imports."""

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from closed_function.checks.lock import FRAMEWORK
from closed_function.checks.result import Check, Result
from closed_function.files import read_text
from closed_function.paths import REQUIREMENTS, REQUIREMENTS_IN, ROOT, SOURCE, relative
from closed_function.requirements import package_name, read_entries, read_wanted

# The modules that left the standard library, by the Python that has them no more.
REMOVED = {
    (3, 12): frozenset("asynchat asyncore distutils imp smtpd".split()),
    (3, 13): frozenset(
        "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev "
        "pipes sndhdr spwd sunau telnetlib uu xdrlib".split()
    ),
}
# With the modules of other Pythons than this one, and that of the running program.
STANDARD_LIBRARY = sys.stdlib_module_names.union(
    ("annotationlib", "compression", "__main__"), *REMOVED.values()
)
# What may be imported only where it is installed.
CONDITIONAL = (ast.If, ast.Try, ast.TryStar, ast.With)
# A line of a RECORD file, which names what a package has installed.
INSTALLED_MODULE = re.compile(
    r"^(?!\.\.)([^,\n]+?)(?:\.py|(?:\.[\w-]+)?\.(?:so|pyd)),", re.MULTILINE
)


class Import(NamedTuple):
    """An import of `module`, or of `name` from it, and where it is."""

    place: str
    module: str
    name: str = ""

    @property
    def target(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module

    def possible_packages(self) -> set[str]:
        """Return the names of packages that the module's own name suggests."""
        parts = [re.sub(r"_v\d\w*$", "", part) for part in self.target.split(".")]
        return {package_name("-".join(parts[:end])) for end in range(1, len(parts) + 1)}


class Installed(NamedTuple):
    """The packages in `.venv`: their versions, and which of them have a module or a folder."""

    versions: dict[str, str]
    modules: dict[str, set[str]]
    folders: dict[str, set[str]]

    def owners(self, found: Import) -> set[str]:
        """Return the packages that have the module; a namespace such as google.cloud is none."""
        module = found.module
        while module:
            if module in self.modules:
                return self.modules[module]
            module = module.rpartition(".")[0]
        return self.modules.get(found.target) or self.folders.get(found.target) or set()

    def is_current(self, locked: Mapping[str, str]) -> bool:
        """Return whether every locked version is installed."""
        pins = {name: re.search(r"==\s*([^\s;]+)", line) for name, line in locked.items()}
        return bool(pins) and all(
            pin and self.versions.get(name) == pin[1] for name, pin in pins.items()
        )


def check_imports(sources: Sequence[Path], version: tuple[int, int]) -> Iterator[Result]:
    """Check what `sources`, the function's files, import, as far as no network is needed.

    `version` is that of the runtime's Python, whose standard library need not be this one's.
    A module's name need not be its package's, so only `.venv` shows that a module is missing.
    """
    check = Check("the lock has what the code imports")
    lock, why = read_text(REQUIREMENTS)
    if why:
        return  # the check of the index line reports it
    locked = {package_name(line): line for line in read_entries(lock) if not line.startswith("-")}
    # The checks of the lock report what is wanted and not locked.
    wanted = {package_name(line) for line in read_wanted(REQUIREMENTS_IN).requirements}
    known = {*locked, *wanted, FRAMEWORK}
    own = {file.relative_to(SOURCE).parts[0].removesuffix(".py") for file in sources}
    removed = frozenset[str]().union(*(REMOVED[each] for each in REMOVED if each <= version))
    provided = (STANDARD_LIBRARY - removed) | own
    imports = [
        found
        for file in sources
        for found in read_imports(file)
        if found.module.partition(".")[0] not in provided
    ]
    suspects = [found for found in imports if not known & found.possible_packages()]
    installed = read_installed() if suspects else Installed({}, {}, {})
    missing = [found for found in suspects if not known & installed.owners(found)]
    if not missing:
        yield check.ok(f"{len({found.module for found in imports})} modules of packages")
        return
    first = missing[0]
    if not installed.is_current(locked):
        reason = f"{first.place} imports {first.target}; `make test` shows whether it is installed"
        yield check.unknown(reason, optional=True)
        return
    package = ", ".join(sorted(installed.owners(first)))
    lacks = f"requirements.txt lacks {package}" if package else "no locked package has it"
    if first.module.partition(".")[0] in removed:
        lacks = f"Python {version[0]}.{version[1]} has it no more, and {lacks}"
    yield check.problem("module-missing", f"{first.place} imports {first.target}, but {lacks}.")


def read_imports(file: Path) -> Iterator[Import]:
    """Yield the absolute imports of a file, without those that may be meant to be missing."""
    nodes: list[ast.AST] = [ast.parse(file.read_bytes())]
    while nodes:
        node = nodes.pop(0)
        place = f"{relative(file).as_posix()}, line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(place, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module and not node.level:
                yield from (Import(place, node.module, alias.name) for alias in node.names)
        elif not isinstance(node, CONDITIONAL):
            nodes += ast.iter_child_nodes(node)


def read_installed() -> Installed:
    """Return what is installed in `.venv`, or nothing without one."""
    installed = Installed({}, {}, {})
    folders = [*ROOT.glob(".venv/lib/python3*/site-packages"), ROOT / ".venv/Lib/site-packages"]
    for package in importlib.metadata.distributions(path=[str(folder) for folder in folders]):
        name = package_name(package.metadata["Name"] or "")
        installed.versions[name] = package.version
        for path in INSTALLED_MODULE.findall(package.read_text("RECORD") or ""):
            parts = path.removesuffix("/__init__").split("/")
            installed.modules.setdefault(".".join(parts), set()).add(name)
            for end in range(1, len(parts)):
                installed.folders.setdefault(".".join(parts[:end]), set()).add(name)
    return installed
