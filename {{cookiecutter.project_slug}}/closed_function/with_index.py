"""Run a command with pip and uv pointed at this repository's index, signed in, and at no other.

    python3 -m closed_function with-index make test

For a laptop or a build inside the closed network, where Artifact Registry is all that answers. The
token is gcloud's or, on a machine of Google Cloud that has no gcloud, the metadata server's. It is
handed to the command in its environment, where it is good for an hour, and is neither printed nor
written.

Exit status: the command's own; 2 usage, or an index line that cannot be read; 3 there is no token;
130 interrupted before the command began; 127 there is no such command.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import urllib.request
from collections.abc import Sequence

from closed_function.command_line import INTERRUPTED
from closed_function.google_cloud import SignInError, sign_in
from closed_function.lock import pip_setting
from closed_function.upstreams import REQUIREMENTS, Index, RequirementsError, read_index

METADATA_HOST = "metadata.google.internal"
CREDENTIAL_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
SIGN_IN_TIMEOUT, METADATA_TIMEOUT = 20, 5
# What would lead pip or uv elsewhere.
MISLEADING = (
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "UV_CONFIG_FILE",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
)


def access_token() -> str:
    """A token for Artifact Registry. SignInError when neither source has one."""
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
    raise SignInError(
        "gcloud is not installed, and no metadata server has a token for this machine."
    )


def environment(index: Index, token: str) -> dict[str, str]:
    """This process's environment, with the index and its login for pip and for uv."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    # Files of settings can name other indexes, too. Of pip's, what reaches the index is kept.
    told = {f"PIP_{name.upper()}": pip_setting(name) for name in ("cert", "proxy")}
    kept |= {name: value for name, value in told.items() if value}
    kept |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    host = f"{index.location}-python.pkg.dev"
    url = f"https://oauth2accesstoken:{token}@{host}/{index.project}/{index.repository}/simple/"
    return {**kept, "PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}


def main(argv: Sequence[str] | None = None) -> int:
    command = list(sys.argv[1:] if argv is None else argv)
    if not command or command[0].startswith("-"):
        print("python3 -m closed_function with-index: a command is missing", file=sys.stderr)
        return 2
    try:
        variables = environment(read_index(REQUIREMENTS), access_token())
    except RequirementsError as error:
        print(error, file=sys.stderr)
        return 2
    except SignInError as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(f"Interrupted; {command[0]} was not started.", file=sys.stderr)
        return INTERRUPTED
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606 - the user's own command
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    raise SystemExit(main())
