"""Run a command with pip and uv pointed at this repository's index, signed in, and at no other.

    python3 -m closed_function with-index make test

For a laptop or a build inside the closed network, where only Artifact Registry answers. The token
is gcloud's or, on a machine of Google Cloud that has no gcloud, the metadata server's. The command
gets it in its environment, where it is valid for an hour; it is not printed and not written. The
exit status is the command's own.
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
from closed_function.index import read_index
from closed_function.paths import REQUIREMENTS
from closed_function.pip_settings import pip_setting

METADATA_HOST = "metadata.google.internal"
CREDENTIAL_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
SIGN_IN_TIMEOUT, METADATA_TIMEOUT = 20, 5
# Variables that would lead pip or uv elsewhere.
OTHER_INDEXES = """
    PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX UV_CONFIG_FILE UV_EXTRA_INDEX_URL UV_FIND_LINKS
    UV_INDEX UV_INDEX_URL
""".split()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="with arguments")


def run(options: argparse.Namespace) -> int:
    words: list[str] = options.words
    if not words:
        raise CommandError("python3 -m closed_function with-index: a command is missing")
    try:
        environment = index_environment()
    except KeyboardInterrupt:
        text = f"Interrupted; {words[0]} was not started."
        raise CommandError(text, ExitStatus.INTERRUPTED) from None
    sys.stdout.flush()
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 - the user's own command
    except OSError as error:
        text = f"{words[0]}: {error.strerror}"
        raise CommandError(text, ExitStatus.NO_SUCH_COMMAND) from None


def index_environment() -> dict[str, str]:
    """Return this process's environment, with the index and its login for pip and for uv."""
    index = read_index(REQUIREMENTS)
    url = f"https://oauth2accesstoken:{access_token()}@{index.host}{index.path}"
    kept = {name: value for name, value in os.environ.items() if name not in OTHER_INDEXES}
    # Settings files can name other indexes, too. Of pip's, what reaches the index is kept.
    settings = {f"PIP_{name.upper()}": pip_setting(name) for name in ("cert", "proxy")}
    kept |= {name: value for name, value in settings.items() if value}
    no_files = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    return {**kept, **no_files, "PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}


def access_token() -> str:
    """Return a token for Artifact Registry. UnavailableError when neither source has one."""
    if shutil.which("gcloud"):
        return sign_in(SIGN_IN_TIMEOUT).token
    # GCE_METADATA_HOST is the variable of Google's own libraries.
    host = os.environ.get("GCE_METADATA_HOST", METADATA_HOST)
    headers = {"Metadata-Flavor": "Google"}
    request = urllib.request.Request(f"http://{host}{CREDENTIAL_PATH}", headers=headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=METADATA_TIMEOUT) as answer:
            token = json.load(answer)["access_token"]
        if re.fullmatch(r"[\w.~+/=-]+", token):  # what a URL holds unescaped
            return str(token)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UnavailableError(
        "gcloud is not installed, and no metadata server has a token for this machine. "
        "Install gcloud and run: gcloud auth login"
    )
