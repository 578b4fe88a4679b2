"""What products are built from has no known hole; what the reference deployment is built from stays
proven all the same, word for word."""

from __future__ import annotations

import re

from packaging.version import Version

from .conftest import KINDS, TEMPLATE
from .test_layout import files_of_git

LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[\S+\])?==([\w.!+]+)", re.MULTILINE)
# The first releases without the holes that are known of those before: CVE-2026-48710,
# CVE-2026-48818, CVE-2026-54282 and CVE-2026-54283; and the framework that lets them in.
WITHOUT_HOLES = {"starlette": Version("1.3.1"), "functions-framework": Version("3.10.2")}


def holes(lock: str) -> list[str]:
    """The packages of a lock that are older than those without known holes."""
    return [
        f"{name} {version}"
        for name, version in LOCKED.findall(lock)
        if name in WITHOUT_HOLES and Version(version) < WITHOUT_HOLES[name]
    ]


def test_no_lock_has_a_release_with_a_known_hole() -> None:
    assert holes("starlette==0.52.1 \\\n") == ["starlette 0.52.1"]
    assert holes("functions-framework[x]==3.10.1 ; a\n") == ["functions-framework 3.10.1"]
    names = [name for name in files_of_git() if re.search(r"requirements[\w-]*\.(lock|txt)$", name)]
    locks = {name: (TEMPLATE / name).read_text(encoding="utf-8") for name in names}
    locks = {name: text for name, text in locks.items() if "--hash=sha256:" in text}
    for kind in KINDS:
        packages = dict(LOCKED.findall(locks[f"templates/{kind}/function/requirements.lock"]))
        assert packages.keys() >= WITHOUT_HOLES.keys()
    assert {name: found for name, text in locks.items() if (found := holes(text))} == {}
