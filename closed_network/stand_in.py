"""A stand-in for Artifact Registry: its switch, its credentials and one remote repository.

The refusals follow what is documented: without credentials 401, without the switch 403, an unknown
repository 404. Packages come through proxpi from the index that the user's pip is configured for,
page by page and file by file as the clients ask, like a remote repository does.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import dataclass, field
from functools import cache
from wsgiref.types import WSGIApplication

from werkzeug.test import Client

from closed_function.index import Index

API_HOST = "artifactregistry.googleapis.com"
INDEX_HOST = re.compile(r"[a-z0-9-]+-python\.pkg\.dev")
SWITCH_PATH = re.compile(r"/v1/(projects/[^/]+/locations/[^/]+/vpcscConfig)")


def switch_path(index: Index) -> str:
    """Return the path of the switch of the project and location of `index`."""
    return f"/v1/projects/{index.project}/locations/{index.location}/vpcscConfig"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(status: int, content: object) -> Answer:
    return Answer(status, json.dumps(content).encode(), {"content-type": "application/json"})


def error(status: int, reason: str, message: str) -> Answer:
    """An error in the form of Google's JSON APIs."""
    return json_answer(status, {"error": {"code": status, "status": reason, "message": message}})


@cache
def upstream() -> WSGIApplication:
    """proxpi, which serves /index/PACKAGE/ from the index that its environment names.

    Not before the first use: it reads its settings when it is imported.
    """
    from proxpi import server

    # The page of a package tells whether it exists; the list of all packages takes a minute.
    server.cache.root_cache.list_projects = frozenset
    app: WSGIApplication = server.app
    return app


class ArtifactRegistry:
    """The remote repository `index` and its switch, which starts at `policy`; others at DENY.

    `token` is the only access token it accepts.
    """

    def __init__(self, index: Index, token: str, policy: str = "DENY") -> None:
        self.index = index
        self.bearer = f"Bearer {token}"
        basic = base64.b64encode(f"oauth2accesstoken:{token}".encode()).decode()
        self.basic = f"Basic {basic}"
        self.policies = {switch_path(index): policy}

    @staticmethod
    def serves(host: str) -> bool:
        return host == API_HOST or INDEX_HOST.fullmatch(host) is not None

    def answer(
        self, method: str, host: str, path: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        """Answer one request; `path` without its query, header names in lower case."""
        if host == API_HOST:
            return self.answer_api(method, path, headers, body)
        return self.answer_index(method, host, path, headers)

    def answer_api(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if not secrets.compare_digest(headers.get("authorization", ""), self.bearer):
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        config = SWITCH_PATH.fullmatch(path)
        if not config or method not in ("GET", "PATCH"):
            return error(404, "NOT_FOUND", f"{method} {path} is not part of the stand-in.")
        if method == "PATCH":
            try:
                wanted = json.loads(body)["vpcscPolicy"]
            except (ValueError, KeyError, TypeError):
                wanted = None
            if wanted not in ("ALLOW", "DENY"):
                return error(400, "INVALID_ARGUMENT", "vpcscPolicy must be ALLOW or DENY.")
            self.policies[path] = wanted
        policy = self.policies.get(path, "DENY")
        return json_answer(200, {"name": config[1], "vpcscPolicy": policy})

    def answer_index(self, method: str, host: str, path: str, headers: dict[str, str]) -> Answer:
        if not secrets.compare_digest(headers.get("authorization", ""), self.basic):
            return Answer(401, b"", {"www-authenticate": 'Basic realm="Artifact Registry"'})
        if host != self.index.host or not path.startswith(self.index.path):
            return Answer(404, b"no such repository")
        if self.policies[switch_path(self.index)] != "ALLOW":
            return Answer(403, b"the switch is at DENY")

        client = Client(upstream(), use_cookies=False)
        # Always the whole of it, as HTML or JSON: no ranges, no compression.
        wanted = {"accept": headers.get("accept", "*/*"), "accept-encoding": "identity"}
        response = client.open(
            f"/index/{path.removeprefix(self.index.path)}", method=method, headers=wanted
        )
        kind = {"content-type": response.content_type or "application/octet-stream"}
        return Answer(response.status_code, response.get_data(), kind)
