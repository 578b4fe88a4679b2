"""Say on one page what is deployed and whether it is fit.

The function, its revision and its source as Google Cloud tells them, with one access token of
gcloud's; the runtime, until when Google supports it; the lock and its age; and whether the remote
repositories may ask their upstreams. Nothing is changed, and nothing need be deployed yet. What is
wrong and its cure is the doctor's to say.
"""

import argparse
import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from closed_function.checks.reads import UNKNOWN_FORM, Cloud, settle
from closed_function.checks.repositories import check_switch
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.checks.settings import check_runtime, check_settings
from closed_function.checks.source import LEFT_OUT
from closed_function.command_line import add_environment, add_json, print_json, report_progress
from closed_function.errors import ExitStatus, UnavailableError
from closed_function.files import read_text
from closed_function.gcloud.session import Answer, sign_in
from closed_function.paths import FUNCTION_STACK, REQUIREMENTS, ROOT
from closed_function.processes import Outcome, run_bounded
from closed_function.redaction import redact
from closed_function.repository import Facts, Repository
from closed_function.requirements import read_entries
from closed_function.runtimes import RUNTIME_ENDS

# gcloud alone tries for 33 s to renew its token on a network that is dead.
SIGN_IN_TIMEOUT, READ_TIMEOUT, GIT_TIMEOUT = 10, 10, 10
SAME_REASON = "for the same reason"
# What a deployment that failed leaves (Cloud Functions API v2, Function.State).
FAILED = ("FAILED", "UNKNOWN")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_environment(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the page."""
    results = status(options.env, dt.datetime.now(dt.UTC).date())
    if options.json:
        print_json(
            {
                each.check: {"verdict": each.verdict, "seen": each.seen, **each.values}
                for each in results
            }
        )
    else:
        print_page(results)
    verdicts = {each.verdict for each in results}
    if PROBLEM in verdicts:
        return ExitStatus.WRONG
    return ExitStatus.UNAVAILABLE if UNKNOWN in verdicts else ExitStatus.DONE


def status(environment: str | None, today: dt.date) -> list[Result]:
    """Return every line of the page. CommandError when the environment has no settings."""
    repository = Repository(environment)
    facts = repository.facts()
    settings = check_settings(repository, facts, today.isoformat())
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


def unasked(facts: Facts, today: dt.date, verdict: str, why: str) -> list[Result]:
    """Return what can be told of the cloud without asking it."""
    return [
        Result("function", verdict, why),
        runtime_line(facts.runtime, facts, today),
        Result("upstreams", verdict, f"not asked, {SAME_REASON}"),
    ]


def ask(repository: Repository, facts: Facts, today: dt.date) -> list[Result]:
    """Return what Google Cloud tells."""
    report_progress("Asking Google Cloud, with an access token of gcloud's.")
    try:
        session = sign_in(SIGN_IN_TIMEOUT)
    except UnavailableError as error:
        return unasked(facts, today, UNKNOWN, str(error))
    archive = archive_name(repository, facts)
    lines = settle(lambda cloud: judge(cloud, facts, archive, today), session, READ_TIMEOUT)
    return [line._replace(seen=redact(line.seen)) for line in lines]


def judge(cloud: Cloud, facts: Facts, archive: str, today: dt.date) -> Iterator[Result]:
    """Yield what each line says of what has been read."""
    project, place = facts.function_project, f"projects/{facts.project}/locations/{facts.location}"
    function = cloud.function(facts)
    uploaded = stored(cloud, f"{project}-{facts.function}-source", archive)
    deployed = function.content.get("buildConfig", {})
    lines: dict[str, Callable[[], Result]] = {"function": lambda: function_line(function, facts)}
    if function.content:
        lines["revision"] = lambda: revision_line(function, today)
        lines["source"] = lambda: source_line(cloud, function, uploaded, archive)
    lines["runtime"] = lambda: runtime_line(deployed.get("runtime", facts.runtime), facts, today)
    lines["upstreams"] = lambda: upstreams_line(cloud, place)
    for name, line in lines.items():
        try:
            yield line()
        except UNKNOWN_FORM:
            yield Result(name, UNKNOWN, "Google's answer has a form that is not known here")


def function_line(function: Answer, facts: Facts) -> Result:
    where = f"{facts.function} in {facts.function_project}, {facts.location}"
    if function.status == 404:
        return Result("function", OK, f"{where}: not deployed yet", values={"state": None})
    if function.reason == "SERVICE_DISABLED":
        # A function that is there stays there when its API is turned off.
        why = f"{function.why}; before the first deployment, `make deploy` turns it on"
        return Result("function", UNKNOWN, why)
    if function.why:
        return Result("function", UNKNOWN, function.why)
    state = function.content["state"]
    messages = [each["message"] for each in function.content.get("stateMessages", [])]
    seen = f"{where}: {state}{': ' if messages else ''}{' '.join(messages)}"
    verdict = OK if state == "ACTIVE" else PROBLEM if state in FAILED else UNKNOWN
    url = function.content.get("url")
    return Result(
        "function", verdict, seen, values={"state": state, "messages": messages, "url": url}
    )


def revision_line(function: Answer, today: dt.date) -> Result:
    updated = dt.datetime.strptime(f"{function.content['updateTime'][:19]}Z", "%Y-%m-%dT%H:%M:%S%z")
    revision = function.content.get("serviceConfig", {}).get("revision")
    seen = f"{revision or 'none yet'}, updated {updated:%Y-%m-%d %H:%M} UTC ({ago(updated, today)})"
    return Result(
        "revision", OK, seen, values={"revision": revision, "updated": updated.isoformat()}
    )


def source_line(cloud: Cloud, function: Answer, uploaded: Answer, archive: str) -> Result:
    """Return whether what is deployed is what lies in function/, by the archives' MD5 sums.

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
        return Result(
            "source", OK, f"{here} is not what `make deploy` uploaded last", values=values
        )
    for answer in (uploaded, built):
        if answer.why:
            return Result(
                "source", UNKNOWN, f"whether it is that of function/: {answer.why}", values=values
            )
    same = values["deployed_is_here"] = uploaded.content["md5Hash"] == built.content["md5Hash"]
    if same:
        return Result("source", OK, f"{here} is what is deployed", values=values)
    return Result(
        "source", OK, f"{here} was uploaded as {archive}, but another is deployed", values=values
    )


def stored(cloud: Cloud, bucket: str, name: str, generation: str = "") -> Answer:
    """Return what Cloud Storage says of an object."""
    which = f"&generation={quote(generation)}" if generation else ""
    return cloud.get(
        "storage",
        f"storage/v1/b/{quote(bucket)}/o/{quote(name, safe='')}?fields=name,md5Hash{which}",
        f"gs://{bucket}/{name}",
        "storage.objects.get and storage.objects.list",
        expects="md5Hash",
    )


def archive_name(repository: Repository, facts: Facts) -> str:
    """Return the name under which terraform/function/source.tf uploads the source as it is now."""
    folder = FUNCTION_STACK / str(
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
        if files[name].is_file() and not LEFT_OUT.search(name)
    )
    return f"{facts.function}-{hashlib.sha256(hashed.encode()).hexdigest()[:16]}.zip"


def runtime_line(runtime: str, facts: Facts, today: dt.date) -> Result:
    """Return the runtime of what is deployed, else of what would be."""
    result = check_runtime("", runtime, today.isoformat())
    seen, values = result.seen, dict[str, object](runtime=runtime)
    if runtime in RUNTIME_ENDS:
        deprecated = dt.date.fromisoformat(RUNTIME_ENDS[runtime][0])
        left = (deprecated - today).days
        values |= {"deprecated_on": deprecated.isoformat(), "days_left": left}
        seen += f" ({days(left)} before it is deprecated)" if left > 0 else ""
    if runtime != facts.runtime:
        seen += f"; the settings here say {facts.runtime or 'nothing'}"
    return Result("runtime", result.verdict, seen, values=values)


def lock_line(today: dt.date) -> Result:
    """Return how many packages are locked, and since when."""
    content, why = read_text(REQUIREMENTS)
    if why:
        return Result("lock", UNKNOWN, f"function/requirements.txt {why}")
    entries = read_entries(content)
    packages = sum(not entry.startswith("-") for entry in entries)
    changed, unknown = lock_changed()
    age = f"last changed {changed:%Y-%m-%d} ({ago(changed, today)})" if changed else unknown
    values: dict[str, object] = {"packages": packages, "changed": None, "days": None}
    if changed:
        values |= {"changed": changed.date().isoformat(), "days": (today - changed.date()).days}
    return Result("lock", OK, f"{packages} packages, {age}", values=values)


def lock_changed() -> tuple[dt.datetime | None, str]:
    """Return when the lock was committed as it is now, and why that is not known."""
    try:
        state = git("status", "--porcelain", "--ignored", "--", "function/requirements.txt")
        log = git("log", "-1", "--format=%ct", "--", "function/requirements.txt")
        shallow = git("rev-parse", "--is-shallow-repository")
    except OSError:
        return None, "of an age that is not known, for git is not installed"
    if state.status != 0:
        words = redact(state.errors).partition("\n")[0]
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


def upstreams_line(cloud: Cloud, place: str) -> Result:
    result = check_switch(cloud, place)
    _, project, _, location = place.split("/")
    if result.verdict == UNKNOWN:
        return Result("upstreams", UNKNOWN, result.seen)
    if result.verdict == PROBLEM:
        seen = f"DENY. {result.seen} Run: make allow"
        return Result("upstreams", PROBLEM, seen, values={"policy": "DENY"})
    return Result("upstreams", OK, f"ALLOW in {project}, {location}", values={"policy": "ALLOW"})


def ago(moment: dt.datetime, today: dt.date) -> str:
    number = (today - moment.date()).days
    return f"{days(number)} ago" if number > 0 else "today"


def days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


def print_page(results: Iterable[Result]) -> None:
    """Print the page, and where to go on when not everything is fit."""
    doubtful = False
    for line in results:
        doubtful |= line.verdict != OK
        verdict = {OK: "", PROBLEM: "PROBLEM: ", UNKNOWN: f"{UNKNOWN}: "}[line.verdict]
        print(f"{line.check:<10} {verdict}{' '.join(line.seen.split())}")
    if doubtful:
        print("What is wrong, and its cure: make doctor")
