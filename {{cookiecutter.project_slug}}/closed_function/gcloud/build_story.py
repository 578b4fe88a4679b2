"""Read what happened to a build, to the revision that it made, and at the perimeter."""

import io
import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from closed_function.command_line import report_progress
from closed_function.errors import UnavailableError
from closed_function.files import as_mapping, text_at
from closed_function.gcloud.program import run_gcloud
from closed_function.processes import Outcome
from closed_function.redaction import one_line, quote
from closed_function.repository import Repository

TIMEOUT = 120
SUCCEEDED = re.compile(r"^status: SUCCESS$", re.MULTILINE)
# A refusal of the perimeter names its record, which names the caller and the reason.
REFUSAL = re.compile(r"vpcServiceControlsUniqueId(?:entifier)?[\"']?\s*[:=]\s*[\"']?([\w-]{8,})")
MOST_REFUSALS = 3
FRESHNESS = "--freshness=7d"


class Part(NamedTuple):
    """One log of the story: its name for the reader, and what it says."""

    name: str
    log: BinaryIO


def tell_build(build: str, repository: Repository) -> Iterator[Part]:
    """Yield the build's log and what follows it. UnavailableError when gcloud knows no build."""
    texts = [read_build(build, repository)]
    yield part(f"build {build}", texts[0])
    if SUCCEEDED.search(texts[0]):
        for name, text in read_start(repository):
            texts.append(text)
            yield part(name, text)
    refusals = dict.fromkeys(each for text in texts for each in REFUSAL.findall(text))
    for refusal in list(refusals)[:MOST_REFUSALS]:
        if text := read_refusal(refusal, repository):
            yield part(f"the perimeter's record of {refusal}", text)


def part(name: str, text: str) -> Part:
    return Part(name, io.BytesIO(text.encode("utf-8", "replace")))


def read_build(build: str, repository: Repository) -> str:
    """Return how a build ended and what it printed.

    A build is in its function's project, also when the worker pool is in another.
    """
    where = [build, f"--project={repository.function_project}", f"--region={repository.location}"]
    describe = ["builds", "describe", *where]
    report_progress(f"Asking gcloud for the log of build {build}.")
    described = run_gcloud(describe, TIMEOUT)
    log = run_gcloud(["builds", "log", *where], TIMEOUT)
    if described.status != 0:
        command = shlex.join(["gcloud", *describe])
        raise UnavailableError(
            f"gcloud could not describe the build:\n$ {command}\n{words(described, quote)}"
        )
    # Why there is no log may be the cause; the errors beside a log are only gcloud's warnings.
    return f"{described.output}\n{log.output if log.status == 0 else log.errors}"


def words(outcome: Outcome, present: Callable[[str], str] = one_line) -> str:
    if outcome.status is None:
        return f"(no answer within {TIMEOUT} s; gcloud was ended)"
    return present(outcome.errors) or "(it printed nothing)"


def read_start(repository: Repository) -> Iterator[tuple[str, str]]:
    """Yield what a revision that is not ready says of itself, and what its container printed."""
    project = f"--project={repository.function_project}"
    service = repository.function_name
    region = f"--region={repository.location}"
    report_progress("The build succeeded. Asking gcloud for the function's revision.")
    described = run_gcloud(
        ["run", "services", "describe", service, project, region, "--format=json"], TIMEOUT
    )
    if described.status != 0:
        report_progress(f"gcloud could not describe the service {service}: {words(described)}")
        return
    status = as_mapping(as_object(described.output).get("status"))
    revision = text_at(status, "latestCreatedRevisionName")
    if not revision or revision == text_at(status, "latestReadyRevisionName"):
        return
    conditions = status.get("conditions")
    messages = [
        f"{each.get('reason', '')}: {each['message']}"
        for each in map(as_mapping, conditions if isinstance(conditions, list) else [])
        if each.get("status") == "False" and each.get("message")
    ]
    log = read_logging(
        f'resource.type="cloud_run_revision" AND resource.labels.service_name="{service}"'
        f' AND resource.labels.revision_name="{revision}"',
        [project, "--order=asc", "--limit=500"],
    )
    if log:
        yield f"start of revision {revision}", log
    if messages:
        yield f"state of revision {revision}", "\n".join(messages)


def read_refusal(unique_id: str, repository: Repository) -> str:
    """Return the record of a refusal, which is in the project of the perimeter's resource."""
    report_progress(f"Asking gcloud for the perimeter's record of {unique_id}.")
    projects = dict.fromkeys(filter(None, [repository.function_project, repository.project]))
    for project in projects:
        text = read_logging(
            f'protoPayload.metadata.vpcServiceControlsUniqueId="{unique_id}"',
            [f"--project={project}", "--limit=5"],
        )
        if text:
            return text
    return ""


def read_logging(query: str, options: list[str]) -> str:
    """Return the entries of Cloud Logging as JSON, or nothing where there are none."""
    read = run_gcloud(["logging", "read", query, *options, FRESHNESS, "--format=json"], TIMEOUT)
    if read.status != 0:
        report_progress(f"gcloud could not read the log: {words(read)}")
        return ""
    return read.output if read.output.strip() not in ("", "[]") else ""


def as_object(text: str) -> dict[str, object]:
    try:
        return as_mapping(json.loads(text))
    except ValueError:
        return {}
