"""What the user's pip is configured for, and the same for uv."""

import os
import subprocess
import sys


def pip_setting(name: str) -> str | None:
    """Return what the user's pip is told about `name` (such as index-url), or None."""
    from_environment = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if from_environment:
        return from_environment
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


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
