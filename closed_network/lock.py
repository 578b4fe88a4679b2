"""Judge what pip's own parser has read in a requirements file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from closed_function.index import Index
from closed_function.redaction import redact
from closed_function.requirements import package_name

Line = Mapping[str, Any]

# Options that say nothing about where packages come from, and one that is checked for each package.
HARMLESS = {"hashes", "require_hashes"}
JUDGED = {
    *("index_url", "extra_index_urls", "find_links", "no_index", "trusted_hosts"),
    *("requirements", "constraints", "editables"),
}
# What a marker may say of this machine that another with the same runtime does not say.
OF_THE_MACHINE = re.compile(
    r"""\b(platform_release|platform_version|implementation_version)\b
    | python_full_version \s* \W+ \s* ["'] \d+ \. \d+ \. (?!0?["'.*])""",  # a patch release
    re.VERBOSE,
)


def complaints(lines: Iterable[Line], index: Index, folder: Path) -> Iterator[str]:
    """Yield why a build, with `index` alone and what is in `folder`, does not have what is named.

    Each is what follows the file's name in a sentence.
    """
    for line in lines:
        options = line.get("options", {})
        if line["variables"]:
            names = ", ".join(f"${{{name}}}" for name in line["variables"])
            yield f"uses {names}, which has another value, or none, in the build"
            continue
        urls = [options["index_url"]] if "index_url" in options else []
        for url in [*urls, *options.get("extra_index_urls", [])]:
            if url.rstrip("/") != index.url.rstrip("/") or url not in urls:
                yield f"names {redact(url)}, which a closed build cannot reach"
        if options.get("no_index"):
            yield "has --no-index, so pip requests no package of the index"
        for host in options.get("trusted_hosts", []):
            yield f"has --trusted-host {host}, so pip accepts any certificate"
        for name, start in places(line, folder):
            yield from complaints_about(name, start, index, folder)


def places(line: Line, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the paths and addresses that `line` names besides the index, and where pip begins."""
    options = line.get("options", {})
    beside = folder / Path(line["file"]).parent
    for option in ("requirements", "constraints"):
        yield from ((name, beside) for name in options.get(option, []))
    for name in options.get("find_links", []):
        yield name, beside if (beside / name).exists() else folder
    for name in options.get("editables", []):
        yield name, folder
    if line.get("url"):
        yield line["url"], folder


def complaints_about(name: str, start: Path, index: Index, folder: Path) -> Iterator[str]:
    address = urlsplit(name)
    if address.scheme == "file":
        path = Path(unquote(address.path))
    elif "://" in name or address.scheme:
        if address.hostname != index.host or address.scheme != "https":
            yield f"names {redact(name)}, which a closed build cannot reach"
        return
    else:
        path = Path(name.partition("[")[0])
    if not Path(os.path.normpath(start / path)).resolve().is_relative_to(folder.resolve()):
        shown = f"{address.scheme}:{path}" if address.scheme else name
        yield f"names {shown}, which is not in the function's folder, so the build lacks it"


def not_judged(lines: Iterable[Line]) -> list[str]:
    """Return what `lines` say and nobody here knows the effect of."""
    found = []
    for line in lines:
        if "error" in line:
            found.append(f"{line['text']} ({line['error'].strip().splitlines()[0]})")
        found += [
            f"--{option.replace('_', '-')}"
            for option in line.get("options", {})
            if option not in HARMLESS | JUDGED
        ]
        found += [f"-e {each}" for each in line.get("options", {}).get("editables", [])]
    return list(dict.fromkeys(found))


def depending_on_the_machine(lines: Iterable[Line]) -> list[str]:
    """Return the packages whose markers may hold on one machine and not on the next."""
    return [line["name"] for line in lines if OF_THE_MACHINE.search(line.get("marker", ""))]


def hashes_by_package(lines: Iterable[Line]) -> dict[str, set[str]]:
    """Return the sha256 hashes that `lines` have for each package."""
    found: dict[str, set[str]] = {}
    for line in lines:
        if line.get("name"):
            hashes = line["options"].get("hashes", {}).get("sha256", [])
            found.setdefault(package_name(line["name"]), set()).update(hashes)
    return found
