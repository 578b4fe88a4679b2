"""How gcloud reaches Google Cloud (endpoints, proxy, authorities), and what keeps it from that."""

import base64
import os
import re
import ssl
from collections.abc import Mapping
from socket import gaierror
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies

from closed_function.errors import UnavailableError
from closed_function.gcloud.program import DIAGNOSE

TOO_LATE = "no answer in time"


class Proxy(NamedTuple):
    """An HTTP proxy, its `login` as the header says it (empty: none), and whose setting it is."""

    host: str
    port: int
    login: str
    gclouds_own: bool


def parse_endpoint(api: str, url: str) -> SplitResult:
    """Return the parts of an endpoint that gcloud is told to use instead of Google's own."""
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or (parts.scheme != "https" and not local):
        raise UnavailableError(
            f"gcloud's api_endpoint_overrides/{api} is not an https address, and the token would "
            f"go there in clear. Correct it: gcloud config set api_endpoint_overrides/{api} URL"
        )
    return parts


def find_proxy(settings: Mapping[str, str]) -> Proxy | None:
    """Return the proxy of gcloud's own `settings`, else of the usual variables or of the system."""
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
        raise UnavailableError(f"A proxy of type {kind} cannot be used here. {advice}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise UnavailableError(f"The proxy's address is not one. {advice}") from None
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
        raise UnavailableError(
            f"The authorities in {file} cannot be read ({error.strerror or error}). "
            "Name a PEM file: gcloud config set core/custom_ca_certs_file FILE"
        ) from None
    # Strict since Python 3.13; the authorities of many networks lack what that asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def connection_problem(error: Exception, proxy: Proxy | None) -> str:
    """Return what an `error` of the network means, in the user's terms."""
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
