"""The real clients, each started from an empty environment, and the build's own Python.

A developer's machine sets variables (another index, another certificate, a folder of wheels) that
would make a rehearsal pass where the build fails.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from closed_function.index import Index

# Exactly what the buildpack runs (buildpacks, pkg/python/python.go).
BUILD_INSTALL = (
    "-m pip install --requirement requirements.txt --upgrade --upgrade-strategy only-if-needed "
    "--no-warn-script-location --no-warn-conflicts --force-reinstall --no-compile "
    "--disable-pip-version-check --no-cache-dir --user"
).split()
BUILD_CHECK = "-m pip check".split()

# What differs from the real build.
DIFFERENCES = (
    "Artifact Registry and its switch are stand-ins on this machine; Google Cloud was not called",
    "the build is assumed to use pip, as GOOGLE_PYTHON_PACKAGE_MANAGER=pip sets",
    "pip runs in a virtual environment that sees the user's site and hides the machine's packages",
    "pip trusts the certificate authority that the gate made for this run (PIP_CERT)",
    "only this run's stand-in accepts pip's access token (.netrc)",
    "a pip configuration file on this machine is ignored (PIP_CONFIG_FILE)",
)
# And from the real deployment, where one is shown.
DEPLOYMENT_DIFFERENCES = (
    "Google's APIs are a stand-in that refuses what the services document to be refused",
    "nothing needs time to propagate, so `waits` are 0",
    "Pub/Sub pushes without a token; the roles that it needs were checked",
    "the deployed function sends to this machine's receiver; the values of secrets are invented",
)


@dataclass(frozen=True)
class Machine:
    """The folder of the clients of one rehearsal and the gate that they go through.

    `token` is their access token; `build` is the folder in `folder` of one of several builds.
    """

    folder: Path
    gate: str
    token: str = ""
    build: str = "built"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def hidden(self) -> Path:
        """The folder of the run, of which clients have only `folder`."""
        return self.folder.parent

    @property
    def records(self) -> Path:
        """Where this build's function and its receivers write, which no client can reach."""
        return self.hidden / "records" / self.build

    @property
    def source(self) -> Path:
        """The copy of the function's source that is built, so that nothing is written beside it."""
        return self.folder / self.build / "source"

    @property
    def packages(self) -> Path:
        """Where the build installs the function's packages."""
        return self.folder / self.build / "packages"

    @property
    def function_log(self) -> Path:
        """What the served function has printed."""
        return self.records / "function.log"

    def function_environment(self) -> dict[str, str]:
        """What a served function gets: a home of its own, without the build's access token."""
        return {**self.pip_environment(), "HOME": str(self.source.parent / "home")}

    def environment(self) -> dict[str, str]:
        """The variables that every client gets: an empty home and the gate as the proxy."""
        return {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HTTP_PROXY": self.gate,
            "http_proxy": self.gate,  # the one that curl reads
            "HTTPS_PROXY": self.gate,
            "NO_PROXY": "localhost,127.0.0.1",
        }

    def pip_environment(self) -> dict[str, str]:
        return {
            **self.environment(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_CERT": str(self.authority),
            "PYTHONUSERBASE": str(self.packages),
        }

    def uv_environment(self) -> dict[str, str]:
        return {**self.environment(), "SSL_CERT_FILE": str(self.authority)}

    def laptop_environment(self, index: Index, programs: Sequence[str]) -> dict[str, str]:
        """What a developer sets so that pip and uv ask `index` alone, signed in to gcloud.

        The folders `programs` come first on the path.
        """
        authority = str(self.authority)
        path = dict.fromkeys([*programs, *os.defpath.split(os.pathsep)])
        return {
            **self.environment(),
            **self.gcloud_settings(),
            "PATH": os.pathsep.join(path),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index.url,
            "UV_DEFAULT_INDEX": index.url,
            "PIP_CERT": authority,
            "SSL_CERT_FILE": authority,
            "REQUESTS_CA_BUNDLE": authority,
        }

    def gcloud_environment(self, gcloud: str) -> dict[str, str]:
        return {
            **self.environment(),
            "PATH": os.pathsep.join([str(Path(gcloud).resolve().parent), os.defpath]),
            **self.gcloud_settings(),
        }

    def gcloud_settings(self) -> dict[str, str]:
        """What signs gcloud in with the run's token and leads it through the gate."""
        host, _, port = self.gate.removeprefix("http://").partition(":")
        return {
            "CLOUDSDK_CONFIG": str(self.folder / "gcloud"),
            "CLOUDSDK_PROXY_TYPE": "http",
            "CLOUDSDK_PROXY_ADDRESS": host,
            "CLOUDSDK_PROXY_PORT": port,
            "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(self.authority),
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(self.folder / "token"),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
            "CLOUDSDK_SURVEY_DISABLE_PROMPTS": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def prepare(self, index: Index) -> None:
        """Make the folders, and pip's credentials for `index`, as the build does."""
        self.make_home(index)
        self.make_build()

    def make_build(self) -> None:
        """Make the folders of a build, but for the source."""
        for folder in (self.packages, self.source.parent / "home", self.records):
            folder.mkdir(parents=True)

    def make_home(self, index: Index) -> None:
        """Make an empty home with credentials for `index`, which pip and uv read, and TMPDIR."""
        for name in ("home", "tmp", "gcloud"):
            (self.folder / name).mkdir()
        netrc, token = self.folder / "home" / ".netrc", self.folder / "token"
        for secret in (netrc, token):
            secret.touch(mode=0o600)
        token.write_text(self.token, encoding="utf-8")
        login = f"login oauth2accesstoken password {self.token}"
        netrc.write_text(f"machine {index.host} {login}\n", encoding="utf-8")

    def make_python(self, interpreter: Path) -> list[str]:
        """The command that makes the build's environment with `interpreter` as `self.python`."""
        return [str(interpreter), "-m", "venv", "--system-site-packages", str(self.folder / "venv")]

    @property
    def python(self) -> str:
        return str(self.folder / "venv" / "bin" / "python3")

    @property
    def python_version(self) -> str:
        """The whole version of the build's Python, such as 3.13.5."""
        described = (self.folder / "venv" / "pyvenv.cfg").read_text(encoding="utf-8")
        named = re.search(r"^version\w* = (\S+)", described, re.MULTILINE)
        return named[1] if named else "unknown"

    def hide_the_machines_packages(self) -> None:
        """Make the environment see the user's site, which --user needs, but not the machine's.

        A .pth file of the environment is read before the interpreter adds the machine's folder.
        """
        (site_packages,) = (self.folder / "venv" / "lib").glob("python*/site-packages")
        line = "import site; site.PREFIXES.clear()\n"
        (site_packages / "closed_network.pth").write_text(line, encoding="utf-8")
