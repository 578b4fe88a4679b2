"""The server: https://HOST/PATH of Google's is http://127.0.0.1:PORT/HOST/PATH here.

For a client that must see Google's own host names it is a proxy, whose certificate is that of a
throw-away authority.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import ssl
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import unquote

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from .certificates import make_certificate
from .cloud import Cloud
from .errors import ApiError, Json, denied, permission_denied
from .routing import Answer, Call, Raw
from .services import SERVICES
from .services.access_context_manager import check_access

# The only access token that is accepted. It is not of a form that redaction hides by itself.
TOKEN = "stand-in-token-0123456789"  # noqa: S105 - no secret

# Which services answer for a project that has not enabled them: the provider reads the billing
# account only by the way.
ALWAYS = {"cloudbilling"}

# How paths begin with which the provider's client libraries replace an endpoint's own.
WITHOUT_HOST = {"dns": "dns", "resumable": "storage", "upload": "storage"}

# REGION-SERVICE.googleapis.com, and SERVICE-NAME.p.googleapis.com of a private endpoint.
HOST = re.compile(r"(?:[\w-]+-)?(\w+)\.googleapis\.com|(\w+)-[\w-]+\.p\.googleapis\.com")


@dataclass
class Exchange:
    """One request and its answer; the path has its query, names of headers are in lower case."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    permission: str = ""
    status: int = 0
    error: str = ""

    def __str__(self) -> str:
        return f"{self.status} {self.method} {self.host}{self.path}: {self.error}"


@dataclass
class Faults:
    """What goes wrong whatever the cloud holds.

    denied: permissions that the caller lacks.
    instead: what every request is answered with.
    login: NAME:PASSWORD that the proxy demands.
    """

    denied: set[str] = field(default_factory=set)
    instead: Raw | None = None
    login: str = ""


@dataclass
class StandIn:
    """A cloud, its address, and what was asked."""

    cloud: Cloud
    # Certificates that a client behind the proxy must trust; without, the proxy refuses.
    authority: Path | None = None
    tls: ssl.SSLContext | None = None
    url: str = ""
    token: str = TOKEN
    faults: Faults = field(default_factory=Faults)
    asked: list[Exchange] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def reset(self, cloud: Cloud) -> None:
        """Begin again, with another cloud."""
        with self.lock:
            self.cloud, self.faults, self.asked = cloud, Faults(), []

    def wsgi(self, environ: Json, start_response: object) -> object:
        request = Request(environ)
        content = request.get_data()
        headers = {name.lower(): value for name, value in request.headers.items()}
        exchange = Exchange(request.method, *address(request), headers, content)
        with self.lock:
            answer = self.faults.instead or self.answer(request, exchange)
            exchange.status = answer.status
            self.asked.append(exchange)
        response = Response(answer.content, answer.status, dict(answer.headers))
        return response(environ, start_response)  # type: ignore[arg-type]

    def answer(self, request: Request, exchange: Exchange) -> Raw:
        """Answer a request, and note the error in its exchange."""
        if exchange.method == "CONNECT":
            exchange.error = "outside the stand-in"
            return Raw(status=502)
        status = 200
        try:
            answer = self.dispatch(request, exchange)
        except ApiError as error:
            answer, status, exchange.error = error.content(), error.http, str(error)
        except Exception:  # noqa: BLE001 - a fault of ours must reach the test
            fault = ApiError(501, "UNIMPLEMENTED", traceback.format_exc())
            answer, status, exchange.error = fault.content(), fault.http, str(fault)
        if isinstance(answer, Raw):
            return answer
        return Raw(json.dumps(answer).encode(), status, {"content-type": "application/json"})

    def dispatch(self, request: Request, exchange: Exchange) -> Answer:
        if exchange.headers.get("authorization") != f"Bearer {self.token}":
            raise ApiError(
                401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
            )
        path = unquote(exchange.path.partition("?")[0]).lstrip("/")
        named = HOST.fullmatch(exchange.host)
        name = (named[1] or named[2]) if named else ""
        service = SERVICES.get(name)
        found = service.find(request.method, path) if service else None
        if not service or not found:
            where = f"{exchange.host}/{path}"
            raise ApiError(501, "UNIMPLEMENTED", f"no route for {request.method} {where}")
        route, parts = found
        if "project" in parts:
            parts["project"] = self.cloud.project_id(parts["project"])
        kind = exchange.headers.get("content-type", "")
        content = exchange.content
        call = Call(
            self.cloud,
            request.method,
            route.name(parts),
            parts,
            request.args,
            json.loads(content, object_pairs_hook=given) if content and "json" in kind else {},
            dict(request.headers),
            content,
            self.url,
        )
        exchange.permission = route.permission
        self.admit(name, call, exchange.headers.get("x-goog-user-project", ""))
        if route.permission in self.faults.denied:
            raise permission_denied(route.permission, call.name)
        answer: Answer = route.handler(call)
        return answer

    def admit(self, service: str, call: Call, quota_project: str) -> None:
        """Refuse a call to an API that is off, or from outside the perimeter.

        https://cloud.google.com/apis/docs/getting-started#enabling_apis: the quota project, if the
        call names one, must have enabled the API, else the resource's.
        """
        project = self.cloud.project_id(quota_project or call.project)
        # https://cloud.google.com/docs/quotas/set-quota-project, and public reports of the text
        if quota_project and project not in self.cloud.projects:
            raise denied(
                f"Caller does not have required permission to use project {project}.",
                "USER_PROJECT_DENIED",
                service=f"{service}.googleapis.com",
                consumer=f"projects/{project}",
            )
        if project and project != "-":
            number = self.cloud.number(project)
            if service not in ALWAYS and not self.cloud.enabled(project, service):
                raise denied(
                    f"{service} API has not been used in project {number} before or it is "
                    "disabled.",
                    "SERVICE_DISABLED",
                    service=f"{service}.googleapis.com",
                    consumer=f"projects/{number}",
                )
        if call.project and call.project != "-":
            check_access(self.cloud, self.cloud.caller, call.project, service)

    def refused(self) -> list[str]:
        """Return the refusals so far, without what was merely not there, or taken twice at once."""
        return [str(each) for each in self.asked if each.status not in {200, 204, 404, 502}]

    def outside(self) -> list[str]:
        """Return the hosts that a client wanted to reach past the stand-in."""
        return [each.host for each in self.asked if each.method == "CONNECT"]


def address(request: Request) -> tuple[str, str]:
    """Return the host of Google's that a request is for, and its path there."""
    target = re.sub(r"^https?://[^/]+", "", request.environ["REQUEST_URI"])
    if request.method == "CONNECT":
        return target, ""
    if request.host.endswith(".googleapis.com"):
        return request.host, target
    first, _, rest = target.lstrip("/").partition("/")
    if first in WITHOUT_HOST:
        return f"{WITHOUT_HOST[first]}.googleapis.com", target
    return first, f"/{rest}"


def given(pairs: list[tuple[str, object]]) -> Json:
    """Return an object without nulls, which mean the same as nothing in the APIs' JSON."""
    return {key: value for key, value in pairs if value is not None}


class Server(ThreadedWSGIServer):
    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        super().__init__("127.0.0.1", 0, stand_in.wsgi, Handler)  # type: ignore[arg-type]


class Handler(WSGIRequestHandler):
    def do_CONNECT(self) -> None:  # noqa: N802 - http.server's name
        """Open a tunnel that ends here, if there is a certificate for it."""
        stand_in = cast(Server, self.server).stand_in
        if not stand_in.tls:
            self.run_wsgi()
            return
        login = base64.b64encode(stand_in.faults.login.encode()).decode()
        if login and self.headers.get("proxy-authorization") != f"Basic {login}":
            self.send_error(407)
            return
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        # A client that does not trust the authority ends the tunnel.
        with (
            contextlib.suppress(OSError),
            stand_in.tls.wrap_socket(self.connection, server_side=True) as inside,
        ):
            type(self)(inside, self.client_address, self.server)

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


@contextlib.contextmanager
def serve(cloud: Cloud, certificates: Path | None = None) -> Iterator[StandIn]:
    """Answer for `cloud` on a free port of loopback until the block ends.

    It is also a proxy for Google's hosts, if there is a folder for its certificates.
    """
    stand_in = StandIn(cloud)
    if certificates:
        stand_in.authority = certificates / "authority.pem"
        stand_in.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        stand_in.tls.load_cert_chain(make_certificate(certificates, stand_in.authority))
    server = Server(stand_in)
    stand_in.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
