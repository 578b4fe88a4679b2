"""What the product's doctor costs: a whole check, and a log to explain."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cloud_stand_in.gcloud import environment as lead_gcloud
from cloud_stand_in.server import serve
from tests.support.healthy_cloud import HealthyCloud

from .pairs import TEMPLATE, Row, commands_in_turn, in_turn, seconds

LOG = TEMPLATE / "tests/doctor/logs/healthy.pip-verbose.log"
LOG_SIZE = 10_000_000


@contextmanager
def product() -> Iterator[tuple[Path, dict[str, str]]]:
    """A repository with a project of somebody's, and an environment with nothing in it."""
    with tempfile.TemporaryDirectory() as name:
        cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
        cookiecutter += ["--accept-hooks", "no", "--output-dir", name]
        seconds([*cookiecutter, str(TEMPLATE), "gcp_project_id=a-project"])
        folder = Path(name, "alert-to-snmp")
        environment = {"HOME": name, "PATH": os.defpath, "LANG": "C.UTF-8"}
        yield folder, {**environment, "PYTHONPATH": str(folder)}


def check_rows() -> Iterator[Row]:
    gcloud = shutil.which("gcloud")
    if not gcloud:
        yield "make doctor ÷ one call of gcloud", "gcloud is not installed here", "—", "≤ 2"
        return
    with (
        product() as (folder, environment),
        serve(HealthyCloud(), folder.parent) as stand_in,
    ):
        there = {
            **environment,
            "PATH": os.pathsep.join([str(Path(gcloud).parent), os.defpath]),
            **lead_gcloud(stand_in, folder.parent),
        }
        check = [sys.executable, "-m", "closed_function", "doctor", "--json"]
        place = ["--project=a-project", "--location=asia-northeast1"]
        call = [gcloud, "artifacts", "vpcsc-config", "describe", *place]
        measured = commands_in_turn(check, call, there)
    yield measured.row("make doctor ÷ one call of gcloud", "s", "≤ 2")


def explain_rows() -> Iterator[Row]:
    with product() as (folder, environment):
        log, nothing = folder / "log", folder / "nothing"
        text = LOG.read_bytes()
        log.write_bytes((text * (LOG_SIZE // len(text) + 1))[:LOG_SIZE])
        nothing.touch()

        def explain(file: Path, environment: Mapping[str, str] = environment) -> float:
            command = [sys.executable, "-m", "closed_function", "explain"]
            return seconds([*command, str(file)], environment)

        measured = in_turn(lambda: explain(log), lambda: explain(nothing))
    yield measured.row("make explain of 10 MB ÷ of nothing", "s", "≤ 2 s")
