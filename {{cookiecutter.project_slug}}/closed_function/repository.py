"""Read what the files of this repository say about the function and its platform."""

from typing import NamedTuple

from closed_function.errors import CommandError
from closed_function.files import as_mapping, as_text, read_object, text_at
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
from closed_function.settings import read_settings

PLACEHOLDER = "my-project-id"


class Facts(NamedTuple):
    """What the files of this repository say; a text is empty where they do not say it.

    `docker_repository`, `worker_pool` and `alert_topic` are full names (projects/…);
    `access_policy` is a number; `secrets` are names with their versions, each pair once.
    """

    project: str = ""
    location: str = ""
    repository: str = ""
    docker_repository: str = ""
    worker_pool: str = ""
    build_account: str = ""
    own_build_account: bool = False
    function_project: str = ""
    function: str = ""
    runtime: str = ""
    entry_point: str = ""
    access_policy: str = ""
    runtime_account: str = ""
    secrets: tuple[tuple[str, str], ...] = ()
    alert_topic: str = ""

    def placeholders(self) -> dict[str, str]:
        """Return the values for the commands of the catalogue."""
        names = "project location repository build_account function_project function"
        names += " runtime_account alert_topic"
        values = {name: getattr(self, name) for name in names.split()}
        values["docker_repository"] = self.docker_repository.rpartition("/")[2]
        values["pool"] = self.worker_pool.rpartition("/")[2]
        return values


class Repository:
    """The files that say what the build needs, for one environment (None: the default's).

    `settings_unread` and `hand_over_unread` say why a file cannot be read. CommandError when the
    environment has no settings.
    """

    def __init__(self, environment: str | None) -> None:
        self.environment = environment
        own = hand_over_file(environment)
        self.hand_over = own if own.is_file() else HAND_OVER
        self.settings_files = [FUNCTION_SETTINGS]
        if environment:
            self.settings_files.append(environment_settings("function", environment))
        self.settings: dict[str, object] = {}
        self.settings_unread = ""
        try:
            self.settings = read_settings("function", environment)
        except CommandError as error:
            self.settings_unread = str(error)
        hand_over, self.hand_over_unread = read_object(self.hand_over)
        self.platform = as_mapping(hand_over.get("platform"))
        self.function = as_mapping(self.settings.get("function"))
        self.function_project = text_at(self.settings, "project_id")
        self.index: Index | None = None
        self.index_error = ""
        try:
            self.index = read_index(REQUIREMENTS)
        except RequirementsError as error:
            self.index_error = str(error)

    def facts(self) -> Facts:
        platform, function = self.platform, self.function
        name, project = text_at(function, "name"), self.function_project
        region = text_at(platform, "region")
        repository = text_at(platform, "python_repository").rpartition("/")[2]
        index = self.index or Index(region, text_at(platform, "project_id"), repository)
        facts = Facts(
            **index._asdict(),
            docker_repository=text_at(platform, "docker_repository"),
            worker_pool=text_at(platform, "worker_pool"),
            build_account=text_at(platform, "build_service_account"),
            function_project=project,
            function=name,
            runtime=as_text(function.get("runtime", DEFAULT_RUNTIME)),
            entry_point=text_at(function, "entry_point"),
            access_policy=text_at(read_object(PLATFORM_SETTINGS)[0], "access_policy.id"),
            runtime_account=f"{name}-runtime@{project}.iam.gserviceaccount.com",
            secrets=self.secrets(),
            alert_topic=self.alert_topic(),
        )
        elsewhere = facts.project not in ("", project)
        if elsewhere or function.get("own_build_service_account") is True:
            account = f"{name}-build@{project}.iam.gserviceaccount.com"
            facts = facts._replace(build_account=account, own_build_account=True)
        if elsewhere:
            docker = f"projects/{project}/locations/{region}/repositories/{name}"
            facts = facts._replace(docker_repository=docker)
        return facts

    def secrets(self) -> tuple[tuple[str, str], ...]:
        """Return the secrets that the function reads, with their versions."""
        used = [
            (text_at(each, "secret"), text_at(each, "version") or "latest")
            for name in ("secret_environment", "secret_volumes")
            for each in as_mapping(self.function.get(name)).values()
        ]
        return tuple(dict.fromkeys(used))

    def alert_topic(self) -> str:
        """Return the topic that Cloud Monitoring publishes to, or nothing for other triggers."""
        if text_at(self.settings, "trigger.kind") != "alert":
            return ""
        own = f"projects/{self.function_project}/topics/{text_at(self.function, 'name')}"
        return text_at(self.settings, "trigger.topic") or own
