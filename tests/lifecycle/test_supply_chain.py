"""What is locked: its known vulnerabilities and its bill of materials, by the real tools.

The vulnerability service is a stand-in of OSV's API; the tools ask nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.routing import Raw
from cloud_stand_in.server import serve
from tests.support.baking import Baked, bake, bare_environment
from tests.support.machine import TOOLS, need
from tests.support.template import KINDS_FIRST_FAST

NONE, FOUND, COULD_NOT_TELL = 0, 1, 3
LOCK = "function/requirements.txt"
KNOWN_VULNERABLE = ("django", "1.2")
SBOM = "sbom.cdx.json"


@pytest.fixture(scope="module")
def tools() -> Path:
    """The folder with the programs of the product's own tools."""
    need(str(TOOLS) if (TOOLS / "python").is_file() else None, "the environment of the tools")
    return TOOLS


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    return bake(tmp_path, gcp_project_id="a-project")


def locked(product: Baked) -> dict[str, tuple[str, set[str]]]:
    """The version and the hashes of each package in the lock."""
    found = re.findall(
        r"^([\w.-]+)(?:\[\S+\])?==(\S+).*\\\n((?:    --hash=sha256:.*\n)+)",
        product.read(LOCK),
        re.MULTILINE,
    )
    return {
        name: (version, set(re.findall(r"sha256:([0-9a-f]{64})", hashes)))
        for name, version, hashes in found
    }


# Vulnerabilities


@dataclass
class Advisories:
    """What a stand-in of OSV's API knows, by package and version, and what it was asked."""

    url: str
    known: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    instead: tuple[int, bytes] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    ecosystems: set[str] = field(default_factory=set)

    def answer(self, query: dict[str, Any]) -> tuple[int, bytes]:
        package = query["package"]
        self.asked.append((package["name"], query["version"]))
        self.ecosystems.add(package["ecosystem"])
        if self.instead:
            return self.instead
        vulnerabilities = [
            {
                "id": name,
                "aliases": [f"CVE-of-{name}"],
                "summary": "It breaks.",
                "affected": [
                    {
                        "package": package,
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "99.1"}]}],
                    }
                ],
            }
            for name in self.known.get(self.asked[-1], [])
        ]
        return 200, json.dumps({"vulns": vulnerabilities} if vulnerabilities else {}).encode()


@pytest.fixture
def osv() -> Iterator[Advisories]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, body = advisories.answer(query)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        advisories = Advisories(f"http://127.0.0.1:{server.server_port}/v1/query")
        advisories.known[KNOWN_VULNERABLE] = ["PYSEC-2010-1"]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield advisories
        server.shutdown()
        thread.join()


def audit(
    product: Baked, tools: Path, url: str, *options: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the product's audit from an empty environment but for the service's address."""
    home = product.path.parent / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [str(tools / "python"), "-m", "closed_function", "audit", *options],
        cwd=product.path,
        env=bare_environment(home, PIP_AUDIT_OSV_URL=url, **more),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def test_a_lock_without_known_vulnerabilities_passes_once_all_of_it_was_asked_about(
    product: Baked, tools: Path, osv: Advisories
) -> None:
    done = audit(product, tools, osv.url)
    assert done.returncode == NONE, done.stderr
    packages = {(name, version) for name, (version, _) in locked(product).items()}
    assert len(packages) == product.read(LOCK).count("==")
    assert sorted(osv.asked) == sorted({*packages, KNOWN_VULNERABLE})
    assert osv.ecosystems == {"PyPI"}
    assert done.stdout == f"No vulnerability is known of the {len(packages)} packages.\n"


def test_a_known_vulnerability_fails_and_is_named_with_its_cure(
    product: Baked, tools: Path, osv: Advisories
) -> None:
    version = locked(product)["flask"][0]
    osv.known["flask", version] = ["PYSEC-1", "PYSEC-2"]
    done = audit(product, tools, osv.url)
    assert done.returncode == FOUND, done.stderr
    *vulnerabilities, advice = done.stdout.splitlines()
    assert sorted(vulnerabilities) == [
        f"flask {version}: PYSEC-{number} (CVE-of-PYSEC-{number}), fixed in 99.1"
        for number in (1, 2)
    ]
    assert "make lock UPGRADE=1" in advice

    done = audit(product, tools, osv.url, "--ignore", "PYSEC-1")
    assert done.returncode == FOUND
    assert "PYSEC-2" in done.stdout
    assert "PYSEC-1" not in done.stdout
    done = audit(product, tools, osv.url, "--ignore", "PYSEC-1,CVE-of-PYSEC-2")
    assert done.returncode == NONE
    assert "besides PYSEC-1, CVE-of-PYSEC-2" in done.stdout


def test_packages_for_other_machines_and_second_versions_are_asked_about_too(
    product: Baked, tools: Path, osv: Advisories
) -> None:
    version = locked(product)["flask"][0]
    with (product.path / LOCK).open("a", encoding="utf-8") as file:
        for entry in ("colorama==0.4.6 ; sys_platform == 'win32'", "Flask[async]==1.0"):
            file.write(f"{entry} \\\n    --hash=sha256:{'0' * 64}\n")
    osv.known["colorama", "0.4.6"] = ["PYSEC-of-windows"]
    osv.known["flask", "1.0"] = ["PYSEC-of-second"]
    done = audit(product, tools, osv.url)
    assert done.returncode == FOUND, done.stderr
    assert "colorama 0.4.6: PYSEC-of-windows" in done.stdout
    assert "flask 1.0: PYSEC-of-second" in done.stdout
    assert ("flask", version) in osv.asked


INSTEAD = {
    "an outage": ((503, b"Try again."), "it refused (503 Server Error"),
    "a sign-in page": ((200, b"<html>Welcome</html>"), "is not JSON"),
    "an answer of another form": ((200, b'{"vulnerabilities": []}'), "pip-audit failed (KeyError"),
    "a service that knows nothing": ((200, b"{}"), "knows no vulnerability of django 1.2"),
}


@pytest.mark.parametrize("case", INSTEAD)
def test_silence_is_not_taken_for_safety(
    case: str, product: Baked, tools: Path, osv: Advisories
) -> None:
    osv.instead, words = INSTEAD[case]
    done = audit(product, tools, osv.url.replace("//", "//me:s3cret@"))
    assert done.returncode == COULD_NOT_TELL, done.stdout
    assert done.stdout == ""
    assert words in done.stderr
    assert "s3cret" not in done.stderr


def could_not_reach(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == COULD_NOT_TELL, done.stdout
    (reason,) = [line for line in done.stderr.splitlines() if line.startswith("Could not tell")]
    assert "it cannot be reached" in reason
    assert "make audit PIP_AUDIT_OSV_URL=https://HOST/v1/query" in done.stderr
    assert "Artifact Analysis" in done.stderr


def test_a_service_that_is_out_of_reach_could_not_tell(product: Baked, tools: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        could_not_reach(audit(product, tools, f"http://127.0.0.1:{held.getsockname()[1]}/v1/query"))


@pytest.mark.slow
def test_a_service_that_never_answers_could_not_tell(product: Baked, tools: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        could_not_reach(
            audit(product, tools, f"http://127.0.0.1:{listener.getsockname()[1]}/v1/query")
        )


@pytest.mark.slow
def test_the_service_is_reached_with_pips_proxy_and_authority(
    product: Baked, tools: Path, tmp_path: Path
) -> None:
    with serve(Cloud(), tmp_path) as proxy:
        proxy.faults.instead = Raw(b"{}")
        url = "https://osv.googleapis.com/v1/query"
        could_not_reach(audit(product, tools, url, PIP_PROXY=proxy.url))
        assert proxy.asked == []
        done = audit(product, tools, url, PIP_PROXY=proxy.url, PIP_CERT=str(proxy.authority))
        assert "knows no vulnerability" in done.stderr
        assert {asked.path for asked in proxy.asked} == {"/v1/query"}


@pytest.mark.parametrize("entry", ["flask", "flask>=2", "x @ https://u:s3cret@example.com/x.whl"])
def test_a_lock_that_does_not_say_every_version_could_not_be_told(
    entry: str, product: Baked, tools: Path, osv: Advisories
) -> None:
    with (product.path / LOCK).open("a", encoding="utf-8") as file:
        file.write(f"{entry}\n")
    done = audit(product, tools, osv.url)
    assert done.returncode == COULD_NOT_TELL
    assert "without a version" in done.stderr
    assert "s3cret" not in done.stderr
    assert osv.asked == []


def test_without_its_program_the_audit_could_not_tell(
    product: Baked, tools: Path, osv: Advisories, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([str(tools / "python"), "-m", "venv", "--without-pip", str(bare)], check=True)
    done = audit(product, bare / "bin", osv.url)
    assert done.returncode == COULD_NOT_TELL
    assert "No module named pip_audit" in done.stderr


# The bill of materials


def make_sbom(product: Baked, tools: Path) -> bytes:
    """Run `make sbom` with the template's tools and return the file that it wrote."""
    (product.path / ".venv-tools").symlink_to(tools.parent)
    os.utime(product.path / "tools/requirements.txt", (1, 1))  # older than the environment
    done = subprocess.run(
        [need(shutil.which("make"), "make"), "--silent", "sbom"],
        cwd=product.path,
        env=bare_environment(product.path.parent),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return (product.path / SBOM).read_bytes()


VALIDATE = """
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.V1_6)
errors = [validator.validate_str(document) for document in json.load(sys.stdin)]
print(json.dumps([str(error or "valid") for error in errors]))
"""


def validity(tools: Path, *documents: str) -> list[str]:
    """Of each document `valid`, or what the schema of CycloneDX 1.6 has against it."""
    command = [str(tools / "python"), "-c", VALIDATE]
    done = subprocess.run(
        command, input=json.dumps(documents).encode(), capture_output=True, check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """A repository with the shortest lock."""
    return bake(tmp_path_factory.mktemp("http"), gcp_project_id="a-project", function_kind="http")


@pytest.fixture(scope="module")
def sbom(http: Baked, tools: Path) -> bytes:
    return make_sbom(http, tools)


@pytest.mark.parametrize("kind", KINDS_FIRST_FAST)
def test_the_bill_of_materials_has_every_locked_package_with_its_hashes(
    kind: str, tools: Path, tmp_path: Path
) -> None:
    product = bake(tmp_path, gcp_project_id="a-project", function_kind=kind)
    sbom = json.loads(make_sbom(product, tools))
    packages = locked(product)
    assert len(packages) == product.read(LOCK).count("==")
    listed = {
        each["name"]: (
            each["version"],
            {
                digest["content"]
                for reference in each["externalReferences"]
                for digest in reference["hashes"]
                if digest["alg"] == "SHA-256"
            },
        )
        for each in sbom["components"]
    }
    assert listed == packages
    purls = {f"pkg:pypi/{name}@{version}" for name, (version, _) in packages.items()}
    assert {each["purl"] for each in sbom["components"]} == purls
    project = tomllib.loads(product.read("pyproject.toml"))["project"]
    component = sbom["metadata"]["component"]
    assert component["type"] == "application"
    assert (component["name"], component["version"]) == (project["name"], project["version"])


@pytest.mark.slow
def test_the_bill_of_materials_is_valid_and_an_altered_one_is_not(sbom: bytes, tools: Path) -> None:
    altered = json.loads(sbom)
    del altered["components"][0]["name"]
    found = validity(tools, sbom.decode(), json.dumps(altered))
    assert found[0] == "valid"
    assert "'name' is a required property" in found[1]


@pytest.mark.slow
def test_the_bill_of_materials_is_the_same_wherever_and_whenever_it_is_made(
    sbom: bytes, tools: Path, tmp_path: Path
) -> None:
    again = bake(tmp_path, gcp_project_id="a-project", function_kind="http")
    assert make_sbom(again, tools) == sbom
    content = json.loads(sbom)
    assert "serialNumber" not in content
    assert "timestamp" not in content["metadata"]


@pytest.mark.slow
def test_the_bill_of_materials_follows_the_lock_and_keeps_no_credentials(
    sbom: bytes, http: Baked, tools: Path, tmp_path: Path
) -> None:
    changed = bake(tmp_path, gcp_project_id="a-project", function_kind="http")
    index = "asia-northeast1-python.pkg.dev/a-project/ar-buildpython/simple"
    flask = f"flask=={locked(http)['flask'][0]}"
    lock = changed.read(LOCK)
    assert lock.startswith(f"--index-url https://{index}/\n")
    lock = lock.replace("https://", "https://me:s3cret@", 1).replace(flask, "flask==1.0")
    (changed.path / LOCK).write_text(lock, encoding="utf-8")
    made = make_sbom(changed, tools).decode()
    assert "pkg:pypi/flask@1.0" in made
    assert "pkg:pypi/flask@1.0" not in sbom.decode()
    assert f"https://{index}/flask/" in made
    assert "s3cret" not in made
