"""The doctor explains what the real pip prints here and now, answered as in a closed network.

pip runs the build's own command through the rehearsal's gate. Behind the stand-in is an upstream of
this test's own, so that nothing of it depends on a network.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from closed_network.clients import BUILD_INSTALL, Machine
from closed_network.interpreters import THIS, find_interpreter
from closed_network.journal import Journal
from closed_network.network import gate
from closed_network.processes import Outcome, run
from closed_network.repository import read_repository
from closed_network.stand_in import API_HOST
from tests.support.baking import Baked, bake
from tests.support.doctor import FOUND, HEALTHY, doctor

pytestmark = pytest.mark.slow

LOCATION, PROJECT, REPOSITORY = "asia-northeast1", "a-project", "ar-buildpython"
INDEX = f"https://{LOCATION}-python.pkg.dev/{PROJECT}/{REPOSITORY}/simple/"
SWITCH = f"https://{API_HOST}/v1/projects/{PROJECT}/locations/{LOCATION}/vpcscConfig"
PIP_TIMEOUT = 60


def wheel(name: str, tag: str) -> bytes:
    """A wheel of `name` 1.0 that contains nothing."""
    content = io.BytesIO()
    about = f"{name}-1.0.dist-info"
    files = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(content, "w") as archive:
        for file, text in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(file, text)
    return content.getvalue()


def source_distribution(name: str) -> bytes:
    """A source distribution of `name` 1.0 that is built with a package of no index."""
    content = io.BytesIO()
    wanted = '[build-system]\nrequires = ["absent"]\nbuild-backend = "absent"\n'
    files = {
        "pyproject.toml": wanted,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
    }
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{file}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


# What the upstream has, by package and file. The page of `empty` names no file.
FILES = {
    "good": {"good-1.0-py3-none-any.whl": wheel("good", "py3-none-any")},
    "other": {"other-1.0-py3-none-any.whl": wheel("other", "py3-none-any")},
    "old": {"old-1.0-cp27-none-win32.whl": wheel("old", "cp27-none-win32")},
    "source": {"source-1.0.tar.gz": source_distribution("source")},
    "empty": {},
}


class Upstream(BaseHTTPRequestHandler):
    """The public index: `/simple/PACKAGE/` and `/files/PACKAGE/FILE`."""

    def do_GET(self) -> None:
        kind, package, file = [*self.path.strip("/").split("/"), "", ""][:3]
        files = FILES.get(package)
        if kind == "files" and files:
            self.answer("application/zip", files[file])
        elif files is not None:
            links = "".join(f'<a href="/files/{package}/{name}">{name}</a>' for name in files)
            self.answer("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
        else:
            self.send_error(404)

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def locked(package: str, digest: str | None = None) -> str:
    """The lock of `package` 1.0: an index line, and its hash unless another is given."""
    content = next(iter(FILES.get(package, {}).values()), b"")
    digest = digest or hashlib.sha256(content).hexdigest()
    return f"--index-url {INDEX}\n{package}==1.0 --hash=sha256:{digest}\n"


@dataclass(frozen=True)
class Case:
    """What pip is given and how it is answered; what the doctor says of the log it then prints.

    `plain` is the one cause in the build's log, `verbose` that in the log with PIP_VERBOSE=2. PORT
    in `requirements` is the pool's; `answer` is a status that the stand-in gives.
    """

    requirements: str
    plain: str | None
    verbose: str | None
    answer: int | None = None
    policy: str = "ALLOW"
    credentials: bool = True
    file: str = "requirements.txt"
    variables: dict[str, str] = field(default_factory=dict)
    succeeds: bool = False


@dataclass(frozen=True)
class Pool:
    """The rehearsal's machine: the build's own Python behind the gate.

    `silent_port` is a port of 127.0.0.1 where nobody listens.
    """

    machine: Machine
    silent_port: int
    journal: Journal

    def switch(self, policy: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.patch(
                SWITCH,
                json={"vpcscPolicy": policy},
                headers={"Authorization": f"Bearer {self.machine.token}"},
                proxies={"https": self.machine.gate},
                verify=str(self.machine.authority),
                timeout=PIP_TIMEOUT,
            )
        assert answer.json()["vpcscPolicy"] == policy

    def install(self, case: Case, verbosity: dict[str, str]) -> Outcome:
        """Run pip as the build does, from the beginning."""
        folder = self.machine.folder
        self.switch(case.policy)
        requirements = case.requirements.replace("PORT", str(self.silent_port))
        (self.machine.source / case.file).write_text(requirements, encoding="utf-8")
        netrc = folder / "home" / ".netrc"
        signed_in = netrc.read_text(encoding="utf-8")
        netrc.write_text(signed_in if case.credentials else "", encoding="utf-8")
        command = [case.file if word == "requirements.txt" else word for word in BUILD_INSTALL]
        # One repetition and not five, which take eight seconds.
        environment = {**self.machine.pip_environment(), "PIP_RETRIES": "1"}
        environment |= {**case.variables, **verbosity}
        try:
            python = self.machine.python
            return run([python, *command], environment, self.machine.source, PIP_TIMEOUT)
        finally:
            netrc.write_text(signed_in, encoding="utf-8")
            shutil.rmtree(self.machine.packages)
            self.machine.packages.mkdir()


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    return bake(
        tmp_path_factory.mktemp("product"),
        function_kind="http",
        gcp_project_id=PROJECT,
        region=LOCATION,
        python_repository=REPOSITORY,
    )


@pytest.fixture(scope="module")
def silent_port() -> Iterator[int]:
    """A port of 127.0.0.1 where nobody listens and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@pytest.fixture(scope="module")
def pool(
    upstream: str, silent_port: int, product: Baked, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("pool").resolve()
    repository = read_repository(product.path, None, None, None)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIP_INDEX_URL", upstream)
        environment.setenv("NO_PROXY", "127.0.0.1")
        reports, records = socket.socketpair()
        with (
            reports,
            records,
            gate(folder / "gate", repository.index, "a-token", reports, None) as port,
        ):
            machine = Machine(folder / "machine", f"http://127.0.0.1:{port}", "a-token")
            machine.folder.mkdir()
            shutil.copyfile(folder / "gate" / "mitmproxy-ca-cert.pem", machine.authority)
            machine.prepare(repository.index)
            machine.source.mkdir()
            interpreter = find_interpreter(repository.runtime) or THIS
            command = machine.make_python(interpreter.path)
            made = run(command, machine.environment(), folder, PIP_TIMEOUT)
            assert made.status == 0, made.output
            machine.hide_the_machines_packages()
            yield Pool(machine, silent_port, Journal(records))


CASES = {
    "the switch at DENY": Case(
        locked("good"), "pip-found-nothing", "index-answered-403", 403, policy="DENY"
    ),
    "no credentials": Case(
        locked("good"), "no-credentials", "no-credentials", 401, credentials=False
    ),
    "no credentials and no question": Case(
        locked("good"),
        "pip-found-nothing",
        "no-credentials",
        401,
        credentials=False,
        variables={"PIP_NO_INPUT": "1"},
    ),
    "a mistyped repository": Case(
        locked("good").replace(REPOSITORY, "ar-buildpyhton"),
        "pip-found-nothing",
        "not-in-index",
        404,
    ),
    "an absent package": Case(locked("absent"), "pip-found-nothing", "not-in-index", 404),
    "an empty page": Case(locked("empty"), "pip-found-nothing", "not-in-index", 200),
    "no file for the runtime": Case(locked("old"), "pip-found-nothing", "no-wheel-for-runtime"),
    "a version that is not there": Case(
        locked("good").replace("1.0", "2.0"), "version-not-offered", "version-not-offered"
    ),
    "nobody at the index": Case(
        locked("good").replace(INDEX, f"https://127.0.0.1:PORT/{PROJECT}/{REPOSITORY}/simple/"),
        "index-unreachable",
        "index-unreachable",
    ),
    "a second index": Case(
        f"{locked('good')}--extra-index-url https://127.0.0.1:PORT/simple/\n",
        "extra-index",
        "extra-index",
        succeeds=True,
    ),
    "no index line": Case(
        locked("good").partition("\n")[2], "asked-another-index", "asked-another-index"
    ),
    "the second pip, for functions-framework": Case(
        "functions-framework==3.10.2\n",
        "framework-missing",
        "framework-missing",
        file="converter.txt",
    ),
    "another hash": Case(locked("good", "0" * 64), "hash-mismatch", "hash-mismatch"),
    "a package without a hash": Case(
        f"{locked('good')}other==1.0\n", "lock-incomplete", "lock-incomplete"
    ),
    "a source distribution": Case(locked("source"), "source-distribution", "source-distribution"),
    "all is well": Case(locked("good"), None, None, 200, succeeds=True),
}


def runs() -> Iterator[Any]:
    """Every case plain, and verbose where the log then tells more, or must still tell nothing."""
    for name, case in CASES.items():
        yield pytest.param(case, case.plain, {}, id=name)
        if case.verbose != case.plain or case.plain is None:
            yield pytest.param(case, case.verbose, {"PIP_VERBOSE": "2"}, id=f"{name}, verbose")


@pytest.mark.parametrize(("case", "cause", "verbosity"), list(runs()))
def test_the_doctor_names_what_pip_ran_into_as_far_as_the_log_tells(
    case: Case, cause: str | None, verbosity: dict[str, str], pool: Pool, product: Baked
) -> None:
    before = len(pool.journal.read())
    outcome = pool.install(case, verbosity)
    assert (outcome.status == 0) is case.succeeds, outcome.output
    answers = [request.status for request in pool.journal.read(before) if request.host != API_HOST]
    assert case.answer is None or case.answer in answers, outcome.output

    said = doctor(product, "explain", "-", "--json", log=outcome.output.encode())
    assert said.causes() == ([cause] if cause else []), outcome.output
    assert said.status == (FOUND if cause and not case.succeeds else HEALTHY)


def test_a_log_that_says_too_little_names_every_cause_that_it_may_have(
    pool: Pool, product: Baked
) -> None:
    outcome = pool.install(CASES["the switch at DENY"], {})
    (found,) = doctor(product, "explain", "-", "--json", log=outcome.output.encode()).json()[
        "explained"
    ]
    assert {"upstream-denied", "reader-missing", "not-in-index"} <= set(found["symptoms"])
    assert found["symptoms"][0] == "upstream-denied"
    assert "PIP_VERBOSE" in found["tell_apart"]
