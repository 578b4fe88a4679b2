"""How gcloud, and what uses gcloud's settings, is led to the stand-in."""

from __future__ import annotations

from pathlib import Path

from .server import StandIn


def environment(stand_in: StandIn, folder: Path) -> dict[str, str]:
    """Return what leads them to a stand-in that is a proxy, as somebody who is signed in.

    The token and gcloud's configuration lie in `folder`.
    """
    token = folder / "token"
    token.write_text(stand_in.token, encoding="utf-8")
    return {
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(stand_in.authority),
        "HTTPS_PROXY": stand_in.url,
    }
