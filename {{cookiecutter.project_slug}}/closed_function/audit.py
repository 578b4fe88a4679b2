"""Say which packages of function/requirements.txt have known vulnerabilities.

pip-audit asks a service that speaks OSV's API: the public one, or that of the variable
PIP_AUDIT_OSV_URL, such as a mirror inside the network. No package index is asked, for the lock says
all. pip's settings `cert` and `proxy` hold here, too. Every version in the lock is asked about,
whatever its environment marker says of this machine, and with them one that is known to be
vulnerable: a service that does not know that one knows nothing.

Exit status: 0 no vulnerability is known; 1 there are some; 3 it could not be told; 130
interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from closed_function.command_line import INTERRUPTED, Parser
from closed_function.lock import package_name, pip_setting
from closed_function.repository_checks import read, requirements, shown
from closed_function.stacks import REQUIREMENTS
from closed_function.upstreams import end_on_signals, presentable, run_bounded

NONE, FOUND, COULD_NOT_TELL = 0, 1, 3
SERVICE = "PIP_AUDIT_OSV_URL"
PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])? ?== ?([^\s;,*]+)(?=[\s;]|$)")
ANSWER_TIMEOUT, AUDIT_TIMEOUT = 10, 300

ADVICE = f"""\
Name a service that answers as OSV's does: make audit {SERVICE}=https://HOST/v1/query
Or let Artifact Analysis scan what is built, which needs no way out: see the README."""


class AuditError(Exception):
    """It could not be told whether there are vulnerabilities; the text says why."""


class Package(NamedTuple):
    name: str
    version: str


# It has had advisories since 2010, and no build of today takes it.
KNOWN_VULNERABLE = Package("django", "1.2")

Vulnerabilities = dict[Package, list[Mapping[str, object]]]


def locked() -> list[Package]:
    """What the lock asks for. AuditError when it does not say the version of everything."""
    content, why = read(REQUIREMENTS)
    if why:
        raise AuditError(f"function/requirements.txt {why}.")
    packages = []
    for entry in requirements(content):
        pinned = PINNED.match(entry)
        if not pinned:
            raise AuditError(f"function/requirements.txt has {shown(entry)}, without a version.")
        packages.append(Package(package_name(pinned[1]), pinned[2]))
    if not packages:
        raise AuditError("function/requirements.txt asks for no package.")
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
    """Ask about `packages`. AuditError when the answer is not one about each of them."""
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
        raise AuditError(f"no answer within {AUDIT_TIMEOUT} s.")
    try:
        # pip-audit ends with 1 for a vulnerability as for any failure of its own.
        told = json.loads(outcome.output)["dependencies"]
        answers = {each["name"]: each["vulns"] for each in told}
        return {package: answers[package.name] for package in packages}
    except (ValueError, KeyError, TypeError):
        raise AuditError(problem(outcome.errors)) from None


def problem(errors: str) -> str:
    """What kept pip-audit from an answer, by what it printed before it gave up."""
    of_requests = re.findall(r"^requests\.exceptions\.(\w+): (.*)$", errors, re.MULTILINE)
    kind, words = of_requests[-1] if of_requests else ("", "")
    if "Could not connect" in errors:
        return f"it cannot be reached (no answer within {ANSWER_TIMEOUT} s)."
    if kind == "HTTPError":
        return f"it refused ({presentable(words)})."
    if kind == "JSONDecodeError":
        return "what it answered is not JSON, as OSV's answers are."
    if kind:
        return f"it cannot be reached ({presentable(words)})."
    last = presentable(next((line for line in reversed(errors.splitlines()) if line.strip()), ""))
    return f"pip-audit failed ({last or 'it printed nothing'})."


def service_environment() -> dict[str, str]:
    """The environment in which pip-audit reaches the service as pip reaches its index."""
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
    """The vulnerabilities of `packages`, by package. AuditError when they could not be told."""
    environment = service_environment()
    answers: Vulnerabilities = {}
    for batch in batches([*packages, KNOWN_VULNERABLE]):
        answers |= audit(batch, ignored, environment)
    if not answers[KNOWN_VULNERABLE]:
        name, version = KNOWN_VULNERABLE
        raise AuditError(
            f"it knows no vulnerability of {name} {version}, which has many, so that its silence "
            "about the others says nothing."
        )
    return {package: answers[package] for package in packages if answers[package]}


def service_name() -> str:
    """The service's host, without what a URL may carry besides."""
    url = os.environ.get(SERVICE)
    return f"the service at {urlsplit(url).hostname}" if url else "the public OSV service"


def told(package: Package, vulnerability: Mapping[str, object]) -> str:
    """One line about a vulnerability."""
    listed = {
        key: ", ".join(map(str, value)) if isinstance(value, list) else ""
        for key, value in vulnerability.items()
    }
    aliases = f" ({listed['aliases']})" if listed.get("aliases") else ""
    fixed = f"fixed in {listed['fix_versions']}" if listed.get("fix_versions") else "not fixed yet"
    return presentable(f"{package.name} {package.version}: {vulnerability['id']}{aliases}, {fixed}")


def listed_ids(text: str) -> list[str]:
    names = text.split(",")
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} must be ids with a comma between, without gaps")
    return names


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="audit.py", description="Say which locked packages have known vulnerabilities."
    )
    parser.add_argument(
        "--ignore",
        type=listed_ids,
        default=[],
        metavar="ID,ID",
        help="vulnerabilities that do not concern this function",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    end_on_signals()
    try:
        packages = locked()
    except AuditError as error:
        print(f"Could not tell: {error} Run: make lock", file=sys.stderr)
        return COULD_NOT_TELL
    print(f"Asking {service_name()} about {len(packages)} packages.", file=sys.stderr, flush=True)
    try:
        vulnerable = known_vulnerabilities(packages, options.ignore)
    except AuditError as error:
        print(f"Could not tell, for {service_name()}: {error}\n{ADVICE}", file=sys.stderr)
        return COULD_NOT_TELL
    except KeyboardInterrupt:
        print("Interrupted; nothing was changed.", file=sys.stderr)
        return INTERRUPTED
    for package, vulnerabilities in vulnerable.items():
        for vulnerability in vulnerabilities:
            print(told(package, vulnerability))
    if vulnerable:
        print("Take the newest versions that fit: make lock UPGRADE=1")
        return FOUND
    besides = f" besides {', '.join(options.ignore)}" if options.ignore else ""
    print(f"No vulnerability is known of the {len(packages)} packages{besides}.")
    return NONE


if __name__ == "__main__":
    raise SystemExit(main())
