"""Read what the files of this repository say about the function and its platform."""

import re

from closed_function.files import as_mapping, as_text, read_object, read_text, text_at
from closed_function.index import Index, RequirementsError, read_index
from closed_function.paths import (
    FUNCTION_SETTINGS,
    HAND_OVER,
    PLATFORM_SETTINGS,
    REQUIREMENTS,
    environment_settings,
    hand_over_file,
)
from closed_function.runtimes import DEFAULT_RUNTIME

PLACEHOLDER = "my-project-id"
PROJECT_ID = re.compile(r'^project_id\s*=\s*"([^"]*)"', re.MULTILINE)


class Repository:
    """What the build needs, for one environment (None: the default); a text may be empty.

    `docker_repository` and `worker_pool` are full names (projects/…); `settings_unread` and
    `hand_over_unread` say why a file cannot be read. CommandError when the environment has no
    settings.
    """

    def __init__(self, environment: str | None) -> None:
        own = hand_over_file(environment)
        self.hand_over = own if own.is_file() else HAND_OVER
        hand_over, self.hand_over_unread = read_object(self.hand_over)
        self.platform = platform = as_mapping(hand_over.get("platform"))
        settings, self.settings_unread = read_object(FUNCTION_SETTINGS)
        self.function = function = as_mapping(settings.get("function"))
        self.function_name = text_at(function, "name")
        self.entry_point = text_at(function, "entry_point")
        self.runtime = as_text(function.get("runtime", DEFAULT_RUNTIME))
        self.function_project = text_at(settings, "project_id")
        if environment:
            text, _ = read_text(environment_settings("function", environment))
            if project := PROJECT_ID.search(text):
                self.function_project = project[1]
        self.index: Index | None = None
        self.index_error = ""
        try:
            self.index = read_index(REQUIREMENTS)
        except RequirementsError as error:
            self.index_error = str(error)
        region = text_at(platform, "region")
        name = text_at(platform, "python_repository").rpartition("/")[2]
        index = self.index or Index(region, text_at(platform, "project_id"), name)
        self.location, self.project, self.python_repository = index
        self.docker_repository = text_at(platform, "docker_repository")
        self.worker_pool = text_at(platform, "worker_pool")
        self.access_policy = text_at(read_object(PLATFORM_SETTINGS)[0], "access_policy.id")
        elsewhere = self.project not in ("", self.function_project)
        self.own_build_account = elsewhere or function.get("own_build_service_account") is True
        self.build_account = text_at(platform, "build_service_account")
        if self.own_build_account:
            domain = f"{self.function_project}.iam.gserviceaccount.com"
            self.build_account = f"{self.function_name}-build@{domain}"
        if elsewhere:
            place = f"projects/{self.function_project}/locations/{region}"
            self.docker_repository = f"{place}/repositories/{self.function_name}"

    def placeholders(self) -> dict[str, str]:
        """Return the values for the commands of the catalogue."""
        return {
            "project": self.project,
            "location": self.location,
            "repository": self.python_repository,
            "build_account": self.build_account,
            "function_project": self.function_project,
            "function": self.function_name,
            "docker_repository": self.docker_repository.rpartition("/")[2],
            "pool": self.worker_pool.rpartition("/")[2],
        }
