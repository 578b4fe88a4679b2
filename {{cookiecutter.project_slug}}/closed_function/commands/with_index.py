"""Run a command with pip and uv pointed at this repository's index, signed in, and at no other.

    python3 -m closed_function with-index make test

For a laptop or a build inside the closed network, where Artifact Registry is all that answers. The
token is gcloud's or, on a machine of Google Cloud that has no gcloud, the metadata server's. It is
handed to the command in its environment, where it is good for an hour, and is neither printed nor
written. The exit status is the command's own.
"""

import argparse
import json
import os
import re
import shutil
import sys
import urllib.request

from closed_function.errors import CommandError, ExitStatus, UnavailableError
from closed_function.gcloud.session import sign_in
from closed_function.index import Index, read_index
from closed_function.paths import REQUIREMENTS
from closed_function.pip_settings import pip_setting

METADATA_HOST = "metadata.google.internal"
CREDENTIAL_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
SIGN_IN_TIMEOUT, METADATA_TIMEOUT = 20, 5

# What would lead pip or uv elsewhere.
OTHER_INDEXES = (
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "UV_CONFIG_FILE",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="with arguments")


def run(options: argparse.Namespace) -> int:
    """Become the command."""
    words: list[str] = options.words
    if not words:
        raise CommandError("python3 -m closed_function with-index: a command is missing")
    try:
        variables = environment(read_index(REQUIREMENTS), access_token())
    except KeyboardInterrupt:
        text = f"Interrupted; {words[0]} was not started."
        raise CommandError(text, ExitStatus.INTERRUPTED) from None
    sys.stdout.flush()
    try:
        os.execvpe(words[0], words, variables)  # noqa: S606 - the user's own command
    except OSError as error:
        text = f"{words[0]}: {error.strerror}"
        raise CommandError(text, ExitStatus.NO_SUCH_COMMAND) from None


def access_token() -> str:
    """Return a token for Artifact Registry. UnavailableError when neither source has one."""
    if shutil.which("gcloud"):
        return sign_in(SIGN_IN_TIMEOUT).token
    # GCE_METADATA_HOST is the variable of Google's own libraries.
    host = os.environ.get("GCE_METADATA_HOST", METADATA_HOST)
    request = urllib.request.Request(
        f"http://{host}{CREDENTIAL_PATH}", headers={"Metadata-Flavor": "Google"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=METADATA_TIMEOUT) as answer:
            token = json.load(answer)["access_token"]
        if re.fullmatch(r"[\w.~+/=-]+", token):  # what a URL takes as it is
            return str(token)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UnavailableError(
        "gcloud is not installed, and no metadata server has a token for this machine."
    )


def environment(index: Index, token: str) -> dict[str, str]:
    """Return this process's environment, with the index and its login for pip and for uv."""
    kept = {name: value for name, value in os.environ.items() if name not in OTHER_INDEXES}
    # Files of settings can name other indexes, too. Of pip's, what reaches the index is kept.
    settings = {f"PIP_{name.upper()}": pip_setting(name) for name in ("cert", "proxy")}
    kept |= {name: value for name, value in settings.items() if value}
    kept |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    url = f"https://oauth2accesstoken:{token}@{index.host}{index.path}"
    return {**kept, "PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}
