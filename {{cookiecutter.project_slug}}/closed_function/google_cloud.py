"""Read Google Cloud's REST APIs as gcloud would: with its token, proxy, authority and endpoints.

One call of gcloud gives all of these. The reads then need no gcloud, which takes a second for each,
and run in parallel. Nothing is ever changed, and the token goes nowhere but into the header, or to
who asks for it by name.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import re
import ssl
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import gaierror
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from closed_function.upstreams import (
    NOT_SIGNED_IN,
    Failure,
    Outcome,
    gcloud_path,
    presentable,
    run_bounded,
)

REQUEST_TIMEOUT = 10
LARGEST_ANSWER = 20_000_000
TOO_LATE = "no answer in time"

# What to type.
SIGN_IN = "Run: gcloud auth login"
DIAGNOSE = "Check the network and the proxy: gcloud info --run-diagnostics"

# Reasons in Google's ErrorInfo that have nothing to do with what is read.
REASONS = {
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": f"the token's scopes leave Google Cloud out. {SIGN_IN}",
    "SECURITY_POLICY_VIOLATED": "the service perimeter refuses your request",
    "SERVICE_DISABLED": "{service} is off in {consumer}",
    "USER_PROJECT_DENIED": "you may not use {consumer} as quota project; that needs "
    "serviceusage.services.use. Use none: gcloud config unset billing/quota_project",
}


class SignInError(Exception):
    """There is no token, or no way to use it; the text says why, and what to type."""


class Request(NamedTuple):
    """One read.

    `api` is the first part of the host's name, `what` says in a message what is read, and
    `permission` what that takes. A read with a `body` is a POST. An answer that has not the field
    `expects` is none of Google's.
    """

    api: str
    path: str
    what: str
    permission: str
    body: str | None = None
    expects: str = ""


class Answer(NamedTuple):
    """What a read brought.

    `why` is empty when `content` is what was asked for; else it is a sentence on what stood in the
    way. `status` is 0 when nothing answered; `reason` and `metadata` are those of Google's
    ErrorInfo.
    """

    content: Mapping[str, Any]
    why: str = ""
    status: int = 0
    reason: str = ""
    metadata: Mapping[str, Any] = {}


class Unreachable(NamedTuple):
    """Nothing of Google's answered: which host, and what happened instead."""

    host: str
    problem: str

    def answer(self, name: str) -> Answer:
        return Answer({}, f"{name} cannot be reached: {self.problem}")


class Proxy(NamedTuple):
    """An HTTP proxy, its `login` as the header says it (empty: none), and whose setting it is."""

    host: str
    port: int
    login: str
    gclouds_own: bool


class Session:
    """Reads with the token and the settings that gcloud's config-helper printed."""

    def __init__(self, helper: Mapping[str, Any]) -> None:
        self._token = str(helper["credential"]["access_token"] or "").strip()
        if not re.fullmatch(r"[!-~]+", self._token):
            raise SignInError(f"gcloud gives no access token. {SIGN_IN}")
        properties = helper["configuration"]["properties"]
        self._endpoints = {
            api: endpoint(api, url)
            for api, url in properties.get("api_endpoint_overrides", {}).items()
        }
        # CURRENT_PROJECT and LEGACY are gcloud's own words, not projects.
        quota_project = str(properties.get("billing", {}).get("quota_project", ""))
        self._quota_project = "" if quota_project.isupper() else quota_project
        self._proxy = find_proxy(properties.get("proxy", {}))
        self._tls = tls(properties.get("core", {}).get("custom_ca_certs_file", ""))

    @property
    def token(self) -> str:
        """For another program that signs in with it; never for a log or a file."""
        return self._token

    def read(self, requests: Collection[Request], deadline: float) -> dict[Request, Answer]:
        """Read all `requests` in parallel, until `deadline` (of the monotonic clock) at most."""
        finished: queue.SimpleQueue[tuple[Request, Answer | Unreachable]] = queue.SimpleQueue()

        def fetch(request: Request) -> None:
            finished.put((request, self._fetch(request, deadline - time.monotonic())))

        for request in requests:
            # A name that is not resolved can outlast every deadline: nobody waits for its thread.
            threading.Thread(target=fetch, args=(request,), daemon=True).start()
        found: dict[Request, Answer | Unreachable] = {
            request: Unreachable(self._endpoint(request).hostname or "", TOO_LATE)
            for request in requests
        }
        for _ in requests:
            try:
                request, answer = finished.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                break
            found[request] = answer
        # A network that is dead is one reason, not one for each host.
        problems = {each.problem for each in found.values() if isinstance(each, Unreachable)}
        dead = len(problems) == 1 and all(isinstance(each, Unreachable) for each in found.values())
        return {
            request: each.answer("Google Cloud" if dead else each.host)
            if isinstance(each, Unreachable)
            else each
            for request, each in found.items()
        }

    def _endpoint(self, request: Request) -> SplitResult:
        own = self._endpoints.get(request.api)
        return own or urlsplit(f"https://{request.api}.googleapis.com/")

    def _fetch(self, request: Request, timeout: float) -> Answer | Unreachable:
        """Read once. A redirection is not followed: the token is for this host."""
        endpoint = self._endpoint(request)
        host = endpoint.hostname or ""
        headers = {"Authorization": f"Bearer {self._token}"}
        if self._quota_project:
            headers["X-Goog-User-Project"] = self._quota_project
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        proxy = self._proxy_for(endpoint)
        timeout = min(max(timeout, 0.01), REQUEST_TIMEOUT)
        try:
            with closing(self._connection(endpoint, proxy, timeout)) as connection:
                connection.request(
                    "GET" if request.body is None else "POST",
                    f"{endpoint.path.rstrip('/')}/{request.path}",
                    request.body,
                    headers,
                )
                response = connection.getresponse()
                body = response.read(LARGEST_ANSWER)
        except (OSError, HTTPException, ValueError) as error:
            return Unreachable(host, problem(error, proxy))
        try:
            answer = understand(request, host, response.status, body)
        except (AttributeError, KeyError, TypeError, ValueError):
            return Answer({}, f"{host} answered in a form that is not known here")
        # Whatever answers may repeat what it was sent.
        return answer._replace(why=answer.why.replace(self._token, "[hidden]"))

    def _proxy_for(self, endpoint: SplitResult) -> Proxy | None:
        """gcloud's own proxy is for every host; NO_PROXY speaks of the environment's alone."""
        if endpoint.scheme != "https" or not self._proxy:
            return None
        bypassed = not self._proxy.gclouds_own and proxy_bypass(endpoint.netloc)
        return None if bypassed else self._proxy

    def _connection(
        self, endpoint: SplitResult, proxy: Proxy | None, timeout: float
    ) -> HTTPConnection:
        """A connection that is opened with its first request."""
        host = endpoint.hostname or ""
        if endpoint.scheme != "https":
            return HTTPConnection(host, endpoint.port, timeout=timeout)
        if not proxy:
            return HTTPSConnection(host, endpoint.port, timeout=timeout, context=self._tls)
        connection = HTTPSConnection(proxy.host, proxy.port, timeout=timeout, context=self._tls)
        headers = {"Proxy-Authorization": proxy.login} if proxy.login else {}
        connection.set_tunnel(host, endpoint.port or 443, headers)
        return connection


def endpoint(api: str, url: str) -> SplitResult:
    """The parts of an endpoint that gcloud is told to use instead of Google's own."""
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or (parts.scheme != "https" and not local):
        raise SignInError(
            f"gcloud's api_endpoint_overrides/{api} is not an https address, and the token would "
            f"go there in clear. Correct it: gcloud config set api_endpoint_overrides/{api} URL"
        )
    return parts


def sign_in(timeout: float) -> Session:
    """Ask gcloud for a token and how it reaches Google Cloud; SignInError when it cannot say."""
    environment = {**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    try:
        command = [gcloud_path(), "config", "config-helper", "--format=json"]
        outcome = run_bounded(command, environment, timeout)
    except Failure as error:
        raise SignInError(str(error)) from None
    except OSError as error:
        raise SignInError(f"gcloud cannot be started: {error}") from None
    if outcome.status != 0:
        raise SignInError(refusal(outcome, timeout))
    try:
        return Session(json.loads(outcome.output))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Without the output, and without a cause that would repeat it: it has the token.
        raise SignInError(
            "gcloud did not print its settings as expected. Update it: gcloud components update"
        ) from None


def refusal(outcome: Outcome, timeout: float) -> str:
    """What an `outcome` without a token means."""
    words = " ".join(presentable(outcome.errors).split()) or "it printed nothing"
    if outcome.status is None:
        return f"gcloud gave no answer within {timeout:g} s and was ended. {DIAGNOSE}"
    if re.search(r"Max retries exceeded|ConnectionError|TransportError", outcome.errors):
        return f"gcloud cannot reach Google to renew its token ({words}). {DIAGNOSE}"
    if NOT_SIGNED_IN.search(outcome.errors):
        return f"gcloud is not signed in. {SIGN_IN}"
    if "gcloud crashed" in outcome.errors or not outcome.errors.strip() or outcome.status < 0:
        return f"gcloud crashed (exit status {outcome.status}: {words})."
    return f"gcloud gives no access token ({words})."


def find_proxy(settings: Mapping[str, str]) -> Proxy | None:
    """The proxy of gcloud's own `settings`, else of the usual variables or of the system."""
    address = settings.get("address", "")
    if address:
        login = f"{settings.get('username', '')}:{settings.get('password', '')}"
        url = f"{settings.get('type', 'http')}://{address}:{settings.get('port', 80)}"
    else:
        proxies = getproxies()
        url = proxies.get("https") or proxies.get("all") or ""
        if not url:
            return None
        url = url if "://" in url else f"http://{url}"
    own = "gcloud config set proxy/type http, and proxy/address, proxy/port"
    advice = f"Name an HTTP proxy: {own if address else 'HTTPS_PROXY=http://HOST:PORT'}"
    kind = url.partition("://")[0]
    # One of type https would be spoken to without TLS here, and get its password in clear.
    if kind != "http":
        raise SignInError(f"A proxy of type {kind} cannot be used here. {advice}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise SignInError(f"The proxy's address is not one. {advice}") from None
    if not address:
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    header = f"Basic {base64.b64encode(login.encode()).decode()}" if login != ":" else ""
    return Proxy(host, port, header, bool(address))


def tls(authority: str) -> ssl.SSLContext:
    """Trust `authority`, else what the usual variables name, else what the system trusts."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    file = authority or next((os.environ[name] for name in names if os.environ.get(name)), None)
    try:
        context = ssl.create_default_context(
            cafile=file if file and not os.path.isdir(file) else None,  # noqa: PTH112
            capath=file if file and os.path.isdir(file) else None,  # noqa: PTH112
        )
    except OSError as error:
        raise SignInError(
            f"The authorities in {file} cannot be read ({error.strerror or error}). "
            "Name a PEM file: gcloud config set core/custom_ca_certs_file FILE"
        ) from None
    # Strict since Python 3.13; the authorities of many networks lack what that asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def problem(error: Exception, proxy: Proxy | None) -> str:
    """What an `error` of the network means, in the user's terms."""
    name = f"the proxy {proxy.host}:{proxy.port}" if proxy else ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}). Name the authority of your "
            "network: gcloud config set core/custom_ca_certs_file FILE"
        )
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'}). {DIAGNOSE}"
    if isinstance(error, gaierror):
        return f"DNS does not know {name or 'its name'}. {DIAGNOSE}"
    if isinstance(error, TimeoutError):
        return f"{TOO_LATE}{f' through {name}' if name else ''}. {DIAGNOSE}"
    if isinstance(error, ConnectionRefusedError):
        return f"{name or 'its address'} refuses connections. {DIAGNOSE}"
    tunnel = re.match(r"Tunnel connection failed: (\d+)", str(error))
    if tunnel and tunnel[1] == "407":
        return (
            f"{name} wants a login (407). Set it: gcloud config set proxy/username USER, "
            "and proxy/password"
        )
    if tunnel:
        return f"{name} does not let the request through ({tunnel[1]})."
    if isinstance(error, OSError) and not isinstance(error, ConnectionError) and error.strerror:
        return f"{error.strerror}. {DIAGNOSE}"
    return f"the connection{f' through {name}' if name else ''} broke off. {DIAGNOSE}"


def understand(request: Request, host: str, status: int, body: bytes) -> Answer:
    """What Google's answer says, refusals in the form of its APIs included."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if (
        status == 200
        and isinstance(content, dict)
        and (not request.expects or request.expects in content)
    ):
        return Answer(content, status=status)
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        # With no status of its own: a page that is not found says nothing about what was asked for.
        why = f"{status} came for {host}, and not from Google's API: something on the way, such as "
        return Answer({}, why + "a proxy or a private endpoint, answers for it")
    details = error.get("details") or []
    infos = [each for each in details if "ErrorInfo" in each.get("@type", "")]
    info = infos[0] if infos else {}
    reason, metadata = str(info.get("reason", "")), dict(info.get("metadata") or {})
    message = presentable(str(error.get("message", "")))
    if reason in REASONS:
        known = {"consumer": "the project", "service": host, **metadata}
        why = REASONS[reason].format_map(known)
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
