"""Serve an organisation, so that the commands of a repository can be tried without a cloud.

`python -m cloud_stand_in FOLDER --project my-project` serves until it is interrupted. FOLDER gets
the file `environment`: it leads Terraform and gcloud of a shell that reads it to the stand-in.
"""

from __future__ import annotations

import argparse
import shlex
import signal
from pathlib import Path

from . import gcloud, terraform
from .cloud import Cloud
from .server import serve

CALLER = "user:you@example.com"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cloud_stand_in")
    parser.add_argument("folder", type=Path, help="an existing folder for what clients need")
    parser.add_argument(
        "--project", action="append", required=True, help="a project ID; may be given again"
    )
    parser.add_argument("--policy", default="123456789", help="number of the access policy")
    return parser.parse_args()


def new_cloud(projects: list[str], policy: str) -> Cloud:
    """Return an organisation with an access policy and new projects."""
    cloud = Cloud(caller=CALLER)
    for number, project in enumerate(projects, start=111111111111):
        cloud.add_project(project, str(number))
    name = f"accessPolicies/{policy}"
    cloud.add("accesscontextmanager", name, parent="organizations/987654321098", etag="1")
    return cloud


def main() -> None:
    options = arguments()
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.default_int_handler)
    folder = options.folder.resolve()
    with serve(new_cloud(options.project, options.policy), folder) as stand_in:
        variables = {
            **terraform.environment(stand_in.url),
            **gcloud.environment(stand_in, folder),
        }
        # Otherwise gcloud would trust these instead of the stand-in's authority.
        lines = ["unset CURL_CA_BUNDLE REQUESTS_CA_BUNDLE\n"]
        lines += [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        (folder / "environment").write_text("".join(lines), encoding="utf-8")
        print(f"You are {CALLER}. In another shell: . {folder}/environment", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("The organisation is gone.")


if __name__ == "__main__":
    main()
