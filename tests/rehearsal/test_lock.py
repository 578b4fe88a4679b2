"""pip's own parser decides what a requirements file says, however it is written."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from closed_function.index import Index
from closed_network import lock, read_requirements
from tests.support.machine import PYTHONS
from tests.support.rehearsals import INDEX_LINE

INDEX = Index("asia-northeast1", "my-project-id", "ar-buildpython")
HASH = "--hash=sha256:" + "1" * 64
PROGRAM = str(Path(read_requirements.__file__))


def read(python: str, folder: Path, *variables: str, **environment: str) -> list[dict[str, Any]]:
    """What the pip of `python` reads in the requirements.txt of `folder`."""
    done = subprocess.run(
        [python, PROGRAM, "requirements.txt", *variables],
        cwd=folder,
        env={"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/home/somebody", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    lines: list[dict[str, Any]] = json.loads(done.stdout)
    return lines


def complaints(folder: Path, python: str, text: str, *variables: str, **given: str) -> list[str]:
    (folder / "requirements.txt").write_text(INDEX_LINE + text, encoding="utf-8")
    return list(lock.complaints(read(python, folder, *variables, **given), INDEX, folder))


ELSEWHERE = "https://example.com/simple/"
# A line, and what it names that a closed build does not have.
REFUSED = {
    f"--index-url {ELSEWHERE}": ELSEWHERE,
    f"--in {ELSEWHERE}": ELSEWHERE,
    f"-i{ELSEWHERE}": ELSEWHERE,
    f"--pypi-url={ELSEWHERE}": ELSEWHERE,
    f"--extra {ELSEWHERE}": ELSEWHERE,
    f"--extra-index-url={INDEX.url}": INDEX.url,
    f"-f{ELSEWHERE}": ELSEWHERE,
    f"--find {ELSEWHERE}": ELSEWHERE,
    f"--find-l '{ELSEWHERE}'": ELSEWHERE,
    f"# a comment \\\n--in {ELSEWHERE}": ELSEWHERE,
    f"--ind\\\nex-url {ELSEWHERE}": ELSEWHERE,
    "-f/wheels": "/wheels",
    "--find-links ../wheels": "../wheels",
    "--edit ../package": "../package",
    "-e/package": "/package",
    "-rx/../../more.txt": "x/../../more.txt",
    "--requirem /etc/hostname": "/etc/hostname",
    "--const=/c.txt": "/c.txt",
    "-r ${HOME}/more.txt": "${HOME}",
    "idna==${VERSION}": "${VERSION}",
    "--no-ind": "--no-index",
    "--trusted example.com": "--trusted-host example.com",
    f"x @ {ELSEWHERE}x-1-py3-none-any.whl": ELSEWHERE,
    f"x@{ELSEWHERE}x-1-py3-none-any.whl ; python_version > '9'": ELSEWHERE,
    "x @ git+https://example.com/x ; python_version > '9'": "git+https://example.com/x",
    f"{ELSEWHERE}x-1-py3-none-any.whl": ELSEWHERE,
    "x @ file:///wheels/x-1-py3-none-any.whl": "file:/wheels/x-1-py3-none-any.whl",
    "/wheels/x-1-py3-none-any.whl": "file:/wheels/x-1-py3-none-any.whl",
    "../x-1-py3-none-any.whl ; python_version > '9'": "x-1-py3-none-any.whl",
    "-r nested/more.txt": "../../outside",
}


EACH = """
import json, sys
sys.path.insert(0, sys.argv[1])
import read_requirements
files = [f"{number}.txt" for number in range(int(sys.argv[2]))]
print(json.dumps([list(read_requirements.read(file, set(), set())) for file in files]))
"""


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_what_leads_pip_elsewhere_is_refused_however_it_is_written(
    python: str, tmp_path: Path
) -> None:
    (tmp_path / "nested").mkdir()
    (tmp_path / "nested" / "more.txt").write_text("-c even.txt\n", encoding="utf-8")
    (tmp_path / "nested" / "even.txt").write_text("-f../../outside\n", encoding="utf-8")
    for number, line in enumerate(REFUSED):
        (tmp_path / f"{number}.txt").write_text(f"{INDEX_LINE}{line}\n", encoding="utf-8")
    done = subprocess.run(
        [python, "-c", EACH, str(Path(PROGRAM).parent), str(len(REFUSED))],
        cwd=tmp_path,
        env={"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/home/somebody"},
        capture_output=True,
        text=True,
        check=True,
    )
    missed = {}
    for (line, named), lines in zip(REFUSED.items(), json.loads(done.stdout), strict=True):
        found = list(lock.complaints(lines, INDEX, tmp_path))
        if len(found) != 1 or named not in found[0]:
            missed[line] = found
    assert missed == {}


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_what_the_build_has_is_accepted(python: str, tmp_path: Path) -> None:
    for name in ("nested/more.txt", "wheels/x-1-py3-none-any.whl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("-r ../requirements.txt\nmore==1\n", encoding="utf-8")
    text = f"idna==3.20 \\\n    {HASH}\nother[x]==1 ; python_version > '3' {HASH}\n"
    text += "--require-hashes\n# -f /wheels\n-r nested/more.txt\n-fwheels\n--find ./wheels\n"
    text += f"-c nested/more.txt\n./wheels/x-1-py3-none-any.whl\nv==${{OURS}} {HASH}\n"
    assert complaints(tmp_path, python, text, "OURS", OURS="1") == []
    lines = read(python, tmp_path, "OURS", OURS="1")
    assert lock.not_judged(lines) == lock.depending_on_the_machine(lines) == []
    hashes = lock.hashes_by_package(lines)
    assert hashes["idna"] == hashes["other"] == hashes["v"] == {"1" * 64}
    assert hashes["more"] == set()
    assert any(line["text"].startswith("v==1") for line in lines)


def test_what_nobody_here_judges_is_said(tmp_path: Path) -> None:
    python = next(iter(PYTHONS.values()))
    text = "--pre\n--only-bin :all:\n--nonsense\n== nonsense\n-e .\nidna==1 --global x\n"
    complaints(tmp_path, python, text)
    found = lock.not_judged(read(python, tmp_path))
    for words in ("--pre", "--format-control", "--nonsense", "== nonsense", "-e .", "--global"):
        assert [each for each in found if each.startswith(words)], words

    text = "a==1 ; platform_release == '6'\nb==1 ; python_full_version < '3.13.1'\n"
    text += "c==1 ; python_version > '3'\nd==1 ; python_full_version < '3.13'\n"
    complaints(tmp_path, python, text + "e==1 ; python_full_version < '3.13.0'\n")
    assert lock.depending_on_the_machine(read(python, tmp_path)) == ["a", "b"]
