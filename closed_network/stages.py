"""The stages of a rehearsal, each with the positive control that keeps it from passing by accident.

This program runs inside the closed network where there is one; the gate runs outside of it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from inspect import getdoc
from pathlib import Path

import requests
from pip._internal.models.index import PyPI

from . import diagnosis, namespace
from .clients import (
    BUILD_CHECK,
    BUILD_INSTALL,
    DIFFERENCES,
    RUNTIME_PLATFORM,
    Machine,
)
from .interpreters import THIS, find_interpreter
from .journal import Journal, Request, hosts
from .network import enter
from .processes import Outcome, interrupt_on_signals, last_line, run, started
from .receiver import Receiver, differences, expected_varbinds, find_snmptrapd, receiver
from .report import CONTROLS, Report, StageFailedError
from .repository import Index, Repository
from .stand_in import API_HOST

ONE_INDEX = (
    "a closed build cannot reach; keep one --index-url line in requirements.txt, without "
    "--extra-index-url or another location"
)
PIP_TIMEOUT, TOOL_TIMEOUT, START_TIMEOUT = 900, 120, 60
COMMUNITY = "rehearsal"


class Rehearsal:
    """One run of all stages over one repository; what they find goes into `report`."""

    def __init__(
        self, repository: Repository, machine: Machine, report: Report, *, enclosed: bool
    ) -> None:
        self.repository, self.machine, self.report = repository, machine, report
        self.enclosed = enclosed
        self.journal = Journal(machine.folder / "journal")
        self.mark = self.controls = 0
        self.interpreter = find_interpreter(repository.runtime) or THIS

    def run(self) -> None:
        """Run every stage. StageFailedError when one deviates; the report then says which."""
        self.describe()
        stages = {
            "0 copy": self.copy_the_source,
            CONTROLS: self.show_the_gate,
            "2 denied": self.show_the_denial,
            "3 allow": self.throw_the_switch,
            "4 build": self.show_the_build,
            "5 serve": self.show_the_function,
        }
        # What a stage's docstring says is what people read of it.
        self.report.purposes = {name: getdoc(stage) or "" for name, stage in stages.items()}
        try:
            for name, stage in stages.items():
                try:
                    with self.report.stage(name):
                        stage()
                finally:
                    self.report.journal[name] = self.seen()
                    self.mark += len(self.report.journal[name])
            self.report.complete = True
        finally:
            clients = self.journal.read(self.controls)
            self.report.requests = hosts(request for request in clients if not request.refused)
            self.report.refused = hosts(request for request in clients if request.refused)

    def describe(self) -> None:
        """Say in the report what is rehearsed, with what, and how that differs from a build."""
        self.report.differences = list(DIFFERENCES)
        self.report.interpreter = f"Python {self.interpreter.version}"
        self.report.index = self.repository.index.url
        self.report.lock = hashlib.sha256(self.repository.requirements.read_bytes()).hexdigest()
        self.report.platform = platform.platform()
        self.report.versions = {name: version(name) for name in ("mitmproxy", "proxpi")}

    def run_client(
        self, command: list[str], environment: dict[str, str], folder: Path, timeout: float
    ) -> Outcome:
        """Run `command` to its end and keep for the report what was run."""
        with self.report.command(command, environment, folder) as kept:
            outcome = run(command, environment, folder, timeout)
            kept.status = outcome.status
        return outcome

    def seen(self) -> list[Request]:
        """The requests of this stage."""
        return self.journal.read(self.mark)

    # Stage 0

    def copy_the_source(self) -> None:
        """Copy what the build uploads; it must not need anything else of this machine."""
        try:
            self.machine.prepare(self.repository)
        except OSError as error:
            raise StageFailedError(f"the source cannot be copied: {error}") from None
        if outside := diagnosis.paths_outside(self.machine.source / "requirements.txt"):
            raise StageFailedError(
                f"requirements.txt names {', '.join(outside)}, which is not in the function's "
                "folder, so the build does not have it"
            )

    # Stage 1

    def show_the_gate(self) -> None:
        """The gate refuses and counts other hosts, and lets Artifact Registry through."""
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"http": self.machine.gate, "https": self.machine.gate}
            session.verify = str(self.machine.authority)
            for name, url in (
                ("the public index", PyPI.simple_url),
                ("any other host", "https://example.com/"),
                ("a host without TLS", "http://example.com/"),
            ):
                self.show_a_refusal(session, name, url)
            url = f"https://{API_HOST}/{self.switch_path}"
            headers = {"Authorization": f"Bearer {self.machine.token}"}
            answer = session.get(url, headers=headers, timeout=TOOL_TIMEOUT)
            policy = answer.json().get("vpcscPolicy") if answer.ok else None
            if policy != "DENY":
                raise StageFailedError(f"the stand-in answered {answer.status_code}, not DENY")
        self.report.proven("Artifact Registry is reachable", "the stand-in answers DENY")
        if self.enclosed:
            if not namespace.has_no_way_out():
                raise StageFailedError("the clients' network has a way around the gate")
            self.report.proven(
                "there is no way around the gate", "the clients' network has no route but the gate"
            )
        else:
            self.report.not_proven("there is no way around the gate", self.report.isolation)
        self.controls = len(self.journal.read())  # requests before this are not findings

    @property
    def switch_path(self) -> str:
        index = self.repository.index
        return f"v1/projects/{index.project}/locations/{index.location}/vpcscConfig"

    def show_a_refusal(self, session: requests.Session, name: str, url: str) -> None:
        before = len(self.journal.read())
        try:
            status = str(session.get(url, timeout=TOOL_TIMEOUT).status_code)
        except requests.exceptions.ProxyError:
            status = "no tunnel"
        counted = [request for request in self.journal.read(before) if request.refused]
        if status not in ("403", "no tunnel") or len(counted) != 1:
            raise StageFailedError(f"{name} was not refused ({status}, {len(counted)} counted)")
        self.report.proven(f"{name} is refused", f"{len(counted)} request refused and counted")

    # Stage 2

    def show_the_denial(self) -> None:
        """With the switch at DENY the build's pip fails, because the stand-in refused it."""
        self.make_the_environment()
        outcome = self.install()
        self.refuse_other_hosts("pip", ONE_INDEX)
        if outcome.status == 0:
            raise StageFailedError("pip succeeded although the upstream is denied")
        lines = diagnosis.documented_lines(outcome.output)
        if not lines:
            raise StageFailedError(f"pip failed for another reason: {outcome.last_line}")
        answers = self.seen()
        denied = [request for request in answers if request.status == 403]
        if not denied or len(denied) != len(answers):
            others = sorted({request.status for request in answers} - {403})
            raise StageFailedError(
                f"pip failed, but not because the upstream is denied: Artifact Registry answered "
                f"{', '.join(map(str, others)) or 'nothing'}"
            )
        self.report.proven("the build's pip command fails", "\n".join(lines))
        self.report.proven(
            "because Artifact Registry refused it", f"{len(denied)} answered 403 by the stand-in"
        )

    def make_the_environment(self) -> None:
        interpreter = self.interpreter
        command = self.machine.make_python(interpreter.path)
        environment = self.machine.environment()
        made = self.run_client(command, environment, self.machine.folder, TOOL_TIMEOUT)
        if made.status != 0:
            raise StageFailedError(f"the virtual environment cannot be created: {made.last_line}")
        self.machine.hide_the_machines_packages()
        pip = self.python(["-m", "pip", "--version"])
        name, number = [*pip.output.split(), "", ""][:2]
        self.report.interpreter = f"Python {interpreter.version}, {name} {number}"
        self.report.versions |= {"Python": self.machine.python_version, name: number}
        runtime = self.repository.runtime
        if interpreter.version != runtime:
            self.report.interpreter += f" (the runtime's {runtime} is not on this machine)"

    def python(self, arguments: list[str], timeout: float = TOOL_TIMEOUT) -> Outcome:
        """Run the build's python3 in the copy of the source, as the build does."""
        command = [self.machine.python, *arguments]
        environment = self.machine.pip_environment()
        return self.run_client(command, environment, self.machine.source, timeout)

    def install(self) -> Outcome:
        outcome = self.python(BUILD_INSTALL, PIP_TIMEOUT)
        if outcome.status is None:
            raise StageFailedError(f"pip was still running after {PIP_TIMEOUT} s")
        return outcome

    def refuse_other_hosts(self, asker: str, advice: str) -> None:
        """Fail the stage if `asker` requested another host than Artifact Registry."""
        if asked := diagnosis.asked_elsewhere(self.seen()):
            raise StageFailedError(f"{asker} requested {asked}, which {advice}")

    # Stage 3

    def throw_the_switch(self) -> None:
        """The repository's own tool, or gcloud itself, sets the policy to ALLOW."""
        gcloud = shutil.which("gcloud")
        if gcloud:
            self.allow_with_gcloud(gcloud)
        else:
            self.allow_directly()
        self.refuse_other_hosts("the tool for the switch", "a closed network does not reach")
        patched = [
            r for r in self.seen() if r.method == "PATCH" and r.path == f"/{self.switch_path}"
        ]
        if [request.status for request in patched] != [200]:
            raise StageFailedError(
                "the switch of the repository's project and location was not set to ALLOW"
            )
        if not gcloud:
            why = "gcloud is not installed: the same request was sent without it"
            self.report.not_proven("the real gcloud sets the switch to ALLOW", why)
            return
        if "command/gcloud.artifacts.vpcsc-config.allow" not in patched[0].agent:
            raise StageFailedError("the switch was set, but not by the gcloud command")
        named = re.search(r"gcloud/([\d.]+)", patched[0].agent)
        self.report.versions["gcloud"] = named[1] if named else ""
        self.report.proven(
            "the real gcloud sets the switch to ALLOW",
            f"gcloud {self.report.versions['gcloud']}: PATCH {patched[0].path} answered 200",
        )

    def allow_with_gcloud(self, gcloud: str) -> None:
        repository, index = self.repository, self.repository.index
        command = [gcloud, "artifacts", "vpcsc-config", "allow"]
        command += [f"--project={index.project}", f"--location={index.location}"]
        if repository.switch_tool:
            command = [sys.executable, "-m", "closed_function", "allow"]
        environment = self.machine.gcloud_environment(gcloud)
        outcome = self.run_client(command, environment, repository.root, TOOL_TIMEOUT)
        if outcome.status != 0:
            raise StageFailedError(f"the switch was refused: {outcome.output.strip()[-600:]}")

    def allow_directly(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            name = self.switch_path.removeprefix("v1/")
            session.patch(
                f"https://{API_HOST}/{self.switch_path}",
                json={"name": name, "vpcscPolicy": "ALLOW"},
                headers={"Authorization": f"Bearer {self.machine.token}"},
                proxies={"https": self.machine.gate},
                verify=str(self.machine.authority),
                timeout=TOOL_TIMEOUT,
            )

    # Stage 4

    def show_the_build(self) -> None:
        """With the switch at ALLOW the same pip command succeeds from Artifact Registry alone."""
        outcome = self.install()
        self.refuse_other_hosts("pip", ONE_INDEX)
        if sources := diagnosis.source_distributions(self.seen()):
            raise StageFailedError(
                f"{', '.join(sources)} is a source distribution, which the build cannot compile; "
                "lock a version that has wheels"
            )
        if outcome.status != 0:
            why = diagnosis.why_pip_failed(outcome.output, self.seen(), self.interpreter.version)
            raise StageFailedError(why)
        answered = self.seen()
        wheels = diagnosis.served_wheels(answered)
        self.report.packages = len(wheels)
        self.report.bytes = sum(request.size for request in answered)
        if set(hosts(answered)) != {self.repository.index.host} or not wheels:
            raise StageFailedError(f"pip installed without Artifact Registry: {hosts(answered)}")
        self.report.proven(
            "the same pip command succeeds",
            f"{len(wheels)} packages in {len(answered)} requests, "
            f"all to {self.repository.index.host}, none elsewhere",
        )
        self.compare_with_the_lock(answered)
        installed = self.machine.folder.glob("packages/lib/python*/site-packages/*.dist-info")
        if elsewhere := diagnosis.packages_from_elsewhere(installed, wheels):
            raise StageFailedError(
                f"{', '.join(elsewhere)} came from this machine, not from Artifact Registry, so "
                "the build does not find it; remove paths and --find-links from requirements.txt"
            )
        self.install_the_framework()
        checked = self.python(BUILD_CHECK)
        if checked.status != 0:
            raise StageFailedError(f"pip check: {checked.last_line}")
        self.report.proven("pip check finds no conflict", checked.last_line)
        compiled = self.python(["-m", "compileall", "-f", "-q", "."])
        if compiled.status != 0:
            raise StageFailedError(f"the source does not compile: {compiled.last_line}")
        self.report.proven("the source compiles", "python3 -m compileall")
        if not self.interpreter.is_the_runtime(self.repository.runtime):
            self.resolve_for_the_runtime()

    def compare_with_the_lock(self, answered: list[Request]) -> None:
        """The bytes that were served are those that the lock names, where it has hashes."""
        locked = diagnosis.locked_hashes(self.machine.source / "requirements.txt")
        files = self.report.files = diagnosis.served_files(answered, locked)
        self.report.versions |= {
            file.package: file.version for file in files if file.package == "functions-framework"
        }
        if others := [file.file for file in files if file.in_lock is False]:
            raise StageFailedError(
                f"the lock has no such hash for {', '.join(others)}; run `make lock`"
            )
        if without := sum(file.in_lock is None for file in files):
            self.report.not_proven(
                "the files are those of the lock",
                f"requirements.txt has no hash for {without} of {len(files)} packages, so a build "
                "on another day may install other files",
            )
        else:
            self.report.proven(
                "the files are those of the lock",
                f"{len(files)} files; requirements.txt has the sha256 of each",
            )

    def install_the_framework(self) -> None:
        """Do as the build does when requirements.txt does not name functions-framework."""
        if self.repository.names_the_framework:
            return
        self.python(["-m", "pip", "install", "--user", "functions-framework"], PIP_TIMEOUT)
        asked = diagnosis.asked_elsewhere(self.seen()) or "another index"
        raise StageFailedError(
            "functions-framework is not in requirements.txt, so the build runs a second pip that "
            f"does not see its index line and requests {asked}; add "
            "functions-framework to requirements.in and run `make lock`"
        )

    def resolve_for_the_runtime(self) -> None:
        """Resolve the lock for the real runtime when this machine is not like it.

        By uv, which evaluates markers for the runtime; pip does for the Python that runs it.
        """
        runtime = self.repository.runtime
        command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-cache"]
        command += ["--python", self.machine.python, "--target", str(self.machine.folder / "none")]
        command += ["--python-version", runtime, "--python-platform", RUNTIME_PLATFORM]
        command += ["--only-binary", ":all:", "--requirement", "requirements.txt"]
        environment = self.machine.uv_environment()
        resolved = self.run_client(command, environment, self.machine.source, PIP_TIMEOUT)
        self.report.versions["uv"] = version("uv")
        if resolved.status != 0:
            raise StageFailedError(
                f"the lock has no files for Python {runtime} on Linux x86_64: {resolved.output}"
            )
        self.report.proven(
            "the lock has files for the runtime", f"uv resolved it for Python {runtime} on Linux"
        )
        self.report.not_proven(
            "the runtime's own Python builds and serves",
            f"Python {runtime} for Linux x86_64 is not on this machine",
        )

    # Stage 5

    def show_the_function(self) -> None:
        """The installed functions-framework serves the function, which answers every event."""
        if not self.repository.events:
            self.report.not_proven("the function answers events", "there is no events/*.json file")
        snmptrapd = find_snmptrapd() if self.repository.sends_traps else None
        folder = self.machine.folder / "snmp"
        with (
            receiver(snmptrapd, folder, COMMUNITY) if snmptrapd else nullcontext() as traps,
            self.kept(traps),
            self.serving(traps.address if traps else "127.0.0.1:162") as address,
        ):
            for number, event in enumerate(self.repository.events, start=1):
                self.deliver(event, address)
                if traps:
                    self.show_the_trap(event, number, traps)
            if traps:
                self.show_no_other_trap(traps)
        self.refuse_other_hosts("the function", "a closed network does not reach")
        if self.repository.sends_traps and not traps:
            why = "snmptrapd is not installed (Debian package snmptrapd)"
            self.report.not_proven("the trap has the event's values", why)

    def kept(self, traps: Receiver | None) -> AbstractContextManager[object]:
        """Keep for the report how the receiver of traps was started."""
        if not traps:
            return nullcontext()
        self.report.versions["snmptrapd"] = traps.version
        return self.report.command(traps.command, traps.environment, traps.log.parent)

    @contextmanager
    def serving(self, receivers: str) -> Iterator[str]:
        """functions-framework serving the function from what was installed; yields its URL."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        framework = self.machine.folder / "packages" / "bin" / "functions-framework"
        if not framework.is_file():
            raise StageFailedError(
                "functions-framework was not installed: the marker of its requirement excludes "
                f"Python {self.interpreter.version}"
            )
        command = [str(framework), "--target", self.repository.target, "--host", "127.0.0.1"]
        command += ["--port", str(port)]
        environment = {
            **self.machine.pip_environment(),
            "LOG_EXECUTION_ID": "true",
            "SNMP_RECEIVERS": receivers,
            "SNMP_COMMUNITY": COMMUNITY,
        }
        log = self.machine.folder / "function.log"
        with (
            log.open("wb") as output,
            self.report.command(command, environment, self.machine.source),
            started(command, environment, self.machine.source, output.fileno()) as process,
        ):
            wait_for_port(process, port, log)
            yield f"http://127.0.0.1:{port}/"

    def deliver(self, event: Path, url: str) -> None:
        """Post one event file as `make send` does; the function must answer with 2xx."""
        body = event.read_bytes()
        try:
            cloud_event = "specversion" in json.loads(body)
        except (ValueError, TypeError) as error:
            raise StageFailedError(f"{event.name} is not a JSON object: {error}") from None
        kind = "application/cloudevents+json" if cloud_event else "application/json"
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.post(url, data=body, headers={"Content-Type": kind}, timeout=60)
            except requests.exceptions.RequestException as error:
                raise StageFailedError(
                    f"{event.name}: the function did not answer ({error})"
                ) from None
        if not answer.ok:
            why = last_message((self.machine.folder / "function.log").read_text("utf-8", "replace"))
            raise StageFailedError(
                f"{event.name}: the function answered {answer.status_code}: {why}"
            )
        self.report.proven(f"{event.name} is answered", f"{answer.status_code} {answer.text[:80]}")

    def show_the_trap(self, event: Path, number: int, traps: Receiver) -> None:
        received = traps.wait_for(number)
        if len(received) != number:
            raise StageFailedError(
                f"{event.name}: {len(received) - number + 1} traps received, not 1"
            )
        expected = expected_varbinds(event)
        if differing := differences(received[-1], expected):
            raise StageFailedError(f"{event.name}: the trap differs: {'; '.join(differing)}")
        self.report.proven(
            "the trap has the event's values",
            f"snmptrapd received {len(expected)} varbinds equal to those of {event.name}",
        )

    def show_no_other_trap(self, traps: Receiver) -> None:
        expected = len(self.repository.events)
        received = traps.wait_for(expected + 1, seconds=1)
        if len(received) != expected:
            raise StageFailedError(f"{len(received)} traps received for {expected} events")
        self.report.proven("no other trap is sent", f"{expected} traps for {expected} events")


def last_message(log: str) -> str:
    """The last thing that the function's log says, out of its JSON where it is JSON."""
    line = last_line(log)
    try:
        return last_line(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return line


def wait_for_port(process: subprocess.Popen[str], port: int, log: Path) -> None:
    """Return when 127.0.0.1:`port` is open. StageFailedError when the process ends first."""
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    text = log.read_text(encoding="utf-8", errors="replace")
    errors = [line for line in text.splitlines() if re.match(r"\w*(Error|Exception)\b", line)]
    why = errors[-1] if errors else last_line(text)
    raise StageFailedError(f"functions-framework could not serve the function: {why}")


def without_secret(report: Report, token: str) -> str:
    """`report` as JSON, without the token, whichever client printed or sent it."""
    return json.dumps(report.as_dict()).replace(token, "[token]")


def main() -> int:
    """Run inside the closed network: `stages FOLDER`, whose `plan` says what to do."""
    interrupt_on_signals()
    machine, plan = enter(Path(sys.argv[1]))
    paths = {name: Path(plan["repository"][name]) for name in ("root", "source", "requirements")}
    events = tuple(Path(event) for event in plan["repository"]["events"])
    index = Index(**plan["repository"]["index"])
    repository = Repository(**{**plan["repository"], **paths, "index": index, "events": events})
    report = Report.from_dict(plan["report"])
    try:
        Rehearsal(repository, machine, report, enclosed=plan["door"] is not None).run()
    except StageFailedError:
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        text = without_secret(report, machine.token)
        (machine.folder / "report").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
