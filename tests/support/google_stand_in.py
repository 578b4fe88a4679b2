"""A stand-in for the Google Cloud APIs that the doctor reads, under their own host names.

It is a proxy that answers for every *.googleapis.com itself, with a certificate of a throw-away
authority. What it answers lies in plain dictionaries, healthy at first, for each test to change.
Refusals have the form that the real services' have in public reports.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.baking import bare_environment
from tests.support.machine import need

# Not of a form that the doctor would hide by itself.
TOKEN = "stand-in-token-0123456789"  # noqa: S105
APIS = (
    "artifactregistry cloudbuild cloudfunctions cloudresourcemanager iam logging run serviceusage "
    "storage"
).split()

Json = dict[str, Any]
Thing = TypeVar("Thing")


class RefusalError(Exception):
    """An answer that is an error: its status, message and ErrorInfo."""

    def __init__(self, status: int, message: str, reason: str = "", **metadata: str) -> None:
        super().__init__(message)
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": metadata,
        }
        self.status = status
        self.content = {
            "error": {"code": status, "message": message, "details": [info] if reason else []}
        }


@dataclass
class Asked:
    """One request that came."""

    method: str
    host: str
    path: str
    headers: dict[str, str]


@dataclass
class GoogleCloud:
    """A project that is all platform and function, everything in it as a build needs it."""

    project: str = "a-project"
    function_project: str = "a-project"
    location: str = "asia-northeast1"
    projects: dict[str, Json] = field(default_factory=dict)
    ancestors: list[Json] = field(default_factory=list)
    apis: dict[str, set[str]] = field(default_factory=dict)
    switches: dict[str, Json] = field(default_factory=dict)
    repositories: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, list[Json]] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    accounts: dict[str, Json] = field(default_factory=dict)
    pools: dict[str, Json] = field(default_factory=dict)
    access_policies: list[Json] = field(default_factory=list)
    perimeters: dict[str, list[Json]] = field(default_factory=dict)
    # Nothing is deployed until a test does so: functions by full name, objects by bucket/name.
    functions: dict[str, Json] = field(default_factory=dict)
    objects: dict[str, Json] = field(default_factory=dict)
    # Versions of secrets by their full names; what alerts use, by project.
    secrets: dict[str, str] = field(default_factory=dict)
    # Locations whose functions are left out of a list.
    unreachable: list[str] = field(default_factory=list)
    channels: dict[str, list[Json]] = field(default_factory=dict)
    alert_policies: dict[str, list[Json]] = field(default_factory=dict)
    # What the caller may not do, and which services the perimeter keeps the caller from.
    denied: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    # What answers instead of everything else, and the proxy's own demand.
    instead: tuple[int, bytes, dict[str, str]] | None = None
    login: str = ""
    page_size: int = 100
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        place = f"projects/{self.project}/locations/{self.location}"
        self.place = place
        self.python = f"{place}/repositories/ar-buildpython"
        self.pool = f"{place}/workerPools/cb-workerpool"
        shared = self.function_project != self.project
        self.docker = (
            f"projects/{self.function_project}/locations/{self.location}/repositories/alert-to-snmp"
            if shared
            else f"{place}/repositories/ar-builddocker"
        )
        self.account = (
            f"alert-to-snmp-build@{self.function_project}.iam.gserviceaccount.com"
            if shared
            else f"cb-builder@{self.project}.iam.gserviceaccount.com"
        )
        member = f"serviceAccount:{self.account}"
        numbers = {self.function_project: "222222222222", self.project: "111111111111"}
        for project, number in numbers.items():
            self.projects[project] = {"projectNumber": number, "lifecycleState": "ACTIVE"}
            self.apis[project] = set(APIS)
        self.ancestors = [{"type": "folder", "id": "5"}, {"type": "organization", "id": "77"}]
        self.switches[place] = {"name": f"{place}/vpcscConfig", "vpcscPolicy": "ALLOW"}
        self.repositories[self.python] = {
            "format": "PYTHON",
            "mode": "REMOTE_REPOSITORY",
            "remoteRepositoryConfig": {"pythonRepository": {"publicRepository": "PYPI"}},
        }
        self.repositories[self.docker] = {"format": "DOCKER", "mode": "STANDARD_REPOSITORY"}
        self.policies[self.python] = [grant("artifactregistry.reader", member)]
        self.policies[self.docker] = [grant("artifactregistry.writer", member)]
        self.policies[self.project] = [grant("owner", "user:owner@example.com")]
        sources = 'resource.name.startsWith("projects/_/buckets/gcf-v2-sources-")'
        self.policies.setdefault(self.function_project, []).extend(
            [
                grant("logging.logWriter", member),
                grant("storage.objectViewer", member, condition("sources-of-functions", sources)),
            ]
        )
        self.accounts[self.account] = {"email": self.account}
        self.pools[self.pool] = {
            "name": self.pool,
            "state": "RUNNING",
            "privatePoolV1Config": {"networkConfig": {"egressOption": "NO_PUBLIC_EGRESS"}},
        }
        self.access_policies = [{"name": "accessPolicies/900", "parent": "organizations/77"}]
        self.perimeters["accessPolicies/900"] = [
            perimeter("another", "projects/333333333333"),
            perimeter("closed", *(f"projects/{number}" for number in numbers.values())),
        ]

    # What is asked.

    ROUTES: ClassVar[dict[tuple[str, str, str], tuple[str, str]]] = {
        ("cloudresourcemanager", "GET", r"/v1/projects/([^/:]+)"): (
            "read_project",
            "resourcemanager.projects.get",
        ),
        ("cloudresourcemanager", "POST", r"/v1/projects/([^/:]+):getAncestry"): (
            "read_ancestry",
            "resourcemanager.projects.get",
        ),
        ("cloudresourcemanager", "POST", r"/v1/projects/([^/:]+):getIamPolicy"): (
            "read_policy",
            "resourcemanager.projects.getIamPolicy",
        ),
        ("serviceusage", "GET", r"/v1/projects/([^/:]+)/services:batchGet"): (
            "read_services",
            "serviceusage.services.get",
        ),
        ("serviceusage", "GET", r"/v1/projects/([^/:]+)/services"): (
            "list_services",
            "serviceusage.services.list",
        ),
        ("artifactregistry", "GET", r"/v1/(projects/[^/]+/locations/[^/]+)/vpcscConfig"): (
            "read_switch",
            "artifactregistry.vpcscconfigs.get",
        ),
        ("artifactregistry", "GET", r"/v1/(projects/[^/]+/locations/[^/]+/repositories/[^/:]+)"): (
            "read_repository",
            "artifactregistry.repositories.get",
        ),
        (
            "artifactregistry",
            "GET",
            r"/v1/(projects/[^/]+/locations/[^/]+/repositories/[^/:]+):getIamPolicy",
        ): ("read_policy", "artifactregistry.repositories.getIamPolicy"),
        ("iam", "GET", r"/v1/projects/[^/]+/serviceAccounts/([^/]+)"): (
            "read_account",
            "iam.serviceAccounts.get",
        ),
        ("iam", "GET", r"/v1/((?:projects/[^/]+/)?roles/[^/]+)"): ("read_role", "iam.roles.get"),
        ("cloudbuild", "GET", r"/v1/(projects/[^/]+/locations/[^/]+/workerPools/[^/]+)"): (
            "read_pool",
            "cloudbuild.workerpools.get",
        ),
        ("cloudfunctions", "GET", r"/v2/(projects/[^/]+/locations/[^/]+/functions/[^/]+)"): (
            "read_function",
            "cloudfunctions.functions.get",
        ),
        ("cloudfunctions", "GET", r"/v2/(projects/[^/]+/locations/[^/]+)/functions"): (
            "list_functions",
            "cloudfunctions.functions.list",
        ),
        ("storage", "GET", r"/storage/v1/b/([^/]+)/o/(.+)"): ("read_object", "storage.objects.get"),
        ("secretmanager", "GET", r"/v1/(projects/[^/]+/secrets/[^/]+/versions/[^/]+)"): (
            "read_secret",
            "secretmanager.versions.get",
        ),
        ("secretmanager", "GET", r"/v1/(projects/[^/]+/secrets/[^/:]+):getIamPolicy"): (
            "read_policy",
            "secretmanager.secrets.getIamPolicy",
        ),
        ("monitoring", "GET", r"/v3/projects/([^/]+)/notificationChannels"): (
            "list_channels",
            "monitoring.notificationChannels.list",
        ),
        ("monitoring", "GET", r"/v3/projects/([^/]+)/alertPolicies"): (
            "list_alert_policies",
            "monitoring.alertPolicies.list",
        ),
        ("accesscontextmanager", "GET", r"/v1/accessPolicies"): (
            "list_access_policies",
            "accesscontextmanager.policies.list",
        ),
        ("accesscontextmanager", "GET", r"/v1/(accessPolicies/[0-9]+)/servicePerimeters"): (
            "list_perimeters",
            "accesscontextmanager.servicePerimeters.list",
        ),
    }

    def answer(self, method: str, host: str, target: str, headers: dict[str, str]) -> Json:
        """Answer one request; RefusalError when a real service would refuse."""
        parts = urlsplit(target)
        path, query = unquote(parts.path), parse_qs(parts.query)
        # A private endpoint's name is artifactregistry-NAME.p.googleapis.com.
        api = re.split(r"[.-]", host, maxsplit=1)[0]
        if headers.get("authorization") != f"Bearer {TOKEN}":
            raise RefusalError(401, "Request had invalid authentication credentials.")
        for (wanted_api, wanted_method, pattern), (reader, permission) in self.ROUTES.items():
            match = re.fullmatch(pattern, path)
            if (wanted_api, wanted_method) == (api, method) and match:
                self.refuse(api, path, permission, headers)
                return cast(Json, getattr(self, reader)(*match.groups(), query=query))
        raise RefusalError(404, f"There is no {method} {host}{path}.")

    def refuse(self, api: str, path: str, permission: str, headers: dict[str, str]) -> None:
        """Raise what a real service refuses with before it looks at what is asked for."""
        service = f"{api}.googleapis.com"
        # The project may be left open, as - is.
        project = (re.match(r"/v[12]/projects/([a-z][^/:]*)", path) or ["", ""])[1]
        consumer = headers.get("x-goog-user-project", project)
        if consumer and consumer not in self.projects:
            raise RefusalError(
                403,
                f"Caller does not have required permission to use project {consumer}.",
                "USER_PROJECT_DENIED",
                service=service,
                consumer=f"projects/{consumer}",
            )
        if consumer and api in APIS and api not in self.apis[consumer]:
            number = self.projects[consumer]["projectNumber"]
            raise RefusalError(
                403,
                f"{service} has not been used in project {number} before or it is disabled.",
                "SERVICE_DISABLED",
                service=service,
                consumer=f"projects/{number}",
            )
        if api in self.refused:
            raise RefusalError(
                403,
                "Request is prohibited by organization's policy. "
                "vpcServiceControlsUniqueIdentifier: eYhDkfYCu",
                "SECURITY_POLICY_VIOLATED",
                service=service,
                uid="eYhDkfYCu",
            )
        if permission in self.denied:
            raise RefusalError(
                403,
                f"Permission '{permission}' denied on resource '/{path}' (or it may not exist).",
                "IAM_PERMISSION_DENIED",
                permission=permission,
            )

    def read_project(self, project: str, **_: object) -> Json:
        return {"projectId": project, **found(self.projects, project)}

    def read_ancestry(self, project: str, **_: object) -> Json:
        own = {"type": "project", "id": project}
        return {"ancestor": [{"resourceId": each} for each in [own, *self.ancestors]]}

    def read_policy(self, owner: str, **_: object) -> Json:
        if "/repositories/" in owner:
            found(self.repositories, owner)
        return {"version": 3, "etag": "BwXhqDVHTzs=", "bindings": self.policies.get(owner, [])}

    def read_services(self, project: str, query: dict[str, list[str]]) -> Json:
        on = self.apis[project]
        return {
            "services": [
                {"name": name, "state": "ENABLED" if api in on else "DISABLED"}
                for name in query["names"]
                if (api := name.split("/")[-1].split(".")[0])
            ]
        }

    def list_services(self, project: str, **_: object) -> Json:
        names = [f"projects/{project}/services/{api}.googleapis.com" for api in self.apis[project]]
        return {"services": [{"name": name, "state": "ENABLED"} for name in names]}

    def read_switch(self, place: str, **_: object) -> Json:
        return self.switches.get(place, {"name": f"{place}/vpcscConfig"})

    def read_repository(self, name: str, **_: object) -> Json:
        return {"name": name, **found(self.repositories, name)}

    def read_account(self, email: str, **_: object) -> Json:
        return found(self.accounts, email)

    def read_role(self, name: str, **_: object) -> Json:
        return {"name": name, "includedPermissions": found(self.roles, name)}

    def read_pool(self, name: str, **_: object) -> Json:
        return found(self.pools, name)

    def read_function(self, name: str, **_: object) -> Json:
        return {"name": name, **found(self.functions, name)}

    def list_functions(self, place: str, query: dict[str, list[str]]) -> Json:
        listed = [
            {"name": name, **function}
            for name, function in self.functions.items()
            if name.startswith(f"{place}/")
        ]
        unreachable = {"unreachable": self.unreachable} if self.unreachable else {}
        return self.page(listed, "functions", query) | unreachable

    def read_object(self, bucket: str, name: str, query: dict[str, list[str]]) -> Json:
        """A live object, or the one of the generation that is asked for."""
        stored = found(self.objects, f"{bucket}/{name}")
        if query.get("generation", [stored["generation"]]) != [stored["generation"]]:
            raise RefusalError(404, f"No such object: {bucket}/{name}")
        return {"name": name, **stored}

    def read_secret(self, version: str, **_: object) -> Json:
        return {"name": version, "state": found(self.secrets, version)}

    def list_channels(self, project: str, query: dict[str, list[str]]) -> Json:
        assert query["filter"] == ['type="pubsub"']
        return self.page(self.channels.get(project, []), "notificationChannels", query)

    def list_alert_policies(self, project: str, query: dict[str, list[str]]) -> Json:
        return self.page(self.alert_policies.get(project, []), "alertPolicies", query)

    def list_access_policies(self, query: dict[str, list[str]]) -> Json:
        listed = [each for each in self.access_policies if each["parent"] in query["parent"]]
        return self.page(listed, "accessPolicies", query)

    def list_perimeters(self, policy: str, query: dict[str, list[str]]) -> Json:
        return self.page(found(self.perimeters, policy), "servicePerimeters", query)

    def page(self, items: list[Json], key: str, query: dict[str, list[str]]) -> Json:
        start = int(query.get("pageToken", ["0"])[0].removesuffix("=="))
        end = start + self.page_size
        more = {"nextPageToken": f"{end}=="} if end < len(items) else {}
        return {key: items[start:end], **more}


def found(things: Mapping[str, Thing], name: str) -> Thing:
    if name not in things:
        raise RefusalError(404, f"Resource '{name}' was not found.")
    return things[name]


def grant(role: str, member: str, limit: Json | None = None) -> Json:
    """A binding of an IAM policy; `role` without its prefix unless it is a custom one."""
    name = role if "/" in role else f"roles/{role}"
    return {"role": name, "members": [member], **({"condition": limit} if limit else {})}


def condition(title: str, expression: str) -> Json:
    return {"title": title, "expression": expression}


def perimeter(name: str, *resources: str) -> Json:
    """An enforced perimeter around `resources`."""
    return {
        "name": f"accessPolicies/900/servicePerimeters/{name}",
        "title": name,
        "status": {
            "resources": list(resources),
            "restrictedServices": ["artifactregistry.googleapis.com"],
        },
    }


class Server(ThreadingHTTPServer):
    """The proxy. `cloud` is what it answers from, and may be replaced between requests."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.cloud = GoogleCloud()
        self.authority = folder / "authority.pem"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(make_certificate(folder, self.authority))
        super().__init__(("127.0.0.1", 0), Tunnels)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Tunnels(Handler):
    """What is said to the proxy."""

    def do_CONNECT(self) -> None:
        login = self.server.cloud.login
        expected = f"Basic {base64.b64encode(login.encode()).decode()}"
        if login and self.headers.get("proxy-authorization") != expected:
            self.send_error(407)
            return
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        # A client that does not trust the authority ends the tunnel.
        with (
            contextlib.suppress(OSError),
            self.server.context.wrap_socket(self.connection, server_side=True) as tls,
        ):
            Answers(tls, self.client_address, self.server)


class Answers(Handler):
    """What is said inside a tunnel."""

    def do_GET(self) -> None:
        cloud = self.server.cloud
        self.rfile.read(int(self.headers.get("content-length", 0)))
        host = self.headers["host"]
        headers = {name.lower(): value for name, value in self.headers.items()}
        cloud.asked.append(Asked(self.command, host, self.path, headers))
        if cloud.instead:
            self.reply(*cloud.instead)
            return
        try:
            content = cloud.answer(self.command, host, self.path, headers)
            self.reply(200, json.dumps(content).encode(), {})
        except RefusalError as refusal:
            self.reply(refusal.status, json.dumps(refusal.content).encode(), {})

    def do_POST(self) -> None:
        self.do_GET()

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def signed_in_environment(server: Server, home: Path) -> dict[str, str]:
    """The environment of a person whom gcloud knows and who is behind the stand-in."""
    token = home / "token"
    token.write_text(f"{TOKEN}\n", encoding="utf-8")
    return {
        **bare_environment(home),
        "CLOUDSDK_CONFIG": str(home / "gcloud"),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(server.authority),
        "HTTPS_PROXY": f"http://127.0.0.1:{server.server_port}",
    }


def record_gcloud(environment: Mapping[str, str], folder: Path) -> str:
    """Write into `folder` a gcloud that prints what the real one says now, a second sooner."""
    program = need(shutil.which("gcloud"), "gcloud")
    said = subprocess.run(
        [program, "config", "config-helper", "--format=json"],
        env=dict(environment),
        capture_output=True,
        check=True,
    )
    (folder / "said.json").write_bytes(said.stdout)
    write_gcloud(folder, f'exec cat "{folder}/said.json"')
    return str(folder)


def write_gcloud(folder: Path, script: str) -> None:
    program = folder / "gcloud"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def make_certificate(folder: Path, authority: Path) -> Path:
    """A key and a certificate for Google's API hosts; the authority's certificate in `authority`.

    The authority has no key identifiers, like those of many networks.
    """
    now = dt.datetime.now(dt.UTC)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a throw-away authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    names = [x509.DNSName("*.googleapis.com"), x509.DNSName("*.p.googleapis.com")]

    def certificate(
        name: x509.Name, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> bytes:
        made = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(authority_key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    authority.write_bytes(
        certificate(issuer, authority_key.public_key(), x509.BasicConstraints(True, None))  # noqa: FBT003
    )
    file = folder / "stand-in.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate(subject, key.public_key(), x509.SubjectAlternativeName(names))
    )
    return file
