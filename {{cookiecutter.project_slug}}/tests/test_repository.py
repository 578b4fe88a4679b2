"""The pieces of this repository that must agree, agree."""

import json
import re
from pathlib import Path

import pytest

import upstreams

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "function" / "requirements.txt"
PLATFORM = ROOT / "terraform" / "function" / "platform.auto.tfvars.json"
REQUIREMENT = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,_-]+\])?==([^\s;]+)", re.IGNORECASE)


def entries(text: str) -> list[str]:
    """The requirements of a lock, one string each, with their hashes and without comments."""
    joined = text.replace("\\\n", " ")
    lines = [line.split(" #")[0].strip() for line in joined.splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def name(entry: str) -> str:
    """The normalised name of the package that a requirement asks for."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", entry)[0]).lower()


def test_the_first_line_of_the_requirements_is_the_index_of_a_platform() -> None:
    # Of one at a time: `make lock ENV=prod` names that of prod.
    files = [PLATFORM, *PLATFORM.parent.glob("environments/*.platform.tfvars.json")]
    platforms = [json.loads(file.read_text(encoding="utf-8"))["platform"] for file in files]
    index = upstreams.read_index(REQUIREMENTS)
    first_line = REQUIREMENTS.read_text(encoding="utf-8").splitlines()[0]
    named = [each for each in platforms if first_line == f"--index-url {each['python_index_url']}"]
    assert named, "run `make lock`: the platform has another index"
    assert (index.project, index.location) == (named[0]["project_id"], named[0]["region"])


def test_what_the_platform_hands_over_lies_in_one_region() -> None:
    # A pool or repository elsewhere is "not found" for the build.
    platform = json.loads(PLATFORM.read_text(encoding="utf-8"))["platform"]
    for name in ("worker_pool", "docker_repository", "python_repository"):
        place = f"projects/{platform['project_id']}/locations/{platform['region']}/"
        assert platform[name].startswith(place), f"platform.{name} is not in {place}"


def test_every_package_is_pinned_and_hashed() -> None:
    locked = entries(REQUIREMENTS.read_text(encoding="utf-8"))
    assert locked
    for entry in locked:
        assert REQUIREMENT.match(entry), f"{entry[:60]} is not pinned: run `make lock`"
        assert "--hash=sha256:" in entry, f"{entry[:60]} has no hash: run `make lock`"


def test_the_lock_holds_everything_that_is_asked_for() -> None:
    wanted = entries((ROOT / "function" / "requirements.in").read_text(encoding="utf-8"))
    locked = entries(REQUIREMENTS.read_text(encoding="utf-8"))
    assert wanted
    assert {name(entry) for entry in wanted} <= {name(entry) for entry in locked}, "run `make lock`"
    pins = {entry.split(" ")[0] for entry in wanted if "==" in entry}
    assert pins <= {entry.split(" ")[0] for entry in locked}, "run `make lock`"


def test_the_build_needs_no_second_installation() -> None:
    # Without it in this file the build fetches it by itself, and not from this index.
    text = REQUIREMENTS.read_text(encoding="utf-8")
    assert re.search(r"^functions-framework\b", text, re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("functions-framework==3.9.2\n", id="no index line"),
        pytest.param("--index-url https://example.com/simple/\n", id="another host"),
        pytest.param(
            f"{upstreams.EXAMPLE}\n--extra-index-url https://example.com/simple/\n",
            id="two indexes",
        ),
    ],
)
def test_an_index_that_the_build_cannot_use_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(upstreams.EXAMPLE + "\n", encoding="utf-8")
    assert upstreams.read_index(file).location == "asia-northeast1"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(upstreams.RequirementsError, match=re.escape(str(file))):
        upstreams.read_index(file)


@pytest.mark.parametrize("file", sorted((ROOT / "events").glob("*.json")), ids=lambda f: f.name)
def test_every_event_file_is_json(file: Path) -> None:
    assert json.loads(file.read_text(encoding="utf-8"))
