"""What has been read of Google Cloud, in as few rounds as can be."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import quote

from closed_function.gcloud.session import Answer, Request, Session
from closed_function.repository import Facts

FULL_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/(?:repositories|workerPools)/[^/]+")
WHOLE_POLICY = json.dumps({"options": {"requestedPolicyVersion": 3}})
NOT_YET = Answer({}, "not read yet")
# What reading a field raises that has another type than the API's documentation says.
UNKNOWN_FORM = (AttributeError, IndexError, KeyError, TypeError, ValueError)
Said = TypeVar("Said")


class Cloud:
    """What has been read of Google Cloud so far.

    What is asked for and not there yet is `wanted`, and answered with NOT_YET. So a check states
    each read once, where it needs it, and whatever can be read in parallel is.
    """

    def __init__(self) -> None:
        self.answers: dict[Request, Answer] = {}
        self.wanted: dict[Request, None] = {}

    def get(
        self, api: str, path: str, what: str, permission: str, body: str | None = None, **more: str
    ) -> Answer:
        """Return the answer to a Request of these fields."""
        request = Request(api, path, what, permission, body, **more)
        if request not in self.answers:
            self.wanted[request] = None
        return self.answers.get(request, NOT_YET)

    def pages(self, key: str, api: str, path: str, *more: str) -> tuple[list[dict[str, Any]], str]:
        """Return the items under `key` on all pages, and why there may be more."""
        items: list[dict[str, Any]] = []
        page, asked = path, set[str]()
        while page not in asked:
            asked.add(page)
            answer = self.get(api, page, *more)
            if answer.why:
                return items, answer.why
            items += answer.content.get(key, [])
            if token := answer.content.get("nextPageToken"):
                page = f"{path}{'&' if '?' in path else '?'}pageToken={quote(token, safe='')}"
        return items, ""

    def project(self, project: str) -> Answer:
        return self.get(
            "cloudresourcemanager",
            f"v1/projects/{quote(project)}",
            f"the project {project}",
            "resourcemanager.projects.get",
            expects="projectNumber",
        )

    def number(self, project: str) -> str:
        return str(self.project(project).content.get("projectNumber", ""))

    def project_policy(self, project: str) -> Answer:
        return self.get(
            "cloudresourcemanager",
            f"v1/projects/{quote(project)}:getIamPolicy",
            f"the IAM policy of the project {project}",
            "resourcemanager.projects.getIamPolicy",
            WHOLE_POLICY,
            expects="etag",
        )

    def repository(self, name: str) -> Answer:
        return self.get(
            "artifactregistry",
            f"v1/{quote(name)}",
            f"the repository {name}",
            "artifactregistry.repositories.get",
            expects="format",
        )

    def repository_policy(self, name: str) -> Answer:
        return self.get(
            "artifactregistry",
            f"v1/{quote(name)}:getIamPolicy?options.requestedPolicyVersion=3",
            f"the IAM policy of {name}",
            "artifactregistry.repositories.getIamPolicy",
            expects="etag",
        )

    def function(self, facts: Facts) -> Answer:
        place = f"projects/{facts.function_project}/locations/{facts.location}"
        return self.get(
            "cloudfunctions",
            f"v2/{quote(place)}/functions/{quote(facts.function)}",
            f"the function {facts.function} of {facts.function_project} in {facts.location}",
            "cloudfunctions.functions.get",
            expects="name",
        )

    def role(self, name: str) -> Answer:
        return self.get("iam", f"v1/{quote(name)}", f"the role {name}", "iam.roles.get")

    def account(self, email: str) -> Answer:
        project = account_project(email) or "-"
        return self.get(
            "iam",
            f"v1/projects/{project}/serviceAccounts/{quote(email)}",
            f"the service account {email}",
            "iam.serviceAccounts.get",
            expects="email",
        )


def settle(
    say: Callable[[Cloud], Iterable[Said]], session: Session, timeout: float = 30
) -> list[Said]:
    """Return what `say` says once all that it asks for is read, in as few rounds as can be."""
    deadline = time.monotonic() + timeout
    cloud = Cloud()
    while True:
        said = list(say(cloud))
        if not cloud.wanted:
            return said
        cloud.answers.update(session.read(cloud.wanted, deadline))
        cloud.wanted.clear()


def account_project(email: str) -> str:
    """Return the project that a service account's name tells, or nothing."""
    domain = email.rpartition("@")[2]
    suffix = ".iam.gserviceaccount.com"
    return domain.removesuffix(suffix) if domain.endswith(suffix) else ""


def gcloud_command(*words: str) -> str:
    return shlex.join(["gcloud", *words])


def short_name(name: str) -> str:
    """Return the repository's own name, which is what people call it."""
    return name.rpartition("/")[2]
