"""Read what the checks need of Google Cloud, in as few rounds as possible."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from closed_function.checks.result import Check, Result
from closed_function.gcloud.session import Answer, Request, Session
from closed_function.repository import Repository

FULL_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/(?:repositories|workerPools)/[^/]+")
WHOLE_POLICY = json.dumps({"options": {"requestedPolicyVersion": 3}})
NOT_YET = Answer({}, "not read yet")
# What reading a field raises whose type is not the one of the API's documentation.
UNKNOWN_FORM = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class Cloud:
    """What has been read of Google Cloud so far.

    What is asked for and not there yet is `wanted`, and answered with NOT_YET. So a check states
    each read once, where it needs it, and reads run in parallel wherever they can.
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
            if unreachable := answer.content.get("unreachable"):
                return items, f"Google could not list {', '.join(unreachable)}"
            token = answer.content.get("nextPageToken")
            if not token:
                return items, ""
            page = f"{path}{'&' if '?' in path else '?'}pageToken={quote(token, safe='')}"
        return items, f"the list of {more[0]} does not end"

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

    def function(self, repository: Repository) -> Answer:
        project, location = repository.function_project, repository.location
        name = repository.function_name
        return self.get(
            "cloudfunctions",
            f"v2/projects/{quote(project)}/locations/{location}/functions/{quote(name)}",
            f"the function {name} of {project} in {location}",
            "cloudfunctions.functions.get",
            expects="name",
        )

    def is_deployed(self, repository: Repository) -> bool:
        """Return False where the function is known not to be there."""
        answer = self.function(repository)
        return answer.status != 404 and answer.reason != "SERVICE_DISABLED"

    def role(self, name: str) -> Answer:
        return self.get(
            "iam", f"v1/{quote(name)}", f"the role {name}", "iam.roles.get", expects="name"
        )

    def account(self, email: str) -> Answer:
        project = account_project(email) or "-"
        return self.get(
            "iam",
            f"v1/projects/{project}/serviceAccounts/{quote(email)}",
            f"the service account {email}",
            "iam.serviceAccounts.get",
            expects="email",
        )


Checks = Mapping[str, Callable[[], Result | Iterable[Result]]]


def run_checks(
    checks_of: Callable[[Cloud], Checks], session: Session, timeout: float = 30
) -> list[Result]:
    """Return the results of the checks, each under its claim, once all is read that they need."""
    deadline = time.monotonic() + timeout
    cloud = Cloud()
    while True:
        results: list[Result] = []
        for claim, check in checks_of(cloud).items():
            try:
                found = check()
                results += [found] if isinstance(found, Result) else list(found)
            except UNKNOWN_FORM:
                results.append(Check(claim).unknown("Google's answer has an unknown form"))
        if not cloud.wanted:
            return results
        cloud.answers.update(session.read(cloud.wanted, deadline))
        cloud.wanted.clear()


def account_project(email: str) -> str:
    """Return the project that is part of a service account's name, or nothing."""
    project, _, rest = email.rpartition("@")[2].partition(".")
    return project if rest == "iam.gserviceaccount.com" else ""


def gcloud_command(*words: str) -> str:
    return shlex.join(["gcloud", *words])


def resource_command(name: str, *words: str, place: str = "location") -> str:
    """Return the gcloud command of `words` for the resource with the full `name`."""
    _, project, _, location, *resource = name.split("/")
    return gcloud_command(*words, *resource[1:], f"--project={project}", f"--{place}={location}")


def short_name(name: str) -> str:
    """Return the last part of a full name, which is what people call the resource."""
    return name.rpartition("/")[2]
