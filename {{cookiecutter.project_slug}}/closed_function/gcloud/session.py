"""Read Google Cloud's REST APIs as gcloud would: with its token, proxy, authority and endpoints.

One call of gcloud gives all of these. The reads then run in parallel and without gcloud, which
takes a second for each. Nothing is changed, and the token is sent in the header alone.
"""

import json
import queue
import re
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import proxy_bypass

from closed_function.errors import UnavailableError
from closed_function.gcloud.connection import (
    TOO_LATE,
    Proxy,
    connection_problem,
    find_proxy,
    parse_endpoint,
    tls_context,
)
from closed_function.gcloud.program import DIAGNOSE, NOT_SIGNED_IN, SIGN_IN, crashed, run_gcloud
from closed_function.processes import Outcome
from closed_function.redaction import one_line

REQUEST_TIMEOUT = 10
LARGEST_ANSWER = 20_000_000
# Reasons in Google's ErrorInfo that have nothing to do with what is read.
REASONS = {
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": f"the token's scopes leave Google Cloud out. {SIGN_IN}",
    "SECURITY_POLICY_VIOLATED": "the service perimeter refuses your request",
    "SERVICE_DISABLED": "{service} is disabled in {consumer}",
    "USER_PROJECT_DENIED": "you may not use {consumer} as quota project; that needs "
    "serviceusage.services.use. Use none: gcloud config unset billing/quota_project",
}


class Request(NamedTuple):
    """One read.

    `api` is the first part of the host's name; `what` and `permission` are for messages. A read
    with a `body` is a POST. An answer without the field `expects` is not Google's; a list has no
    such field, because the APIs leave out what is empty.
    """

    api: str
    path: str
    what: str
    permission: str
    body: str | None = None
    expects: str = ""


class Answer(NamedTuple):
    """The content that was asked for, or `why` there is none.

    `reason` and `metadata` are from Google's ErrorInfo; `silent_host` is one that did not answer.
    """

    content: Mapping[str, Any]
    why: str = ""
    status: int = 0
    reason: str = ""
    metadata: Mapping[str, Any] = {}
    silent_host: str = ""


class Session:
    """Reads with the token and the settings that gcloud's config-helper printed."""

    def __init__(self, helper: Mapping[str, Any]) -> None:
        self._token = str(helper["credential"]["access_token"] or "").strip()
        if not re.fullmatch(r"[!-~]+", self._token):
            raise UnavailableError(f"gcloud gives no access token. {SIGN_IN}")
        properties = helper["configuration"]["properties"]
        self._endpoints = {
            api: parse_endpoint(api, url)
            for api, url in properties.get("api_endpoint_overrides", {}).items()
        }
        # CURRENT_PROJECT and LEGACY are gcloud's own words, not projects.
        quota_project = str(properties.get("billing", {}).get("quota_project", ""))
        self._quota_project = "" if quota_project.isupper() else quota_project
        self._proxy = find_proxy(properties.get("proxy", {}))
        self._tls = tls_context(properties.get("core", {}).get("custom_ca_certs_file", ""))

    @property
    def token(self) -> str:
        """Return it for another program that signs in with it; never for a log or a file."""
        return self._token

    def read(self, requests: Collection[Request], deadline: float) -> dict[Request, Answer]:
        """Read all `requests` in parallel, until `deadline` (of the monotonic clock) at most."""
        finished: queue.SimpleQueue[tuple[Request, Answer]] = queue.SimpleQueue()

        def fetch(request: Request) -> None:
            finished.put((request, self._fetch(request, deadline - time.monotonic())))

        answers: dict[Request, Answer] = {}
        for request in requests:
            host = self._endpoint(request).hostname or ""
            answers[request] = Answer({}, TOO_LATE, silent_host=host)
            # Looking up a name can outlast every deadline: nothing waits for its thread.
            threading.Thread(target=fetch, args=(request,), daemon=True).start()
        with suppress(queue.Empty):
            for _ in requests:
                request, answer = finished.get(timeout=max(0, deadline - time.monotonic()))
                answers[request] = answer
        # A network that is down is one reason, not one for each host.
        down = len({(answer.why, bool(answer.silent_host)) for answer in answers.values()}) == 1
        for request, answer in answers.items():
            if answer.silent_host:
                name = "Google Cloud" if down else answer.silent_host
                why = f"{name} cannot be reached: {answer.why}"
                answers[request] = answer._replace(why=why)
        return answers

    def _endpoint(self, request: Request) -> SplitResult:
        own = self._endpoints.get(request.api)
        return own or urlsplit(f"https://{request.api}.googleapis.com/")

    def _fetch(self, request: Request, timeout: float) -> Answer:
        """Read once. A redirection is not followed: the token is for this host."""
        endpoint = self._endpoint(request)
        host = endpoint.hostname or ""
        headers = {"Authorization": f"Bearer {self._token}"}
        if self._quota_project:
            headers["X-Goog-User-Project"] = self._quota_project
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        method = "GET" if request.body is None else "POST"
        path = f"{endpoint.path.rstrip('/')}/{request.path}"
        proxy = self._proxy_for(endpoint)
        timeout = min(max(timeout, 0.01), REQUEST_TIMEOUT)
        try:
            with closing(self._connection(endpoint, proxy, timeout)) as connection:
                connection.request(method, path, request.body, headers)
                response = connection.getresponse()
                body = response.read(LARGEST_ANSWER)
        except (OSError, HTTPException, ValueError) as error:
            return Answer({}, connection_problem(error, proxy), silent_host=host)
        try:
            answer = parse_answer(request, host, response.status, body)
        except (AttributeError, KeyError, TypeError, ValueError):
            return Answer({}, f"the answer of {host} has an unknown form")
        # An error page may repeat what it was sent.
        return answer._replace(why=answer.why.replace(self._token, "[hidden]"))

    def _proxy_for(self, endpoint: SplitResult) -> Proxy | None:
        """Return gcloud's own proxy, for any host, or the environment's, which NO_PROXY limits."""
        if endpoint.scheme != "https" or not self._proxy:
            return None
        bypassed = not self._proxy.from_gcloud and proxy_bypass(endpoint.netloc)
        return None if bypassed else self._proxy

    def _connection(
        self, endpoint: SplitResult, proxy: Proxy | None, timeout: float
    ) -> HTTPConnection:
        """Return a connection that its first request opens."""
        host, port = endpoint.hostname or "", endpoint.port
        if endpoint.scheme != "https":
            return HTTPConnection(host, port, timeout=timeout)
        if not proxy:
            return HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        connection = HTTPSConnection(proxy.host, proxy.port, timeout=timeout, context=self._tls)
        headers = {"Proxy-Authorization": proxy.login} if proxy.login else {}
        connection.set_tunnel(host, port or 443, headers)
        return connection


def sign_in(timeout: float) -> Session:
    """Ask gcloud for a token and how it reaches Google Cloud. UnavailableError if it fails."""
    outcome = run_gcloud(["config", "config-helper", "--format=json"], timeout)
    if outcome.status != 0:
        raise UnavailableError(sign_in_problem(outcome, timeout))
    try:
        return Session(json.loads(outcome.output))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Without the output, and without a cause that would repeat it: it has the token.
        raise UnavailableError(
            "gcloud did not print its settings as expected. Update it: gcloud components update"
        ) from None


def sign_in_problem(outcome: Outcome, timeout: float) -> str:
    """Return what an `outcome` without a token means."""
    words = one_line(outcome.errors) or "it printed nothing"
    if outcome.status is None:
        return f"gcloud was ended: no answer within {timeout:g} s. {DIAGNOSE}"
    if re.search(r"Max retries exceeded|ConnectionError|TransportError", outcome.errors):
        return f"gcloud cannot reach Google to renew its token ({words}). {DIAGNOSE}"
    if NOT_SIGNED_IN.search(outcome.errors):
        return f"gcloud is not signed in. {SIGN_IN}"
    if crashed(outcome):
        return f"gcloud crashed (exit status {outcome.status}: {words})."
    return f"gcloud gives no access token ({words})."


def parse_answer(request: Request, host: str, status: int, body: bytes) -> Answer:
    """Return Google's answer; a refusal becomes a sentence."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    known = isinstance(content, dict)
    content = content if known else {}
    if status == 200 and known and (not request.expects or request.expects in content):
        return Answer(content, status=status)
    error = content.get("error")
    if not isinstance(error, dict):
        # Without a status: another server's 404 does not mean that the resource is missing.
        return Answer(
            {},
            f"{status} came for {host}, but not from Google's API: a proxy or a private endpoint "
            "on the way answers for it",
        )
    infos = [each for each in error.get("details") or [] if "ErrorInfo" in each.get("@type", "")]
    info = infos[0] if infos else {}
    reason, metadata = str(info.get("reason", "")), dict(info.get("metadata") or {})
    message = one_line(str(error.get("message", "")))
    if reason in REASONS:
        why = REASONS[reason].format_map({"consumer": "the project", "service": host, **metadata})
    elif status == 401:
        why = f"Google Cloud does not accept gcloud's token (401). {SIGN_IN}"
    elif status == 403:
        quoted = re.search(r"[Pp]ermission '?([a-z]+(?:\.[a-zA-Z]+){2,})", message)
        named = metadata.get("permission") or (quoted[1] if quoted else request.permission)
        why = f"you may not read {request.what}, if it exists; that needs {named}"
    elif status == 404:
        why = f"{request.what} does not exist"
    else:
        why = f"{host} answered {status} for {request.what}: {message}"
    return Answer({}, why, status, reason, metadata)
