"""The pieces of this repository that must agree, agree."""

import json
import time
from pathlib import Path

import pytest

from closed_function.checks.files import check_files
from closed_function.checks.result import PROBLEM
from closed_function.paths import HAND_OVER, LOCK_FOLDERS, ROOT
from closed_function.repository import Repository
from closed_function.requirements import is_locked, read_entries

# What a repository may still be, or become, without being broken.
NO_DEFECTS = {"placeholder-project", "runtime-deprecated"}


def problems(environment: str | None) -> list[str]:
    """What `make doctor` would say of the files of this repository."""
    results = check_files(Repository(environment), time.strftime("%Y-%m-%d"))
    wrong = [result for result in results if result.verdict == PROBLEM]
    return [result.seen for result in wrong if result.symptom not in NO_DEFECTS]


def test_the_pieces_agree_for_the_platform_whose_index_is_named() -> None:
    # Of one at a time: `make lock ENV=prod` names that of prod.
    handed = HAND_OVER.parent.glob("environments/*.platform.tfvars.json")
    environments = [None, *(file.name.split(".")[0] for file in handed)]
    found = [problems(environment) for environment in environments]
    assert [] in found, f"{found[0]}: run `make doctor`"


@pytest.mark.parametrize("place", LOCK_FOLDERS)
def test_a_lock_has_what_its_origin_asks_for(place: str) -> None:
    origin, lock = (
        read_entries((ROOT / place / name).read_text(encoding="utf-8"))
        for name in ("requirements.in", "requirements.txt")
    )
    assert [wanted for wanted in origin if not is_locked(wanted, lock)] == [], "run `make lock`"


def test_cloud_build_uses_the_pool_that_is_handed_over() -> None:
    pool = json.loads(HAND_OVER.read_text(encoding="utf-8"))["platform"]["worker_pool"]
    for file in ROOT.glob("cloudbuild*.yaml"):
        assert f"name: {pool}\n" in file.read_text(encoding="utf-8"), file.name


@pytest.mark.parametrize("file", sorted((ROOT / "events").glob("*.json")), ids=lambda f: f.name)
def test_every_event_file_is_json(file: Path) -> None:
    assert json.loads(file.read_text(encoding="utf-8"))
