"""Say which packages of function/requirements.txt have known vulnerabilities.

pip-audit asks a service that speaks OSV's API: the public one, or that of the variable
PIP_AUDIT_OSV_URL, such as a mirror inside the network. No package index is asked, for the lock says
all. pip's settings `cert` and `proxy` hold here, too. Every version in the lock is asked about,
whatever its environment marker says of this machine, and with them one that is known to be
vulnerable: a service that does not know that one knows nothing.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from closed_function.command_line import report_progress
from closed_function.errors import ExitStatus, UnavailableError
from closed_function.files import read_text
from closed_function.paths import REQUIREMENTS
from closed_function.pip_settings import pip_setting
from closed_function.processes import run_bounded
from closed_function.redaction import redact
from closed_function.requirements import abbreviate, package_name, read_entries

SERVICE = "PIP_AUDIT_OSV_URL"
PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])? ?== ?([^\s;,*]+)(?=[\s;]|$)")
ANSWER_TIMEOUT, AUDIT_TIMEOUT = 10, 300
ADVICE = f"""\
Name a service that answers as OSV's does: make audit {SERVICE}=https://HOST/v1/query
Or let Artifact Analysis scan what is built, which needs no way out: see docs/operations.md."""


class Package(NamedTuple):
    name: str
    version: str


# It has had advisories since 2010, and no build of today takes it.
KNOWN_VULNERABLE = Package("django", "1.2")
Vulnerabilities = dict[Package, list[Mapping[str, object]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ignore",
        type=listed_ids,
        default=[],
        metavar="ID,ID",
        help="vulnerabilities that do not concern this function",
    )


def listed_ids(text: str) -> list[str]:
    names = text.split(",")
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} must be ids with a comma between, without gaps")
    return names


def run(options: argparse.Namespace) -> int:
    """Print each vulnerability, or that none is known."""
    try:
        packages = locked_packages()
    except UnavailableError as error:
        raise UnavailableError(f"Could not tell: {error} Run: make lock") from None
    report_progress(f"Asking {service_name()} about {len(packages)} packages.")
    try:
        vulnerable = known_vulnerabilities(packages, options.ignore)
    except UnavailableError as error:
        raise UnavailableError(f"Could not tell, for {service_name()}: {error}\n{ADVICE}") from None
    for package, vulnerabilities in vulnerable.items():
        for vulnerability in vulnerabilities:
            print(format_vulnerability(package, vulnerability))
    if vulnerable:
        print("Take the newest versions that fit: make lock UPGRADE=1")
        return ExitStatus.WRONG
    ignored = f" besides {', '.join(options.ignore)}" if options.ignore else ""
    print(f"No vulnerability is known of the {len(packages)} packages{ignored}.")
    return ExitStatus.DONE


def locked_packages() -> list[Package]:
    """Return what the lock asks for. UnavailableError unless it gives a version of everything."""
    content, why = read_text(REQUIREMENTS)
    if why:
        raise UnavailableError(f"function/requirements.txt {why}.")
    packages = []
    for entry in read_entries(content):
        pinned = PINNED.match(entry)
        if not pinned:
            raise UnavailableError(
                f"function/requirements.txt has {abbreviate(entry)}, without a version."
            )
        packages.append(Package(package_name(pinned[1]), pinned[2]))
    if not packages:
        raise UnavailableError("function/requirements.txt asks for no package.")
    return packages


def batches(packages: Iterable[Package]) -> Iterator[list[Package]]:
    """Split `packages` so that no batch has two versions of one, which pip-audit refuses."""
    rest = list(dict.fromkeys(packages))
    while rest:
        batch = {package.name: package for package in reversed(rest)}
        yield list(batch.values())
        rest = [package for package in rest if batch[package.name] != package]


def audit(
    packages: list[Package], ignored: Iterable[str], environment: Mapping[str, str]
) -> Vulnerabilities:
    """Ask about `packages`. UnavailableError when the answer is not one about each of them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("".join(f"{each.name}=={each.version}\n" for each in packages))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file)]
        command += ["--no-deps", "--disable-pip", "--vulnerability-service", "osv"]
        command += ["--format", "json", "--progress-spinner", "off"]
        command += ["--cache-dir", str(Path(folder, "cache")), "--timeout", str(ANSWER_TIMEOUT)]
        command += [f"--ignore-vuln={name}" for name in ignored]
        outcome = run_bounded(command, environment, AUDIT_TIMEOUT)
    if outcome.status is None:
        raise UnavailableError(f"no answer within {AUDIT_TIMEOUT} s.")
    try:
        # pip-audit ends with 1 for a vulnerability as for any failure of its own.
        dependencies = json.loads(outcome.output)["dependencies"]
        answers = {each["name"]: each["vulns"] for each in dependencies}
        return {package: answers[package.name] for package in packages}
    except (ValueError, KeyError, TypeError):
        raise UnavailableError(audit_problem(outcome.errors)) from None


def audit_problem(errors: str) -> str:
    """Return what kept pip-audit from an answer, by what it printed before it gave up."""
    of_requests = re.findall(r"^requests\.exceptions\.(\w+): (.*)$", errors, re.MULTILINE)
    kind, words = of_requests[-1] if of_requests else ("", "")
    if "Could not connect" in errors:
        return f"it cannot be reached (no answer within {ANSWER_TIMEOUT} s)."
    if kind == "HTTPError":
        return f"it refused ({redact(words)})."
    if kind == "JSONDecodeError":
        return "what it answered is not JSON, as OSV's answers are."
    if kind:
        return f"it cannot be reached ({redact(words)})."
    last = redact(next((line for line in reversed(errors.splitlines()) if line.strip()), ""))
    return f"pip-audit failed ({last or 'it printed nothing'})."


def service_environment() -> dict[str, str]:
    """Return the environment in which pip-audit reaches the service as pip reaches its index."""
    environment = dict(os.environ)
    for variable, setting in (("REQUESTS_CA_BUNDLE", "cert"), ("HTTPS_PROXY", "proxy")):
        value = pip_setting(setting)
        if value:
            environment.setdefault(variable, value)
    # Options of pip-audit's that would change what is read here.
    for name in ("PIP_AUDIT_FORMAT", "PIP_AUDIT_OUTPUT", "PIP_AUDIT_VULNERABILITY_SERVICE"):
        environment.pop(name, None)
    if not environment.get(SERVICE):
        environment.pop(SERVICE, None)
    return environment


def known_vulnerabilities(packages: list[Package], ignored: Iterable[str]) -> Vulnerabilities:
    """Return the vulnerabilities of `packages`, by package. UnavailableError without an answer."""
    environment = service_environment()
    answers: Vulnerabilities = {}
    for batch in batches([*packages, KNOWN_VULNERABLE]):
        answers |= audit(batch, ignored, environment)
    if not answers[KNOWN_VULNERABLE]:
        name, version = KNOWN_VULNERABLE
        raise UnavailableError(
            f"it knows no vulnerability of {name} {version}, which has many, so that its silence "
            "about the others says nothing."
        )
    return {package: answers[package] for package in packages if answers[package]}


def service_name() -> str:
    """Return the service's host, without what a URL may carry besides."""
    url = os.environ.get(SERVICE)
    return f"the service at {urlsplit(url).hostname}" if url else "the public OSV service"


def format_vulnerability(package: Package, vulnerability: Mapping[str, object]) -> str:
    """Return one line about a vulnerability."""
    listed = {
        key: ", ".join(map(str, value)) if isinstance(value, list) else ""
        for key, value in vulnerability.items()
    }
    aliases = f" ({listed['aliases']})" if listed.get("aliases") else ""
    fixed = f"fixed in {listed['fix_versions']}" if listed.get("fix_versions") else "not fixed yet"
    return redact(f"{package.name} {package.version}: {vulnerability['id']}{aliases}, {fixed}")
