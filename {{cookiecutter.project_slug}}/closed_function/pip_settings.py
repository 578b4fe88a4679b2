"""Read the settings of the user's pip, and give uv the same."""

import ast
import os
import subprocess
import sys


def pip_setting(name: str) -> str | None:
    """Return the user's pip setting `name` (such as index-url), or None."""
    if from_environment := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return from_environment
    # `pip config get` reads one file; the list is of all, such as the machine's /etc/pip.conf.
    command = [sys.executable, "-m", "pip", "config", "list"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    settings = dict(line.partition("=")[::2] for line in asked.stdout.splitlines())
    for section in ("install", "global"):
        if value := settings.get(f"{section}.{name}"):
            return str(ast.literal_eval(value))
    return None


def uv_environment() -> dict[str, str]:
    """Return the environment in which uv uses pip's index and certificate.

    Never its arguments, which others can read: an index URL may carry credentials.
    """
    # For a runtime that is not here uv would look for a Python to download, where nothing answers.
    environment = {"UV_PYTHON_DOWNLOADS": "never", **os.environ}
    for variable, setting in (("UV_DEFAULT_INDEX", "index-url"), ("SSL_CERT_FILE", "cert")):
        value = pip_setting(setting)
        if value:
            environment.setdefault(variable, value)
    return environment
