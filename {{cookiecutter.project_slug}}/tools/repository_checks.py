"""What can be told about the build from the files of this repository, without any network."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from findings import OK, PROBLEM, UNKNOWN, Result
from lock import RUNTIMES as SUPPORTED
from lock import WHEELS
from stacks import HAND_OVER, PLACEHOLDER, REQUIREMENTS, ROOT, SETTINGS, TERRAFORM, hand_over_file
from upstreams import Index, RequirementsError, read_index

SOURCE = REQUIREMENTS.parent
STACK = TERRAFORM / "function"

# Where the build writes credentials for pip (buildpacks, pkg/ar/ar.go): the template's `region`
# question offers the same, and the multi-regions can hold a repository, too.
SIGN_IN_LOCATIONS = frozenset(
    """
    africa-south1 asia asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3
    asia-south1 asia-south2 asia-southeast1 asia-southeast2 asia-southeast3 australia-southeast1
    australia-southeast2 europe europe-central2 europe-north1 europe-north2 europe-southwest1
    europe-west1 europe-west10 europe-west12 europe-west2 europe-west3 europe-west4 europe-west5
    europe-west6 europe-west8 europe-west9 me-central1 me-central2 me-west1
    northamerica-northeast1 northamerica-northeast2 northamerica-south1 southamerica-east1
    southamerica-west1 us us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2
    us-west3 us-west4 us-west8
    """.split()
)

# The days on which Google deprecates and then removes a runtime.
RUNTIMES = {
    "python310": ("2026-10-04", "2027-04-04"),
    "python311": ("2027-10-24", "2028-04-24"),
    "python312": ("2028-10-02", "2029-04-02"),
    "python313": ("2029-10-10", "2030-04-10"),
    "python314": ("2030-10-10", "2031-04-10"),
}

REQUIREMENT = re.compile(
    r"([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,._-]+\])?==[^\s;,*]+(?=[\s;]|$)", re.IGNORECASE
)
ELSEWHERE = re.compile(r"-[rcfe]\b|--(?:requirement|constraint|find-links|editable|no-index)\b")
FORCED_PIP = re.compile(r'^\s*GOOGLE_PYTHON_PACKAGE_MANAGER\s*=\s*"pip"', re.MULTILINE)
PROJECT_ID = re.compile(r'^\s*project_id\s*=\s*"([^"]*)"', re.MULTILINE)
# What the platform hands over by full names, all of its one project and region.
PLACED = ("worker_pool", "docker_repository", "python_repository")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# More than this is not a function's source but something that lies beside it by mistake.
LARGE_SOURCE = 100_000_000


class Facts(NamedTuple):
    """What the files of this repository say; a text is empty where they do not say it.

    `docker_repository` and `worker_pool` are full names (projects/…); `access_policy` is a number.
    """

    project: str = ""
    location: str = ""
    repository: str = ""
    docker_repository: str = ""
    worker_pool: str = ""
    build_account: str = ""
    own_build_account: bool = False
    function_project: str = ""
    function: str = ""
    runtime: str = ""
    entry_point: str = ""
    access_policy: str = ""

    def placeholders(self) -> dict[str, str]:
        """The values that fill the commands of symptoms.json."""
        names = ("project", "location", "repository", "build_account", "function_project")
        values = {name: getattr(self, name) for name in (*names, "function")}
        values["docker_repository"] = self.docker_repository.rpartition("/")[2]
        values["pool"] = self.worker_pool.rpartition("/")[2]
        return values


class Repository:
    """The files that say what the build needs, for one environment (None: the default's)."""

    def __init__(self, environment: str | None) -> None:
        handed = hand_over_file(environment)
        self.hand_over = handed if handed.is_file() else HAND_OVER
        self.platform = read_json(self.hand_over).get("platform")
        self.settings = read_json(STACK / SETTINGS)
        self.function_project = str(self.settings.get("project_id", ""))
        if environment:
            own = PROJECT_ID.search(read_text(STACK / "environments" / f"{environment}.tfvars"))
            self.function_project = own[1] if own else self.function_project
        self.index: Index | None = None
        self.index_error = ""
        try:
            self.index = read_index(REQUIREMENTS)
        except RequirementsError as error:
            self.index_error = str(error)

    def facts(self) -> Facts:
        platform = self.platform if isinstance(self.platform, dict) else {}
        function = self.settings.get("function")
        function = function if isinstance(function, dict) else {}
        policy = read_json(TERRAFORM / "platform" / SETTINGS).get("access_policy")
        facts = Facts(
            docker_repository=str(platform.get("docker_repository", "")),
            worker_pool=str(platform.get("worker_pool", "")),
            build_account=str(platform.get("build_service_account", "")),
            function_project=self.function_project,
            function=str(function.get("name", "")),
            runtime=str(function.get("runtime", "")),
            entry_point=str(function.get("entry_point", "")),
            access_policy=str(policy.get("id", "")) if isinstance(policy, dict) else "",
        )
        if self.index:
            facts = facts._replace(**self.index._asdict())
        else:
            facts = facts._replace(
                project=str(platform.get("project_id", "")),
                location=str(platform.get("region", "")),
                repository=str(platform.get("python_repository", "")).rpartition("/")[2],
            )
        own = function.get("own_build_service_account") is True
        if own or (facts.project and facts.project != facts.function_project):
            account = f"{facts.function}-build@{facts.function_project}.iam.gserviceaccount.com"
            facts = facts._replace(build_account=account, own_build_account=True)
        return facts


def check(repository: Repository, today: str) -> Iterator[Result]:
    """Yield what each check finds; one broken thing is one problem. `today` is YYYY-MM-DD."""
    facts = repository.facts()
    yield check_projects(facts)
    yield from check_index(repository)
    yield from check_requirements(repository)
    yield from check_hand_over(repository)
    yield check_runtime(facts.runtime, today)
    yield check_package_manager()
    yield from check_source(facts)


def check_projects(facts: Facts) -> Result:
    claim = "the projects are named"
    named = {"gcp_project_id": facts.function_project, "platform_project_id": facts.project}
    wrong = [question for question, project in named.items() if project in ("", PLACEHOLDER)]
    if wrong:
        seen = f"{' and '.join(wrong)} is still {PLACEHOLDER}, which is nobody's project."
        return Result(claim, PROBLEM, seen, symptom="placeholder-project")
    return Result(claim, OK, f"{facts.function_project}, on the platform of {facts.project}")


def check_index(repository: Repository) -> Iterator[Result]:
    claim = "requirements.txt names one index, an Artifact Registry repository"
    region = "the build signs pip in at that location"
    index, error = repository.index, repository.index_error
    command = "head -n 1 function/requirements.txt"
    if index is None:
        symptom = "extra-index" if "--extra-index-url" in error else "index-line-wrong"
        yield Result(claim, PROBLEM, f"{error}.", command, symptom)
        yield Result(region, UNKNOWN, "the index line names no location")
        return
    yield Result(claim, OK, f"{index.repository} of {index.project} in {index.location}", command)
    if index.location in SIGN_IN_LOCATIONS:
        yield Result(region, OK, index.location)
    else:
        seen = f"{index.location} is not a location for which the build writes pip's credentials."
        yield Result(region, PROBLEM, seen, command, "no-credentials")


def check_requirements(repository: Repository) -> Iterator[Result]:
    """The lock: complete, of this index alone, and as new as what it was made from."""
    text = read_text(REQUIREMENTS)
    lines = [line.split(" #")[0].strip() for line in text.replace("\\\n", " ").splitlines()]
    locked = [line for line in lines if line and not line.startswith(("#", "-"))]
    if not locked and repository.index is None:
        yield Result("every package is locked", UNKNOWN, "the index line could not be read either")
        return
    if not locked:
        seen = "requirements.txt asks for no package, or cannot be read."
        yield Result("every package is locked", PROBLEM, seen, "make lock", "lock-incomplete")
        return

    claim = "every package comes from that index"
    elsewhere = [line for line in lines if ELSEWHERE.match(line) or "://" in line.split(" --")[0]]
    elsewhere = [line for line in elsewhere if not re.match(r"--(?:extra-)?index-url|-i\b", line)]
    if elsewhere:
        seen = f"{shown(elsewhere[0])} is not taken from the index."
        yield Result(claim, PROBLEM, seen, symptom="package-elsewhere")
    else:
        yield Result(claim, OK, f"{len(locked)} packages")

    claim = "every package is locked"
    loose = [line for line in locked if "://" not in line.split(" --")[0] and not is_locked(line)]
    if loose:
        seen = f"{shown(loose[0])} has no version with ==, or no hash."
        yield Result(claim, PROBLEM, seen, symptom="lock-incomplete")
    else:
        yield Result(claim, OK, "each has its version and its hashes")

    yield check_wheels(text, repository.facts().runtime)

    claim = "functions-framework is locked"
    names = {package_name(line) for line in locked}
    if "functions-framework" in names:
        yield Result(claim, OK, "in requirements.txt")
    else:
        seen = "functions-framework is not in requirements.txt."
        yield Result(claim, PROBLEM, seen, symptom="framework-missing")

    claim = "the lock is as new as requirements.in"
    wanted = read_text(SOURCE / "requirements.in").splitlines()
    wanted = [line.split(" #")[0].strip() for line in wanted]
    wanted = [line for line in wanted if line and not line.startswith(("#", "-"))]
    missing = [line for line in wanted if not is_in(line, locked)]
    # The framework's absence is told above.
    missing = [line for line in missing if package_name(line) != "functions-framework"]
    if missing:
        seen = f"requirements.in asks for {shown(missing[0])}, and requirements.txt has it not."
        yield Result(claim, PROBLEM, seen, symptom="lock-stale")
    else:
        yield Result(claim, OK, f"{len(wanted)} packages asked for")


def check_wheels(lock: str, runtime: str) -> Result:
    """Hashes name no files, so this relies on what `make lock` has noted."""
    claim = "every package has a wheel for the runtime"
    if runtime not in map(runtime_name, SUPPORTED):
        seen = f"no lock is made for {runtime or 'an unknown runtime'}"
        return Result(claim, UNKNOWN, seen, optional=True)
    noted = re.search(rf"^{WHEELS}(.+)$", lock, re.MULTILINE)
    if not noted:
        seen = "the lock does not note it; `make lock` does"
        return Result(claim, UNKNOWN, seen, "make lock", optional=True)
    if runtime in map(runtime_name, noted[1].split(", ")):
        return Result(claim, OK, f"for Python {noted[1]} on Linux x86_64")
    seen = (
        f"the lock has wheels for Python {noted[1]}, and the runtime is {runtime or 'not named'}."
    )
    return Result(claim, PROBLEM, seen, symptom="no-wheel-for-runtime")


def runtime_name(python: str) -> str:
    return f"python{python.replace('.', '')}"


def is_locked(entry: str) -> bool:
    return REQUIREMENT.match(entry) is not None and "--hash=sha256:" in entry


def is_in(wanted: str, locked: list[str]) -> bool:
    """Whether the lock has what is `wanted`, and the very version when that says one."""
    same = [entry for entry in locked if package_name(entry) == package_name(wanted)]
    pin = re.search(r"==([^\s;,*]+)$", wanted)
    return any(not pin or re.search(rf"=={re.escape(pin[1])}(?=[\s;]|$)", each) for each in same)


def package_name(requirement: str) -> str:
    """The name that a requirement begins with, in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement)[0]).lower()


def check_hand_over(repository: Repository) -> Iterator[Result]:
    """What the platform handed over, and whether the lock and the places agree with it."""
    file = repository.hand_over.relative_to(ROOT)
    claim, agrees = "the platform's hand-over is here", "requirements.txt and the hand-over agree"
    platform = repository.platform
    names = ("project_id", "region", *PLACED, "python_index_url", "build_service_account")
    missing = [name for name in names if not isinstance(platform, dict) or not platform.get(name)]
    if missing or not isinstance(platform, dict):
        seen = f"{file} is missing, is not JSON, or does not name {', '.join(missing)}."
        yield Result(claim, PROBLEM, seen, f"cat {file}", "hand-over-missing")
        yield Result(agrees, UNKNOWN, "there is no hand-over")
        return
    yield Result(claim, OK, str(file))

    if repository.index is None:
        yield Result(agrees, UNKNOWN, "the index line names no repository")
        return
    place = f"projects/{platform['project_id']}/locations/{platform['region']}/"
    elsewhere = [name for name in names if name in PLACED if not platform[name].startswith(place)]
    url = "https://{region}-python.pkg.dev/{project_id}/".format(**platform)
    url += platform["python_repository"].rpartition("/")[2] + "/simple/"
    first_line = read_text(REQUIREMENTS).split("\n", 1)[0].strip()
    if elsewhere:
        seen = f"{elsewhere[0]} of {file} is {platform[elsewhere[0]]}, which is not in {place}."
    elif platform["python_index_url"] != url:
        seen = f"python_index_url of {file} is not that of its python_repository, {url}."
    elif first_line != f"--index-url {url}":
        seen = f"requirements.txt begins with {shown(first_line)}, and {file} says {url}."
    else:
        yield Result(agrees, OK, url)
        return
    yield Result(agrees, PROBLEM, seen, f"cat {file}", "hand-over-differs")


def check_runtime(runtime: str, today: str) -> Result:
    claim = "the Python runtime is supported"
    if runtime not in RUNTIMES:
        seen = f"{runtime or 'no runtime'} is not one of {', '.join(sorted(RUNTIMES))}."
        return Result(claim, PROBLEM, seen, symptom="runtime-not-available")
    deprecated, removed = RUNTIMES[runtime]
    if today >= deprecated:
        seen = f"{runtime} is deprecated since {deprecated} and is removed on {removed}."
        return Result(claim, PROBLEM, seen, symptom="runtime-deprecated")
    return Result(claim, OK, f"{runtime}, until {deprecated}")


def check_package_manager() -> Result:
    claim = "the build takes pip"
    if any(FORCED_PIP.search(read_text(file)) for file in STACK.glob("*.tf")):
        return Result(claim, OK, "GOOGLE_PYTHON_PACKAGE_MANAGER is pip")
    seen = 'terraform/function/*.tf do not set GOOGLE_PYTHON_PACKAGE_MANAGER to "pip".'
    return Result(claim, PROBLEM, seen, symptom="package-manager")


def check_source(facts: Facts) -> Iterator[Result]:
    """The function's code: it is there, compiles, has its entry point, and is not too much."""
    main = SOURCE / "main.py"
    claim, compiles = "the function's main.py is here", "the function's source compiles"
    if not main.is_file():
        yield Result(claim, PROBLEM, "there is no function/main.py.", symptom="main-missing")
        return
    minor = re.fullmatch(r"python3(\d+)", facts.runtime)
    version = (3, int(minor[1])) if minor else sys.version_info[:2]
    sources = sorted(SOURCE.rglob("*.py"))
    broken = next((error for file in sources if (error := syntax_error(file, version))), "")
    if broken and sys.version_info[:2] < version:
        seen = f"Python 3.{sys.version_info.minor} refuses {broken}, but the runtime is newer"
        yield Result(compiles, UNKNOWN, seen)
    elif broken:
        command = "python3 -m compileall -q function"
        yield Result(compiles, PROBLEM, f"{broken}.", command, "syntax-error")
    else:
        yield Result(compiles, OK, f"{len(sources)} files")
        yield check_entry_point(main, facts.entry_point)

    size = sum(file.stat().st_size for file in SOURCE.rglob("*") if file.is_file())
    claim = "the source has a function's size"
    if size > LARGE_SOURCE:
        seen = f"function/ holds {size / 1e6:.0f} MB."
        yield Result(claim, PROBLEM, seen, "du -sh function/*", "source-too-large")
    else:
        yield Result(claim, OK, f"{size / 1e3:.0f} kB")


def syntax_error(file: Path, version: tuple[int, int]) -> str:
    """What the runtime's Python would refuse in `file`, or nothing."""
    try:
        compile(ast.parse(file.read_bytes(), feature_version=version), str(file), "exec")
    except SyntaxError as error:
        return f"{file.parent.name}/{file.name}, line {error.lineno}: {error.msg}"
    except ValueError as error:
        return f"{file.parent.name}/{file.name}: {error}"
    return ""


def check_entry_point(main: Path, entry_point: str) -> Result:
    claim = "main.py has the entry point"
    module = ast.parse(main.read_bytes())
    names = {node.name for node in module.body if isinstance(node, DEFINITIONS)}
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    if entry_point in names:
        return Result(claim, OK, entry_point)
    seen = f"function/main.py defines no {entry_point or 'function that is the entry point'}."
    return Result(claim, PROBLEM, seen, symptom="entry-point-missing")


def shown(text: str) -> str:
    """As much of a line as a message holds, without a URL's credentials."""
    text = re.sub(r"(?<=://)[^/\s]*@", "", re.sub(r"\s+--hash=.*", "", text))
    return text if len(text) <= 80 else text[:77] + "..."


def read_text(path: Path) -> str:
    """The text of `path`, empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""


def read_json(path: Path) -> dict[str, object]:
    """The object in `path`, empty when there is none."""
    try:
        content = json.loads(read_text(path))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
