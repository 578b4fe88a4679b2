"""Show which packages of function/requirements.txt have known vulnerabilities.

pip-audit asks a service that speaks OSV's API: the public one, or that of the variable
PIP_AUDIT_OSV_URL, such as a mirror inside the network, through pip's settings `cert` and `proxy`.
No package index is asked, because the lock is complete. It is asked about every version in the
lock, also those for other machines, and about one that is known to be vulnerable: a service that
does not know that one knows nothing.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from closed_function.command_line import report_progress
from closed_function.errors import ExitStatus, UnavailableError
from closed_function.files import read_text
from closed_function.paths import REQUIREMENTS
from closed_function.pip_settings import pip_setting
from closed_function.processes import run_bounded
from closed_function.redaction import one_line
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


# It has had advisories since 2010, and no build of today uses it.
KNOWN_VULNERABLE = Package("django", "1.2")
Vulnerabilities = dict[Package, list[Mapping[str, object]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ignore",
        type=vulnerability_ids,
        default=[],
        metavar="ID,ID",
        help="vulnerabilities that do not concern this function",
    )


def vulnerability_ids(text: str) -> list[str]:
    names = text.split(",")
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} must be ids with a comma between, without gaps")
    return names


def run(options: argparse.Namespace) -> int:
    packages = locked_packages()
    url = os.environ.get(SERVICE)
    service = f"the service at {urlsplit(url).hostname}" if url else "the public OSV service"
    report_progress(f"Asking {service} about {len(packages)} packages.")
    try:
        vulnerable = known_vulnerabilities(packages, options.ignore)
    except UnavailableError as error:
        raise UnavailableError(f"Could not tell: {service}: {error}\n{ADVICE}") from None
    for package, vulnerabilities in vulnerable.items():
        for vulnerability in vulnerabilities:
            print(format_vulnerability(package, vulnerability))
    if vulnerable:
        print("Update to the newest versions that fit: make lock UPGRADE=1")
        return ExitStatus.WRONG
    ignored = f" besides {', '.join(options.ignore)}" if options.ignore else ""
    print(f"No vulnerability is known of the {len(packages)} packages{ignored}.")
    return ExitStatus.DONE


def locked_packages() -> list[Package]:
    """Return the packages of the lock. UnavailableError unless each has a version."""
    content, why = read_text(REQUIREMENTS)
    entries = read_entries(content)
    pins = [PINNED.match(entry) for entry in entries]
    loose = [entry for entry, pin in zip(entries, pins, strict=True) if not pin]
    if loose:
        why = f"has {abbreviate(loose[0])}, without a version"
    elif not entries:
        why = why or "lists no package"
    if why:
        raise UnavailableError(
            f"Could not tell: function/requirements.txt {why}. Run: make lock",
        )
    return list(dict.fromkeys(Package(package_name(pin[1]), pin[2]) for pin in pins if pin))


def known_vulnerabilities(packages: list[Package], ignored: Iterable[str]) -> Vulnerabilities:
    """Return the vulnerabilities of `packages`, by package. UnavailableError without an answer."""
    answers: Vulnerabilities = {}
    waiting = [*packages, KNOWN_VULNERABLE]
    while waiting:
        # pip-audit refuses two versions of one package at once.
        batch = list({package.name: package for package in waiting}.values())
        answers |= run_pip_audit(batch, ignored)
        waiting = [package for package in waiting if package not in answers]
    if not answers[KNOWN_VULNERABLE]:
        raise UnavailableError(
            f"it knows no vulnerability of {' '.join(KNOWN_VULNERABLE)}, which has many, so its "
            "silence about the others proves nothing."
        )
    return {package: answers[package] for package in packages if answers[package]}


def run_pip_audit(packages: list[Package], ignored: Iterable[str]) -> Vulnerabilities:
    """Ask about `packages`. UnavailableError unless the answer is about each of them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("".join(f"{each.name}=={each.version}\n" for each in packages))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file)]
        command += ["--no-deps", "--disable-pip", "--vulnerability-service", "osv"]
        command += ["--format", "json", "--progress-spinner", "off"]
        command += ["--cache-dir", str(Path(folder, "cache")), "--timeout", str(ANSWER_TIMEOUT)]
        command += [f"--ignore-vuln={name}" for name in ignored]
        outcome = run_bounded(command, audit_environment(), AUDIT_TIMEOUT)
    if outcome.status is None:
        raise UnavailableError(f"no answer within {AUDIT_TIMEOUT} s.")
    try:
        # The exit status is 1 for a vulnerability and for a failure alike.
        dependencies = json.loads(outcome.output)["dependencies"]
        answers = {each["name"]: each["vulns"] for each in dependencies}
        return {package: answers[package.name] for package in packages}
    except (ValueError, KeyError, TypeError):
        raise UnavailableError(audit_problem(outcome.errors)) from None


def audit_environment() -> dict[str, str]:
    """Return the environment in which pip-audit reaches the service as pip reaches its index."""
    environment = dict(os.environ)
    for variable, setting in (("REQUESTS_CA_BUNDLE", "cert"), ("HTTPS_PROXY", "proxy")):
        if value := pip_setting(setting):
            environment.setdefault(variable, value)
    # Options of pip-audit that would change what is read here.
    for name in ("PIP_AUDIT_FORMAT", "PIP_AUDIT_OUTPUT", "PIP_AUDIT_VULNERABILITY_SERVICE"):
        environment.pop(name, None)
    if not environment.get(SERVICE):
        environment.pop(SERVICE, None)
    return environment


def audit_problem(errors: str) -> str:
    """Return why pip-audit has no answer, by what it printed."""
    exceptions = re.findall(r"^requests\.exceptions\.(\w+): (.*)$", errors, re.MULTILINE)
    kind, words = exceptions[-1] if exceptions else ("", "")
    if "Could not connect" in errors:
        return f"it cannot be reached (no answer within {ANSWER_TIMEOUT} s)."
    if kind == "HTTPError":
        return f"it refused ({one_line(words)})."
    if kind == "JSONDecodeError":
        return "its answer is not JSON."
    if kind:
        return f"it cannot be reached ({one_line(words)})."
    last = errors.strip().rpartition("\n")[2]
    return f"pip-audit failed ({one_line(last) or 'it printed nothing'})."


def format_vulnerability(package: Package, vulnerability: Mapping[str, object]) -> str:
    def joined(key: str) -> str:
        value = vulnerability.get(key)
        return ", ".join(map(str, value)) if isinstance(value, list) else ""

    aliases = f" ({joined('aliases')})" if joined("aliases") else ""
    fix = f"fixed in {joined('fix_versions')}" if joined("fix_versions") else "not fixed yet"
    return one_line(f"{package.name} {package.version}: {vulnerability['id']}{aliases}, {fix}")
