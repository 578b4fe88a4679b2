"""What can be told about the build from the files of this repository, without any network."""

from __future__ import annotations

import ast
import difflib
import json
import re
import symtable
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from closed_function.findings import OK, PROBLEM, UNKNOWN, Result
from closed_function.lock import RUNTIMES as LOCKED_RUNTIMES
from closed_function.lock import WHEELS, package_name
from closed_function.stacks import (
    HAND_OVER,
    PLACEHOLDER,
    REQUIREMENTS,
    ROOT,
    SETTINGS,
    TERRAFORM,
    environment_settings,
    hand_over_file,
)
from closed_function.upstreams import EXAMPLE, Index, RequirementsError, presentable, read_index

SOURCE = REQUIREMENTS.parent
REQUIREMENTS_IN = SOURCE / "requirements.in"
MAIN = SOURCE / "main.py"
STACK = TERRAFORM / "function"
FUNCTION_SETTINGS = STACK / SETTINGS
PLATFORM_SETTINGS = TERRAFORM / "platform" / SETTINGS
PYPROJECT = ROOT / "pyproject.toml"
MAKEFILE = ROOT / "Makefile"
# What cruft notes of the template: where it lies, its commit, and the answers.
CRUFT_STATE = ROOT / ".cruft.json"

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

DEFAULT_RUNTIME = "python313"  # of terraform/function/variables.tf

# What the platform hands over by full names, all of its one project and region.
PLACED = ("worker_pool", "docker_repository", "python_repository")
HANDED = ("project_id", "region", *PLACED, "python_index_url", "build_service_account")

LOCKED = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\[[\w,. -]+\])? ?== ?[^\s;,*]+(?:\s?;[^-]\S*(?: \S+)*?)?"
    r"(?:\s+--hash=sha(?:256|384|512):[0-9a-f]{64,128})+"
)
ELSEWHERE = re.compile(
    r"-[rcfe]\b|--(?:requirement|constraint|find-links|editable|no-index)\b"
    r"|[./]|[^-].*://|\S+\s+@|\S+\.(?:whl|zip|tar\.gz)$"
)
INDEX_OPTION = re.compile(r"--(?:extra-)?index-url\b|--pypi-url\b|-i\b")
FORCED_PIP = re.compile(r'^\s*GOOGLE_PYTHON_PACKAGE_MANAGER\s*=\s*"pip"', re.MULTILINE)
# Build variables that would lead pip elsewhere, or take another program.
MISLEADING = ("GOOGLE_PYTHON_PACKAGE_MANAGER", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
PROJECT_ID = re.compile(r'^project_id\s*=\s*"([^"]*)"', re.MULTILINE)
REQUIRED_PYTHON = re.compile(r'^requires-python\s*=\s*"==(3\.\d+)\.\*"', re.MULTILINE)
SERVED = re.compile(r"^ENTRY_POINT\s*:?=\s*(\w+)", re.MULTILINE)
STAR_IMPORT = re.compile(rb"^\s*from\s+\S+\s+import\s+\*", re.MULTILINE)
CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
# What terraform/function/source.tf leaves out of the upload.
LEFT_OUT = re.compile(r"(?:^|/)(?:\.|__pycache__/|tests?/|test_[^/]*$|conftest\.py$)|\.py[cod]$")
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
    """The files that say what the build needs, for one environment (None: the default's).

    `settings_unread` and `hand_over_unread` say why a file cannot be read. StackError when the
    environment has no settings.
    """

    def __init__(self, environment: str | None) -> None:
        handed = hand_over_file(environment)
        self.hand_over = handed if handed.is_file() else HAND_OVER
        self.settings, self.settings_unread = read_object(FUNCTION_SETTINGS)
        handed_over, self.hand_over_unread = read_object(self.hand_over)
        self.platform = mapping(handed_over.get("platform"))
        self.function = mapping(self.settings.get("function"))
        self.function_project = text(self.settings.get("project_id"))
        if environment:
            own = PROJECT_ID.search(read(environment_settings("function", environment))[0])
            self.function_project = own[1] if own else self.function_project
        self.index: Index | None = None
        self.index_error = ""
        try:
            self.index = read_index(REQUIREMENTS)
        except RequirementsError as error:
            self.index_error = str(error)

    def facts(self) -> Facts:
        platform, function = self.platform, self.function
        policy, _ = read_object(PLATFORM_SETTINGS)
        facts = Facts(
            docker_repository=text(platform.get("docker_repository")),
            worker_pool=text(platform.get("worker_pool")),
            build_account=text(platform.get("build_service_account")),
            function_project=self.function_project,
            function=text(function.get("name")),
            runtime=text(function.get("runtime", DEFAULT_RUNTIME)),
            entry_point=text(function.get("entry_point")),
            access_policy=text(mapping(policy.get("access_policy")).get("id")),
        )
        if self.index:
            facts = facts._replace(**self.index._asdict())
        else:
            facts = facts._replace(
                project=text(platform.get("project_id")),
                location=text(platform.get("region")),
                repository=text(platform.get("python_repository")).rpartition("/")[2],
            )
        own = function.get("own_build_service_account") is True
        elsewhere = bool(facts.project) and facts.project != facts.function_project
        if own or elsewhere:
            account = f"{facts.function}-build@{facts.function_project}.iam.gserviceaccount.com"
            facts = facts._replace(build_account=account, own_build_account=True)
        if elsewhere:
            place = f"projects/{facts.function_project}/locations/{text(platform.get('region'))}"
            docker = f"{place}/repositories/{facts.function}"
            facts = facts._replace(docker_repository=docker)
        return facts


def check(repository: Repository, today: str) -> Iterator[Result]:
    """Yield what each check finds; one broken thing is one problem. `today` is YYYY-MM-DD."""
    conflict = check_conflicts(repository)
    yield conflict
    if conflict.verdict == PROBLEM:
        return
    facts = repository.facts()
    yield from check_settings(repository, facts, today)
    yield from check_index(repository)
    yield from check_requirements(facts.runtime)
    yield from check_hand_over(repository)
    yield from check_answers()
    yield check_package_manager(repository)
    yield from check_source(repository, facts)


def check_conflicts(repository: Repository) -> Result:
    claim = "no file has the marks of a merge conflict"
    for file in (REQUIREMENTS, REQUIREMENTS_IN, MAIN, FUNCTION_SETTINGS, repository.hand_over):
        content, _ = read(file)
        if mark := CONFLICT.search(content):
            line = 1 + content.count("\n", 0, mark.start())
            seen = f"{relative(file)}, line {line}: {mark[0].strip()}"
            return Result(claim, PROBLEM, seen, "git status", "merge-conflict")
    return Result(claim, OK, "none")


def check_settings(repository: Repository, facts: Facts, today: str) -> Iterator[Result]:
    """The function's settings: they can be read, name real projects and a runtime there is."""
    claim, named = "the function's settings can be read", "the projects are named"
    runtime = "the Python runtime is supported"
    why = repository.settings_unread
    if not why and not (facts.function_project and facts.entry_point):
        missing = "function.entry_point" if facts.function_project else "project_id"
        why = f"does not name {missing}"
    if why:
        file = relative(FUNCTION_SETTINGS)
        yield Result(claim, PROBLEM, f"{file} {why}.", f"cat {file}", "settings-unreadable")
        for other in (named, runtime):
            yield Result(other, UNKNOWN, "the function's settings cannot be read", optional=True)
        return
    yield Result(claim, OK, str(relative(FUNCTION_SETTINGS)))
    projects = {
        "gcp_project_id": facts.function_project,
        "platform_project_id": facts.project,
    }
    unnamed = [question for question, project in projects.items() if project == PLACEHOLDER]
    if unnamed:
        verb = "is" if len(unnamed) == 1 else "are"
        seen = f"{' and '.join(unnamed)} {verb} still the placeholder {PLACEHOLDER}."
        yield Result(named, PROBLEM, seen, symptom="placeholder-project")
    else:
        yield Result(named, OK, f"{facts.function_project}, on the platform of {facts.project}")
    yield check_runtime(runtime, facts.runtime, today)


def check_runtime(claim: str, runtime: str, today: str) -> Result:
    if runtime not in RUNTIMES:
        near = difflib.get_close_matches(runtime, RUNTIMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        seen = f"{runtime or 'nothing'} is not one of {', '.join(sorted(RUNTIMES))}{hint}"
        return Result(claim, PROBLEM, seen, symptom="runtime-not-available")
    deprecated, removed = RUNTIMES[runtime]
    if today >= deprecated:
        seen = f"{runtime} is deprecated since {deprecated} and is removed on {removed}."
        return Result(claim, PROBLEM, seen, symptom="runtime-deprecated")
    return Result(claim, OK, f"{runtime}, until {deprecated}")


def check_index(repository: Repository) -> Iterator[Result]:
    claim = "requirements.txt begins with the index, an Artifact Registry repository"
    region = "the build signs pip in at that location"
    command = "head -n 1 function/requirements.txt"
    index, error = repository.index, repository.index_error
    if index is None:
        symptom = "extra-index" if "--extra-index-url" in error else "index-line-wrong"
        handed = text(repository.platform.get("python_index_url"))
        wanted = f"--index-url {handed}" if handed else EXAMPLE
        seen = error.replace(str(REQUIREMENTS), str(relative(REQUIREMENTS)))
        yield Result(claim, PROBLEM, seen.replace(EXAMPLE, wanted), command, symptom)
        yield Result(region, UNKNOWN, "the index line names no location", optional=True)
        return
    wanted = f"--index-url https://{index.location}-python.pkg.dev/"
    wanted += f"{index.project}/{index.repository}/simple/"
    with REQUIREMENTS.open(encoding="utf-8", newline="") as file:
        first_line = file.readline().removesuffix("\n")
    if first_line != wanted:
        # Marks that nobody sees are shown as what they are.
        seen = f"the first line is {shown(first_line)!a}, and must be {wanted!a}."
        yield Result(claim, PROBLEM, seen, command, "index-line-wrong")
    else:
        seen = f"{index.repository} of {index.project} in {index.location}"
        yield Result(claim, OK, seen, command)
    if index.location in SIGN_IN_LOCATIONS:
        yield Result(region, OK, index.location)
    else:
        seen = f"{index.location} is not a location for which the build writes pip's credentials."
        yield Result(region, PROBLEM, seen, command, "no-credentials")


def check_requirements(runtime: str) -> Iterator[Result]:
    """The lock: of this index alone, complete, fit for the runtime, and as new as its origin."""
    claim = "every package is locked"
    content, why = read(REQUIREMENTS)
    if why:
        # The index line's check has told so.
        yield Result(claim, UNKNOWN, f"requirements.txt {why}", optional=True)
        return
    locked = requirements(content)
    listed, unlisted = read(REQUIREMENTS_IN)
    wanted = requirements(listed)
    yield check_origin({"requirements.txt": locked, "requirements.in": wanted})

    packages = [line for line in locked if not line.startswith("-")]
    loose = [line for line in packages if not ELSEWHERE.match(line) and not LOCKED.fullmatch(line)]
    if loose or not packages:
        seen = f"{shown(loose[0])} has no version with ==, or no whole hash." if loose else ""
        seen = seen or "requirements.txt asks for no package."
        yield Result(claim, PROBLEM, seen, "cat function/requirements.txt", "lock-incomplete")
    else:
        yield Result(claim, OK, f"{len(packages)} packages, each with its version and its hashes")
    yield check_wheels(content, runtime)

    claim, framework = "functions-framework is locked", "functions-framework"
    names = {package_name(line) for line in packages}
    if framework in names:
        yield Result(claim, OK, "in requirements.txt")
    else:
        seen = f"{framework} is not in requirements.txt."
        yield Result(claim, PROBLEM, seen, symptom="framework-missing")

    claim = "the lock has what requirements.in asks for"
    lacking = [line for line in wanted if not ELSEWHERE.match(line) and not is_in(line, packages)]
    # A framework that is nowhere in the lock is told above.
    lacking = [line for line in lacking if package_name(line) != framework or framework in names]
    if unlisted:
        seen = f"{relative(REQUIREMENTS_IN)} {unlisted}."
        yield Result(claim, PROBLEM, seen, symptom="lock-stale")
    elif lacking:
        seen = f"requirements.in asks for {shown(lacking[0])}, but requirements.txt lacks it."
        yield Result(claim, PROBLEM, seen, symptom="lock-stale")
    else:
        yield Result(claim, OK, f"{len(wanted)} of {len(packages)} packages are asked for by name")


def requirements(content: str) -> list[str]:
    """The entries of a requirements file, one line each, without its comments and index lines."""
    lines = re.sub(r"\\\r?\n", " ", content).splitlines()
    lines = [re.sub(r"(?:^|\s)#.*", "", line).strip() for line in lines]
    return [line for line in lines if line and not INDEX_OPTION.match(line)]


def check_origin(files: dict[str, list[str]]) -> Result:
    claim = "every package comes from that index"
    for name, lines in files.items():
        for line in lines:
            if ELSEWHERE.match(line):
                seen = f"{name} has {shown(line)}, which does not come from the index."
                return Result(claim, PROBLEM, seen, symptom="package-elsewhere")
    return Result(claim, OK, "each is asked for by its name")


def check_wheels(lock: str, runtime: str) -> Result:
    """Hashes name no files, so this relies on what `make lock` has noted."""
    claim = "every package has a wheel for the runtime"
    if runtime not in map(runtime_name, LOCKED_RUNTIMES):
        seen = f"no lock is made for {runtime or 'an unknown runtime'}"
        return Result(claim, UNKNOWN, seen, optional=True)
    noted = re.search(rf"^{WHEELS}(.+?)\s*$", lock, re.MULTILINE)
    if not noted:
        seen = "the lock does not note it; `make lock` does"
        return Result(claim, UNKNOWN, seen, "make lock", optional=True)
    if runtime in map(runtime_name, noted[1].split(", ")):
        return Result(claim, OK, f"for Python {noted[1]} on Linux x86_64")
    seen = f"the lock has wheels for Python {noted[1]}; the runtime is {runtime}."
    return Result(claim, PROBLEM, seen, symptom="no-wheel-for-runtime")


def runtime_name(python: str) -> str:
    return f"python{python.replace('.', '')}"


def is_in(wanted: str, locked: list[str]) -> bool:
    """Whether the lock has what is `wanted`, and the very version when that says one."""
    same = [entry for entry in locked if package_name(entry) == package_name(wanted)]
    pin = re.search(r"==([^\s;,*]+)\s*(?:;.*)?$", wanted)
    return any(not pin or re.search(rf"=={re.escape(pin[1])}(?=[\s;]|$)", each) for each in same)


def check_hand_over(repository: Repository) -> Iterator[Result]:
    """What the platform handed over: it is whole, agrees with itself, and with the index line."""
    file, platform = relative(repository.hand_over), repository.platform
    claim, agrees = "the platform's hand-over is whole", "the index line is the platform's"
    why = repository.hand_over_unread
    missing = [name for name in HANDED if not text(platform.get(name))]
    if not why and missing:
        why = f"does not name {', '.join(missing)}"
    if why:
        yield Result(claim, PROBLEM, f"{file} {why}.", f"cat {file}", "hand-over-missing")
        yield Result(agrees, UNKNOWN, "the hand-over is not whole", optional=True)
        return
    handed = {name: text(platform[name]) for name in HANDED}
    place = f"projects/{handed['project_id']}/locations/{handed['region']}/"
    url = "https://{region}-python.pkg.dev/{project_id}/".format_map(handed)
    url += handed["python_repository"].rpartition("/")[2] + "/simple/"
    odd = [f"{name} is {handed[name]}" for name in PLACED if not handed[name].startswith(place)]
    if handed["python_index_url"] != url:
        odd.append(f"python_index_url is {handed['python_index_url']}, not {url}")
    if odd:
        seen = f"in {file} project_id is {handed['project_id']} and region {handed['region']}, "
        seen += f"but {odd[0]}."
        yield Result(claim, PROBLEM, seen, f"cat {file}", "hand-over-contradictory")
        yield Result(agrees, UNKNOWN, "the hand-over contradicts itself", optional=True)
        return
    yield Result(claim, OK, str(file))
    index = repository.index
    if index is None:
        yield Result(agrees, UNKNOWN, "the index line names no repository", optional=True)
    elif index != Index(handed["region"], handed["project_id"], url.split("/")[-3]):
        seen = f"requirements.txt names {index.repository} of {index.project} in "
        seen += f"{index.location}, and {file} names {url}."
        yield Result(agrees, PROBLEM, seen, f"cat {file}", "hand-over-differs")
    else:
        yield Result(agrees, OK, url)


def check_answers() -> Iterator[Result]:
    """What was answered, as cruft notes it, is what the files say.

    An update brings another answer to the template's files and not to the user's.
    """
    claim, note = "the files say what the template was answered", relative(CRUFT_STATE)
    state, why = read_object(CRUFT_STATE)
    if not CRUFT_STATE.exists():
        yield Result(claim, OK, f"there is no {note}, so there is nothing to compare")
        return
    if why:
        yield Result(claim, UNKNOWN, f"{note} {why}", optional=True)
        return
    answers = mapping(mapping(state.get("context")).get("cookiecutter"))
    differing = [*other_answers(answers), *other_kind(answers)]
    for seen in differing:
        yield Result(claim, PROBLEM, seen, symptom="answers-differ")
    if not differing:
        yield Result(claim, OK, f"as in {note}")


def other_answers(answers: dict[str, object]) -> Iterator[str]:
    """A sentence for each answer that the files do not give, with both ways to mend it."""
    said: dict[str, dict[str, list[str]]] = {}
    for question, file, value in said_by_files():
        said.setdefault(question, {}).setdefault(value, []).append(str(relative(file)))
    for question, files_by_value in said.items():
        answer = text(answers.get(question))
        others = [value for value in files_by_value if value not in ("", answer)]
        # An empty answer was not known when the repository was made.
        if answer and others:
            places = [f"{value} in {' and in '.join(files_by_value[value])}" for value in others]
            told = json.dumps({question: others[0]})
            yield (
                f"{question} is {answer} in {relative(CRUFT_STATE)}, but {' and '.join(places)}. "
                "If the answer holds, change the files and run `make lock`; "
                f"if not, run `make upgrade ANSWERS='{told}'`."
            )


def said_by_files() -> Iterator[tuple[str, Path, str]]:
    """Which question each of the user's files answers, and how: empty where it does not.

    The index line is compared with the hand-over. An environment's own files are not looked at.
    """
    platform = mapping(read_object(HAND_OVER)[0].get("platform"))
    yield "platform_project_id", HAND_OVER, text(platform.get("project_id"))
    yield "region", HAND_OVER, text(platform.get("region"))
    repository = text(platform.get("python_repository")).rpartition("/")[2]
    yield "python_repository", HAND_OVER, repository

    settings, _ = read_object(FUNCTION_SETTINGS)
    function = mapping(settings.get("function"))
    runtime = text(function.get("runtime", DEFAULT_RUNTIME if function else ""))
    yield "gcp_project_id", FUNCTION_SETTINGS, text(settings.get("project_id"))
    yield "python_version", FUNCTION_SETTINGS, runtime.replace("python3", "3.", 1)
    required = REQUIRED_PYTHON.search(read(PYPROJECT)[0])
    yield "python_version", PYPROJECT, required[1] if required else ""

    settings, _ = read_object(PLATFORM_SETTINGS)
    yield "platform_project_id", PLATFORM_SETTINGS, text(settings.get("project_id"))
    yield "region", PLATFORM_SETTINGS, text(settings.get("region"))
    repository = text(mapping(settings.get("repositories")).get("python"))
    yield "python_repository", PLATFORM_SETTINGS, repository
    mode = text(mapping(settings.get("perimeter")).get("mode"))
    # There is no answer for the mode that touches no perimeter.
    yield "platform", PLATFORM_SETTINGS, mode if mode != "none" else ""
    policy = text(mapping(settings.get("access_policy")).get("id"))
    yield "access_policy_id", PLATFORM_SETTINGS, policy


def other_kind(answers: dict[str, object]) -> Iterator[str]:
    """What a kind of function is, the files do not tell; but each has an entry point of its own."""
    deployed = text(mapping(read_object(FUNCTION_SETTINGS)[0].get("function")).get("entry_point"))
    served = SERVED.search(read(MAKEFILE)[0])
    if served and deployed and served[1] != deployed:
        yield (
            f"function_kind is {text(answers.get('function_kind'))} in {relative(CRUFT_STATE)}, "
            f"with which {relative(MAKEFILE)} serves {served[1]}, but "
            f"{relative(FUNCTION_SETTINGS)} deploys {deployed}. Let both name the same; "
            "a function of another kind is baked anew, in a repository of its own."
        )


def check_package_manager(repository: Repository) -> Result:
    claim = "the build takes pip, and no other index"
    set_by_user = mapping(repository.function.get("build_environment"))
    misleading = [name for name in MISLEADING if name in set_by_user]
    if misleading:
        seen = f"function.build_environment sets {misleading[0]}."
    elif not any(FORCED_PIP.search(read(file)[0]) for file in STACK.glob("*.tf")):
        seen = 'terraform/function/*.tf do not set GOOGLE_PYTHON_PACKAGE_MANAGER to "pip".'
    else:
        return Result(claim, OK, "GOOGLE_PYTHON_PACKAGE_MANAGER is pip")
    return Result(claim, PROBLEM, seen, symptom="package-manager")


def check_source(repository: Repository, facts: Facts) -> Iterator[Result]:
    """The function's code: it is there, compiles, has its entry point, and is not too much."""
    claim, compiles = "the function's main.py is here", "the function's source compiles"
    if not MAIN.is_file():
        yield Result(claim, PROBLEM, "there is no function/main.py.", symptom="main-missing")
        return
    minor = re.fullmatch(r"python3(\d+)", facts.runtime)
    version = (3, int(minor[1])) if minor else sys.version_info[:2]
    uploaded = [file for file in sorted(SOURCE.rglob("*")) if is_uploaded(file)]
    sources = [file for file in uploaded if file.suffix == ".py"]
    broken = next((error for file in sources if (error := syntax_error(file, version))), "")
    if broken:
        here = f"3.{sys.version_info.minor}"
        older = sys.version_info[:2] < version
        seen = f"{broken} (as Python {here} reads it, the runtime being newer)" if older else broken
        yield Result(compiles, PROBLEM, seen, symptom="syntax-error")
    else:
        yield Result(compiles, OK, f"{len(sources)} files")
        if not repository.settings_unread and facts.entry_point:
            yield check_entry_point(facts.entry_point)

    size = sum(file.stat().st_size for file in uploaded)
    claim = "the source has a function's size"
    if size > LARGE_SOURCE:
        seen = f"function/ holds {size / 1e6:.0f} MB."
        yield Result(claim, PROBLEM, seen, "du -sh function/*", "source-too-large")
    else:
        yield Result(claim, OK, f"{size / 1e3:.0f} kB")


def is_uploaded(file: Path) -> bool:
    return file.is_file() and not LEFT_OUT.search(file.relative_to(SOURCE).as_posix())


def syntax_error(file: Path, version: tuple[int, int]) -> str:
    """What the runtime's Python would refuse in `file`, or nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(ast.parse(file.read_bytes(), feature_version=version), str(file), "exec")
    except SyntaxError as error:
        return f"{relative(file)}, line {error.lineno}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return f"{relative(file)}: {error or type(error).__name__}"
    return ""


def check_entry_point(entry_point: str) -> Result:
    claim = "main.py has the entry point"
    source = MAIN.read_bytes()
    if STAR_IMPORT.search(source):
        return Result(claim, UNKNOWN, "main.py imports * from another module", optional=True)
    table = symtable.symtable(source.decode("utf-8-sig", "replace"), str(MAIN), "exec")
    names = {each.get_name(): each for each in table.get_symbols()}
    defined = [name for name, each in names.items() if each.is_namespace()]
    known = names.get(entry_point)
    if known and (known.is_assigned() or known.is_imported()):
        return Result(claim, OK, entry_point)
    seen = f"function/main.py defines {', '.join(defined) or 'nothing'}, and no {entry_point}."
    return Result(claim, PROBLEM, seen, symptom="entry-point-missing")


def shown(line: str) -> str:
    """As much of a line as a message holds, without hashes and a URL's credentials."""
    # What follows a question mark in a URL may be a key.
    line = presentable(re.sub(r"\s+--hash=.*", "", re.sub(r"(?<=\w)\?\S*", "?…", line)))
    return line if len(line) <= 160 else line[:157] + "..."


def relative(path: Path) -> Path:
    return path.relative_to(ROOT)


def read(path: Path) -> tuple[str, str]:
    """The text of `path`, and why it cannot be read; one of the two is empty."""
    try:
        return path.read_text(encoding="utf-8-sig"), ""
    except FileNotFoundError:
        return "", "is missing"
    except UnicodeDecodeError:
        return "", "is not UTF-8 text"
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"


def read_object(path: Path) -> tuple[dict[str, object], str]:
    """The JSON object in `path`, and why there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        return {}, f"is not JSON: line {error.lineno}: {error.msg}"
    except (OSError, ValueError, RecursionError):
        return {}, read(path)[1] or "is not JSON"
    return (content, "") if isinstance(content, dict) else ({}, "is not a JSON object")


def mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    return value if isinstance(value, str) else ""
