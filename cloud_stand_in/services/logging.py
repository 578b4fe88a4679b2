"""Cloud Logging: the logs of builds that were there before."""

from __future__ import annotations

import re

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json
from cloud_stand_in.routing import Call, Service, page

SERVICE = Service("logging")


@SERVICE.route("POST", "entries:list", "logging.logEntries.list")
def list_entries(call: Call) -> Json:
    """List a build's entries, by the filter with which gcloud asks for them.

    https://cloud.google.com/logging/docs/view/logging-query-language
    """
    build = re.search(r'resource\.labels\.build_id="([^"]+)"', call.body["filter"])
    found = [
        each
        for name in call.body["resourceNames"]
        for each in call.cloud.below(f"{SERVICE.name}/{call.cloud.canonical(name)}/").values()
        if build and each["resource"]["labels"]["build_id"] == build[1]
    ]
    return page(call, "entries", found)


def add_build_log(cloud: Cloud, project: str, build: str, text: str) -> str:
    """Add the log of a build of `project`, an entry for each line; return its key."""
    log = f"projects/{project}/logs/cloudbuild/{build}"
    for number, line in enumerate(text.splitlines()):
        resource = {"type": "build", "labels": {"build_id": build}}
        entry = {"insertId": str(number), "textPayload": line, "resource": resource}
        cloud.add(SERVICE.name, f"{log}/{number}", **entry)
    return f"{SERVICE.name}/{log}"
