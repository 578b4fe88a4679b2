"""Say on one page what is deployed and whether it is fit.

The function, its revision and its source as Google Cloud tells them, with one access token of
gcloud's; the runtime, until when Google supports it; the lock and its age; and whether the remote
repositories may ask their upstreams. Nothing is changed. What is wrong and how to mend it is the
doctor's to say.

Exit status: 0 fit, or nothing is deployed yet; 1 something is wrong; 2 usage; 3 something could not
be told; 130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from closed_function import cloud_checks, google_cloud, repository_checks
from closed_function.cloud_checks import Cloud
from closed_function.command_line import INTERRUPTED, Parser
from closed_function.findings import OK, PROBLEM, UNKNOWN, escape_what_cannot_be_shown, progress
from closed_function.google_cloud import Answer, Request
from closed_function.repository_checks import RUNTIMES, Facts, Repository
from closed_function.stacks import REQUIREMENTS, ROOT, StackError, environment_name
from closed_function.upstreams import Outcome, end_on_signals, presentable, run_bounded

FIT, WRONG, COULD_NOT_TELL = 0, 1, 3
# gcloud alone tries for 33 s to renew its token on a network that is dead.
SIGN_IN_TIMEOUT, READ_TIMEOUT, GIT_TIMEOUT = 10, 10, 10
UNKNOWN_FORM = "Google's answer has a form that is not known here"
SAME_REASON = "for the same reason"
# What a deployment that failed leaves (Cloud Functions API v2, Function.State).
FAILED = ("FAILED", "UNKNOWN")


class Line(NamedTuple):
    """One line of the page.

    `verdict` is one of OK, PROBLEM and UNKNOWN, `seen` what is told to people (for UNKNOWN: why it
    could not be told), and `values` the same for machines.
    """

    name: str
    verdict: str
    seen: str
    values: Mapping[str, object] = {}


def status(environment: str | None, today: dt.date) -> list[Line]:
    """Every line of the page. StackError when the environment has no settings."""
    repository = Repository(environment)
    facts = repository.facts()
    settings = repository_checks.check_settings(repository, facts, today.isoformat())
    found = {each.symptom: each.seen for each in settings}
    if unnamed := found.get("placeholder-project"):
        nothing = f"nothing is deployed, for no project is named: {unnamed}"
        about_cloud = unasked(facts, today, OK, nothing)
    elif unreadable := found.get("settings-unreadable"):
        about_cloud = unasked(facts, today, UNKNOWN, unreadable)
    elif not (facts.project and facts.location and facts.function):
        missing = "function.name is not set" if facts.location else repository.index_error
        about_cloud = unasked(facts, today, UNKNOWN, missing)
    else:
        about_cloud = ask(repository, facts, today)
    *others, upstreams = about_cloud
    return [*others, lock_line(today), upstreams]


def unasked(facts: Facts, today: dt.date, verdict: str, why: str) -> list[Line]:
    """What can be told of the cloud without asking it."""
    return [
        Line("function", verdict, why),
        runtime_line(facts.runtime, facts, today),
        Line("upstreams", verdict, f"not asked, {SAME_REASON}"),
    ]


def ask(repository: Repository, facts: Facts, today: dt.date) -> list[Line]:
    """What Google Cloud tells."""
    progress("Asking Google Cloud, with an access token of gcloud's.")
    try:
        session = google_cloud.sign_in(SIGN_IN_TIMEOUT)
    except google_cloud.SignInError as error:
        return unasked(facts, today, UNKNOWN, str(error))
    archive = archive_name(repository, facts)
    lines = cloud_checks.settle(
        lambda cloud: judge(cloud, facts, archive, today), session, READ_TIMEOUT
    )
    return [line._replace(seen=presentable(line.seen)) for line in lines]


def judge(cloud: Cloud, facts: Facts, archive: str, today: dt.date) -> Iterator[Line]:
    """Yield what each line says of what has been read."""
    project, place = facts.function_project, f"projects/{facts.project}/locations/{facts.location}"
    function = cloud.get(
        Request(
            "cloudfunctions",
            f"v2/projects/{quote(project)}/locations/{facts.location}"
            f"/functions/{quote(facts.function)}",
            f"the function {facts.function} of {project} in {facts.location}",
            "cloudfunctions.functions.get",
            expects="name",
        )
    )
    uploaded = stored(cloud, f"{project}-{facts.function}-source", archive)
    deployed = function.content.get("buildConfig", {})
    lines: dict[str, Callable[[], Line]] = {"function": lambda: function_line(function, facts)}
    if function.content:
        lines["revision"] = lambda: revision_line(function, today)
        lines["source"] = lambda: source_line(cloud, function, uploaded, archive)
    lines["runtime"] = lambda: runtime_line(deployed.get("runtime", facts.runtime), facts, today)
    lines["upstreams"] = lambda: upstreams_line(cloud, place)
    for name, line in lines.items():
        try:
            yield line()
        except cloud_checks.UNKNOWN_FORM:
            yield Line(name, UNKNOWN, UNKNOWN_FORM)


def function_line(function: Answer, facts: Facts) -> Line:
    where = f"{facts.function} in {facts.function_project}, {facts.location}"
    if function.status == 404:
        return Line("function", OK, f"{where}: not deployed yet", {"state": None})
    if function.reason == "SERVICE_DISABLED":
        # A function that is there stays there when its API is turned off.
        why = f"{function.why}; before the first deployment, `make deploy` turns it on"
        return Line("function", UNKNOWN, why)
    if function.why:
        return Line("function", UNKNOWN, function.why)
    state = function.content["state"]
    messages = [each["message"] for each in function.content.get("stateMessages", [])]
    seen = f"{where}: {state}{': ' if messages else ''}{' '.join(messages)}"
    verdict = OK if state == "ACTIVE" else PROBLEM if state in FAILED else UNKNOWN
    url = function.content.get("url")
    return Line("function", verdict, seen, {"state": state, "messages": messages, "url": url})


def revision_line(function: Answer, today: dt.date) -> Line:
    updated = dt.datetime.strptime(f"{function.content['updateTime'][:19]}Z", "%Y-%m-%dT%H:%M:%S%z")
    revision = function.content.get("serviceConfig", {}).get("revision")
    seen = f"{revision or 'none yet'}, updated {updated:%Y-%m-%d %H:%M} UTC ({ago(updated, today)})"
    return Line("revision", OK, seen, {"revision": revision, "updated": updated.isoformat()})


def source_line(cloud: Cloud, function: Answer, uploaded: Answer, archive: str) -> Line:
    """Whether what is deployed is what lies in function/, by the archives' MD5 sums.

    Cloud Functions builds a copy of the archive, in a bucket of its own and under another name.
    """
    build = function.content["buildConfig"]
    copy = build.get("sourceProvenance", {}).get("resolvedStorageSource")
    copy = copy or build["source"]["storageSource"]
    generation = str(copy.get("generation", ""))
    built = stored(cloud, copy["bucket"], copy["object"], generation)
    values: dict[str, object] = {"generation": generation or None, "deployed_is_here": None}
    here = f"generation {generation or 'not known'}; function/ as it lies here"
    if uploaded.status == 404:
        values["deployed_is_here"] = False
        return Line("source", OK, f"{here} is not what `make deploy` uploaded last", values)
    for answer in (uploaded, built):
        if answer.why:
            return Line("source", UNKNOWN, f"whether it is that of function/: {answer.why}", values)
    same = values["deployed_is_here"] = uploaded.content["md5Hash"] == built.content["md5Hash"]
    if same:
        return Line("source", OK, f"{here} is what is deployed", values)
    return Line("source", OK, f"{here} was uploaded as {archive}, but another is deployed", values)


def stored(cloud: Cloud, bucket: str, name: str, generation: str = "") -> Answer:
    """What Cloud Storage says of an object."""
    which = f"&generation={quote(generation)}" if generation else ""
    return cloud.get(
        Request(
            "storage",
            f"storage/v1/b/{quote(bucket)}/o/{quote(name, safe='')}?fields=name,md5Hash{which}",
            f"gs://{bucket}/{name}",
            "storage.objects.get and storage.objects.list",
            expects="md5Hash",
        )
    )


def archive_name(repository: Repository, facts: Facts) -> str:
    """The name under which terraform/function/source.tf uploads the source as it is now."""
    folder = repository_checks.STACK / str(
        repository.function.get("source_dir", "../../function")  # as variables.tf has it
    )
    # Terraform follows links to folders, too.
    files: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder, followlinks=True):
        # But not a link to a folder that it is in, which has no end.
        real = Path(parent).resolve()
        folders[:] = [each for each in folders if not real.is_relative_to((real / each).resolve())]
        files |= {
            Path(parent, each).relative_to(folder).as_posix(): Path(parent, each) for each in names
        }
    hashed = "\n".join(
        f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}"
        for name in sorted(files)
        if files[name].is_file() and not repository_checks.LEFT_OUT.search(name)
    )
    return f"{facts.function}-{hashlib.sha256(hashed.encode()).hexdigest()[:16]}.zip"


def runtime_line(runtime: str, facts: Facts, today: dt.date) -> Line:
    """The runtime of what is deployed, else of what would be."""
    result = repository_checks.check_runtime("", runtime, today.isoformat())
    seen, values = result.seen, dict[str, object](runtime=runtime)
    if runtime in RUNTIMES:
        deprecated = dt.date.fromisoformat(RUNTIMES[runtime][0])
        left = (deprecated - today).days
        values |= {"deprecated_on": deprecated.isoformat(), "days_left": left}
        seen += f" ({days(left)} before it is deprecated)" if left > 0 else ""
    if runtime != facts.runtime:
        seen += f"; the settings here say {facts.runtime or 'nothing'}"
    return Line("runtime", result.verdict, seen, values)


def lock_line(today: dt.date) -> Line:
    """How many packages are locked, and since when."""
    content, why = repository_checks.read(REQUIREMENTS)
    if why:
        return Line("lock", UNKNOWN, f"function/requirements.txt {why}")
    entries = repository_checks.requirements(content)
    packages = sum(not entry.startswith("-") for entry in entries)
    changed, unknown = lock_changed()
    age = f"last changed {changed:%Y-%m-%d} ({ago(changed, today)})" if changed else unknown
    values: dict[str, object] = {"packages": packages, "changed": None, "days": None}
    if changed:
        values |= {"changed": changed.date().isoformat(), "days": (today - changed.date()).days}
    return Line("lock", OK, f"{packages} packages, {age}", values)


def lock_changed() -> tuple[dt.datetime | None, str]:
    """When the lock was committed as it is now, and why that is not known."""
    try:
        state = git("status", "--porcelain", "--ignored", "--", "function/requirements.txt")
        log = git("log", "-1", "--format=%ct", "--", "function/requirements.txt")
        shallow = git("rev-parse", "--is-shallow-repository")
    except OSError:
        return None, "of an age that is not known, for git is not installed"
    if state.status != 0:
        words = presentable(state.errors).partition("\n")[0]
        missing = "not a git repository" in words
        return None, "not in git" if missing else f"of an age that git does not tell ({words})"
    if not log.output.strip():
        return None, "not in git"
    if state.output.strip():
        return None, "with changes that are not committed"
    if shallow.output.strip() == "true":
        return None, "of an age that is not known, for this clone of the repository is shallow"
    return dt.datetime.fromtimestamp(int(log.output), dt.UTC), ""


def git(*arguments: str) -> Outcome:
    environment = {**os.environ, "LC_ALL": "C"}
    command = ["git", "-C", str(ROOT), *arguments]
    return run_bounded(command, environment, GIT_TIMEOUT)


def upstreams_line(cloud: Cloud, place: str) -> Line:
    result = cloud_checks.check_switch(cloud, place)
    _, project, _, location = place.split("/")
    if result.verdict == UNKNOWN:
        return Line("upstreams", UNKNOWN, result.seen)
    if result.verdict == PROBLEM:
        seen = f"DENY. {result.seen} Run: make allow"
        return Line("upstreams", PROBLEM, seen, {"policy": "DENY"})
    return Line("upstreams", OK, f"ALLOW in {project}, {location}", {"policy": "ALLOW"})


def ago(moment: dt.datetime, today: dt.date) -> str:
    number = (today - moment.date()).days
    return f"{days(number)} ago" if number > 0 else "today"


def days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


def show(lines: Iterable[Line]) -> None:
    """Print the page, and where to go on when not everything is fit."""
    doubtful = False
    for line in lines:
        doubtful |= line.verdict != OK
        verdict = {OK: "", PROBLEM: "PROBLEM: ", UNKNOWN: f"{UNKNOWN}: "}[line.verdict]
        print(f"{line.name:<10} {verdict}{' '.join(line.seen.split())}")
    if doubtful:
        print("What is wrong, and its cure: make doctor")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="status.py", description="Say what is deployed and whether it is fit.")
    parser.add_argument("--env", type=environment_name, help="such as dev, stg or prod")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    escape_what_cannot_be_shown()
    options = arguments(argv)
    end_on_signals()
    try:
        lines = status(options.env, dt.datetime.now(dt.UTC).date())
    except StackError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("Interrupted; nothing was changed.", file=sys.stderr)
        return INTERRUPTED
    if options.json:
        page = {
            line.name: {"verdict": line.verdict, "seen": line.seen, **line.values} for line in lines
        }
        print(json.dumps(page, indent=2))
    else:
        show(lines)
    verdicts = {line.verdict for line in lines}
    return WRONG if PROBLEM in verdicts else COULD_NOT_TELL if UNKNOWN in verdicts else FIT


if __name__ == "__main__":
    raise SystemExit(main())
