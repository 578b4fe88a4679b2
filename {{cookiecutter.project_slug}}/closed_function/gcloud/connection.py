"""Find how gcloud reaches Google Cloud (endpoint, proxy, authority), and what prevents it."""

import base64
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from socket import gaierror
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies

from closed_function.errors import UnavailableError
from closed_function.gcloud.program import DIAGNOSE

TOO_LATE = "no answer in time"


class Proxy(NamedTuple):
    """An HTTP proxy, its `login` as the header has it, and whether gcloud's settings name it."""

    host: str
    port: int
    login: str
    from_gcloud: bool


def parse_endpoint(api: str, url: str) -> SplitResult:
    """Return the parts of an endpoint that gcloud uses instead of Google's own."""
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or (parts.scheme != "https" and not local):
        raise UnavailableError(
            f"gcloud's api_endpoint_overrides/{api} is not an https address, so the token would "
            f"be sent in clear text. Correct it: gcloud config set api_endpoint_overrides/{api} URL"
        )
    return parts


def find_proxy(settings: Mapping[str, str]) -> Proxy | None:
    """Return the proxy of gcloud's own `settings`, else of the usual variables or of the system."""
    address = settings.get("address", "")
    if address:
        url = f"{settings.get('type', 'http')}://{address}:{settings.get('port', 80)}"
        names = "gcloud config set proxy/type http, and proxy/address, proxy/port"
    else:
        proxies = getproxies()
        url = proxies.get("https") or proxies.get("all") or ""
        url = url if "://" in url else f"http://{url}"
        names = "HTTPS_PROXY=http://HOST:PORT"
    if url == "http://":
        return None
    kind = url.partition("://")[0]
    # A proxy of type https would be used without TLS here, and get its password in clear text.
    if kind != "http":
        raise UnavailableError(f"A proxy of type {kind} is not supported. Set an HTTP one: {names}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise UnavailableError(f"The proxy's address is not valid. Set it: {names}") from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if address:
        user, password = settings.get("username", ""), settings.get("password", "")
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Proxy(host, port, f"Basic {login}" if user or password else "", bool(address))


def tls_context(authority: str) -> ssl.SSLContext:
    """Trust `authority`, else what the usual variables name, else what the system trusts."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    file = authority or next(filter(None, map(os.environ.get, names)), None)
    try:
        if file and Path(file).is_dir():
            context = ssl.create_default_context(capath=file)
        else:
            context = ssl.create_default_context(cafile=file)
    except OSError as error:
        raise UnavailableError(
            f"The authorities in {file} cannot be read ({error.strerror or error}). "
            "Name a PEM file: gcloud config set core/custom_ca_certs_file FILE"
        ) from None
    # Python 3.13 made this the default; the authorities of many networks do not fulfil it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def connection_problem(error: Exception, proxy: Proxy | None) -> str:
    """Return what an `error` of the network means, in the user's terms."""
    name = f"the proxy {proxy.host}:{proxy.port}" if proxy else ""
    through = f" through {name}" if name else ""
    tunnel = re.match(r"Tunnel connection failed: (\d+)", str(error))
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}). Name the authority of your "
            "network: gcloud config set core/custom_ca_certs_file FILE"
        )
    if tunnel and tunnel[1] == "407":
        login = "gcloud config set proxy/username USER, and proxy/password"
        return f"{name} requires a login (407). Set it: {login}"
    if tunnel:
        return f"{name} does not let the request through ({tunnel[1]})."
    match error:
        case ssl.SSLError():
            problem = f"TLS failed ({error.reason or 'no reason given'})"
        case gaierror():
            problem = f"DNS does not know {name or 'its name'}"
        case TimeoutError():
            problem = f"{TOO_LATE}{through}"
        case ConnectionRefusedError():
            problem = f"{name or 'its address'} refuses connections"
        case OSError(strerror=str(words)) if words and not isinstance(error, ConnectionError):
            problem = words
        case _:
            problem = f"the connection{through} broke off"
    return f"{problem}. {DIAGNOSE}"
