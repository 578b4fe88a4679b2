"""Show on one page what is deployed and whether it is fit.

The function, its revision and its source as Google Cloud reports them, with one access token of
gcloud's; the runtime, and until when Google supports it; the lock and its age; and the switch.
Nothing is changed, and nothing need be deployed yet.
`make doctor` says what is wrong and how to correct it.
"""

import argparse
import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from closed_function.checks.reads import Checks, Cloud, run_checks
from closed_function.checks.repositories import check_switch
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Check, Result
from closed_function.checks.settings import check_runtime, check_settings
from closed_function.checks.source import LEFT_OUT
from closed_function.command_line import add_environment, add_json, print_json, report_progress
from closed_function.errors import ExitStatus, UnavailableError
from closed_function.files import read_text
from closed_function.gcloud.session import Answer, sign_in
from closed_function.paths import FUNCTION_STACK, REQUIREMENTS
from closed_function.processes import run_git
from closed_function.redaction import one_line
from closed_function.repository import Repository
from closed_function.requirements import read_entries
from closed_function.runtimes import RUNTIME_ENDS

# gcloud alone tries for 33 s to renew its token on a network that is down.
SIGN_IN_TIMEOUT, READ_TIMEOUT = 10, 10
# What the page calls a line; --json keeps the name that programs know.
LABELS = {"upstreams": "switch"}
# The states in which a failed deployment leaves a function (Cloud Functions API v2).
FAILED_STATES = ("FAILED", "UNKNOWN")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_environment(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    today = dt.datetime.now(dt.UTC).date()
    results = [line.presentable() for line in status(options.env, today)]
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
    settings = check_settings(repository, today.isoformat())
    found = {each.symptom: each.seen for each in settings}
    if unnamed := found.get("placeholder-project"):
        reason = f"nothing is deployed, because no project is named: {unnamed}"
        lines = lines_without_cloud(repository, today, OK, reason)
    elif unreadable := found.get("settings-unreadable"):
        lines = lines_without_cloud(repository, today, UNKNOWN, unreadable)
    elif not (repository.project and repository.location and repository.function_name):
        missing = "function.name is not set" if repository.location else repository.index_error
        lines = lines_without_cloud(repository, today, UNKNOWN, missing)
    else:
        lines = lines_from_cloud(repository, today)
    *others, switch = lines
    return [*others, lock_line(today), switch]


def lines_without_cloud(
    repository: Repository, today: dt.date, verdict: str, why: str
) -> list[Result]:
    return [
        Result("function", verdict, why),
        runtime_line(repository.runtime, repository, today),
        Result("upstreams", verdict, "not asked, for the same reason"),
    ]


def lines_from_cloud(repository: Repository, today: dt.date) -> list[Result]:
    report_progress("Asking Google Cloud, with an access token of gcloud's.")
    try:
        session = sign_in(SIGN_IN_TIMEOUT)
    except UnavailableError as error:
        return lines_without_cloud(repository, today, UNKNOWN, str(error))
    archive = archive_name(repository)
    project, place = (
        repository.function_project,
        f"projects/{repository.project}/locations/{repository.location}",
    )

    def checks_of(cloud: Cloud) -> Checks:
        function = cloud.function(repository)
        uploaded = stored_object(cloud, f"{project}-{repository.function_name}-source", archive)
        lines: dict[str, Callable[[], Result]] = {
            "function": lambda: function_line(function, repository)
        }
        if function.content:
            lines["revision"] = lambda: revision_line(function, today)
            lines["source"] = lambda: source_line(cloud, function, uploaded, archive)
        lines["runtime"] = lambda: runtime_line(
            function.content.get("buildConfig", {}).get("runtime", repository.runtime),
            repository,
            today,
        )
        lines["upstreams"] = lambda: switch_line(cloud, place)
        return lines

    return run_checks(checks_of, session, READ_TIMEOUT)


def function_line(function: Answer, repository: Repository) -> Result:
    where = f"{repository.function_name} in {repository.function_project}, {repository.location}"
    if function.status == 404:
        return Result("function", OK, f"{where}: not deployed yet", values={"state": None})
    if function.reason == "SERVICE_DISABLED":
        # A function stays deployed when its API is disabled.
        why = f"{function.why}; before the first deployment, `make deploy` enables it"
        return Result("function", UNKNOWN, why)
    if function.why:
        return Result("function", UNKNOWN, function.why)
    state = function.content["state"]
    messages = [each["message"] for each in function.content.get("stateMessages", [])]
    seen = f"{where}: {state}{': ' if messages else ''}{' '.join(messages)}"
    verdict = OK if state == "ACTIVE" else PROBLEM if state in FAILED_STATES else UNKNOWN
    values = {"state": state, "messages": messages, "url": function.content.get("url")}
    return Result("function", verdict, seen, values=values)


def revision_line(function: Answer, today: dt.date) -> Result:
    updated = dt.datetime.strptime(f"{function.content['updateTime'][:19]}Z", "%Y-%m-%dT%H:%M:%S%z")
    revision = function.content.get("serviceConfig", {}).get("revision")
    age = format_age(updated, today)
    seen = f"{revision or 'none yet'}, updated {updated:%Y-%m-%d %H:%M} UTC ({age})"
    values = {"revision": revision, "updated": updated.isoformat()}
    return Result("revision", OK, seen, values=values)


def source_line(cloud: Cloud, function: Answer, uploaded: Answer, archive: str) -> Result:
    """Compare what is deployed with what is in function/ now, by the archives' MD5 sums.

    Cloud Functions builds a copy of the archive, in a bucket of its own and under another name.
    """
    build = function.content["buildConfig"]
    copy = build.get("sourceProvenance", {}).get("resolvedStorageSource")
    copy = copy or build["source"]["storageSource"]
    generation = str(copy.get("generation", ""))
    built = stored_object(cloud, copy["bucket"], copy["object"], generation)
    verdict, same = OK, None
    here = f"generation {generation or 'not known'}; function/ as it is here"
    if uploaded.status == 404:
        same, seen = False, f"{here} is not what `make deploy` uploaded last"
    elif why := uploaded.why or built.why:
        verdict, seen = UNKNOWN, f"whether it is that of function/: {why}"
    elif same := uploaded.content["md5Hash"] == built.content["md5Hash"]:
        seen = f"{here} is what is deployed"
    else:
        seen = f"{here} was uploaded as {archive}, but another is deployed"
    values = {"generation": generation or None, "deployed_is_here": same}
    return Result("source", verdict, seen, values=values)


def stored_object(cloud: Cloud, bucket: str, name: str, generation: str = "") -> Answer:
    """Return what Cloud Storage answers about an object."""
    query = f"&generation={quote(generation)}" if generation else ""
    return cloud.get(
        "storage",
        f"storage/v1/b/{quote(bucket)}/o/{quote(name, safe='')}?fields=name,md5Hash{query}",
        f"gs://{bucket}/{name}",
        "storage.objects.get and storage.objects.list",
        expects="md5Hash",
    )


def archive_name(repository: Repository) -> str:
    """Return the name under which terraform/function/source.tf uploads the source as it is now."""
    # The default is that of variables.tf.
    folder = FUNCTION_STACK / str(repository.function.get("source_dir", "../../function"))
    # Terraform follows links to folders, too.
    files: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder, followlinks=True):
        # But not a link to a folder that contains it, which has no end.
        real = Path(parent).resolve()
        folders[:] = [each for each in folders if not real.is_relative_to((real / each).resolve())]
        paths = [Path(parent, name) for name in names]
        files |= {path.relative_to(folder).as_posix(): path for path in paths}
    listing = "\n".join(
        f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}"
        for name in sorted(files)
        if files[name].is_file() and not LEFT_OUT.search(name)
    )
    return f"{repository.function_name}-{hashlib.sha256(listing.encode()).hexdigest()[:16]}.zip"


def runtime_line(runtime: str, repository: Repository, today: dt.date) -> Result:
    """Return the line of the runtime that is deployed, or of the one in the settings."""
    result = check_runtime(Check("runtime"), runtime, today.isoformat())
    seen, values = result.seen, dict[str, object](runtime=runtime)
    if runtime in RUNTIME_ENDS:
        deprecated = dt.date.fromisoformat(RUNTIME_ENDS[runtime][0])
        left = (deprecated - today).days
        values |= {"deprecated_on": deprecated.isoformat(), "days_left": left}
        seen += f" ({format_days(left)} before it is deprecated)" if left > 0 else ""
    if runtime != repository.runtime:
        seen += f"; the settings here name {repository.runtime or 'none'}"
    return result._replace(seen=seen, values=values)


def lock_line(today: dt.date) -> Result:
    """Return how many packages are locked, and since when."""
    content, why = read_text(REQUIREMENTS)
    if why:
        return Result("lock", UNKNOWN, f"function/requirements.txt {why}")
    packages = sum(not entry.startswith("-") for entry in read_entries(content))
    changed, age = lock_changed(), ""
    values: dict[str, object] = {"packages": packages, "changed": None, "days": None}
    if isinstance(changed, str):
        age = changed
    else:
        age = f"last changed {changed:%Y-%m-%d} ({format_age(changed, today)})"
        values |= {"changed": changed.date().isoformat(), "days": (today - changed.date()).days}
    return Result("lock", OK, f"{packages} packages, {age}", values=values)


def lock_changed() -> dt.datetime | str:
    """Return when the lock was committed as it is now, or why that is not known."""
    file = ("--", "function/requirements.txt")
    try:
        state = run_git("status", "--porcelain", "--ignored", *file)
        log = run_git("log", "-1", "--format=%ct", *file)
        shallow = run_git("rev-parse", "--is-shallow-repository")
    except OSError:
        return "of unknown age, because git is not installed"
    if "not a git repository" in state.errors or (state.status == 0 and not log.output.strip()):
        return "not in git"
    if state.status != 0:
        first_line = one_line(state.errors.partition("\n")[0])
        return f"of unknown age, because git failed ({first_line})"
    if state.output.strip():
        return "with changes that are not committed"
    if shallow.output.strip() == "true":
        return "of unknown age, because this clone of the repository is shallow"
    return dt.datetime.fromtimestamp(int(log.output), dt.UTC)


def switch_line(cloud: Cloud, place: str) -> Result:
    result = check_switch(cloud, place)
    _, project, _, location = place.split("/")
    policy = {OK: "ALLOW", PROBLEM: "DENY"}.get(result.verdict)
    seen = {
        OK: f"ALLOW in {project}, {location}",
        PROBLEM: f"DENY. {result.seen} Run: make allow",
    }.get(result.verdict, result.seen)
    return Result("upstreams", result.verdict, seen, values={"policy": policy} if policy else {})


def format_age(moment: dt.datetime, today: dt.date) -> str:
    number = (today - moment.date()).days
    return f"{format_days(number)} ago" if number > 0 else "today"


def format_days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


def print_page(results: Iterable[Result]) -> None:
    """Print the page, and where to go on when not everything is fit."""
    for line in results:
        verdict = {OK: "", PROBLEM: "PROBLEM: ", UNKNOWN: f"{UNKNOWN}: "}[line.verdict]
        label = LABELS.get(line.check, line.check)
        print(f"{label:<10} {verdict}{line.seen}")
    if any(line.verdict != OK for line in results):
        print("What is wrong, and how to correct it: make doctor")
