"""The server: https://HOST/PATH of Google's is http://127.0.0.1:PORT/HOST/PATH here."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from .cloud import Cloud
from .errors import ApiError, Json, denied
from .routing import Answer, Call, Raw
from .services import SERVICES
from .services.access_context_manager import check_access

# Which services answer for a project that has not enabled them: the others are enabled through
# Service Usage; the provider reads the billing account only by the way.
ALWAYS = {"cloudbilling", "serviceusage"}


# How paths begin with which the provider's client libraries replace an endpoint's own.
WITHOUT_HOST = {"dns": "dns", "resumable": "storage", "upload": "storage"}


@dataclass
class Exchange:
    """One request and its answer."""

    method: str
    path: str
    status: int
    error: str = ""

    def __str__(self) -> str:
        return f"{self.status} {self.method} {self.path}: {self.error}"


@dataclass
class StandIn:
    """A cloud, its address, and what was asked."""

    cloud: Cloud
    url: str = ""
    asked: list[Exchange] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def wsgi(self, environ: Json, start_response: object) -> object:
        request = Request(environ)
        path = unquote(re.sub(r"^https?://[^/]+", "", environ["REQUEST_URI"]).partition("?")[0])
        content = request.get_data()
        with self.lock:
            answer, error = self.answer(request, path.lstrip("/"), content)
            if isinstance(answer, dict):
                status = int(answer.get("error", {}).get("code", 200)) if error else 200
                answer = Raw(
                    json.dumps(answer).encode(), status, {"content-type": "application/json"}
                )
            self.asked.append(Exchange(request.method, path, answer.status, error))
        response = Response(answer.content, answer.status, dict(answer.headers))
        return response(environ, start_response)  # type: ignore[arg-type]

    def answer(self, request: Request, path: str, content: bytes) -> tuple[Answer, str]:
        if request.method == "CONNECT":
            return Raw(b"", 502), "outside the stand-in"
        try:
            return self.dispatch(request, path, content), ""
        except ApiError as error:
            return error.content(), str(error)
        except Exception:  # noqa: BLE001 - a fault of ours must reach the test
            fault = ApiError(501, "UNIMPLEMENTED", traceback.format_exc())
            return fault.content(), str(fault)

    def dispatch(self, request: Request, path: str, content: bytes) -> Answer:
        host, _, rest = path.partition("/")
        if host in WITHOUT_HOST:
            host, rest = f"{WITHOUT_HOST[host]}.googleapis.com", path
        name = re.sub(r"^(?:[\w-]+-)?(\w+)\.googleapis\.com$", r"\1", host)
        service = SERVICES.get(name)
        found = service.find(request.method, rest) if service else None
        if not service or not found:
            raise ApiError(501, "UNIMPLEMENTED", f"no route for {request.method} {path}")
        route, parts = found
        if "project" in parts:
            parts["project"] = self.cloud.project_id(parts["project"])
        kind = request.headers.get("content-type", "")
        call = Call(
            self.cloud,
            request.method,
            route.name(parts),
            parts,
            request.args.to_dict(),
            json.loads(content, object_pairs_hook=given) if content and "json" in kind else {},
            dict(request.headers),
            content,
            self.url,
        )
        self.admit(name, call, request.headers.get("x-goog-user-project", ""))
        answer: Answer = route.handler(call)
        return answer

    def admit(self, service: str, call: Call, quota_project: str) -> None:
        """Refuse a call to an API that is off, or from outside the perimeter.

        https://cloud.google.com/apis/docs/getting-started#enabling_apis: the quota project, if the
        call names one, must have enabled the API, else the resource's.
        """
        project = self.cloud.project_id(quota_project or call.project)
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
        return [each.path for each in self.asked if each.method == "CONNECT"]


def given(pairs: list[tuple[str, object]]) -> Json:
    """Return an object without nulls, which mean the same as nothing in the APIs' JSON."""
    return {key: value for key, value in pairs if value is not None}


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


@contextlib.contextmanager
def serve(cloud: Cloud) -> Iterator[StandIn]:
    """Answer for `cloud` on a free port of loopback until the block ends."""
    stand_in = StandIn(cloud)
    server: BaseWSGIServer = make_server(
        "127.0.0.1",
        0,
        stand_in.wsgi,  # type: ignore[arg-type]
        threaded=True,
        request_handler=Quiet,
    )
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
