"""Read what the files of this repository say about the function and its platform."""

from closed_function.errors import CommandError
from closed_function.files import as_mapping, as_string, as_text, read_object, text_at
from closed_function.index import Index, RequirementsError, read_index
from closed_function.paths import (
    FUNCTION_SETTINGS,
    HAND_OVER,
    REQUIREMENTS,
    environment_settings,
    hand_over_file,
    platform_settings_files,
)
from closed_function.runtimes import DEFAULT_RUNTIME
from closed_function.settings import read_settings

PLACEHOLDER = "my-project-id"


class Repository:
    """What the build needs, for one environment (None: the default); a text may be empty.

    `docker_repository`, `worker_pool` and `alert_topic` are full names (projects/…); `secrets` are
    names with their versions, each pair once; `settings_unread` and `hand_over_unread` say why a
    file cannot be read. CommandError when the environment has no settings.
    """

    def __init__(self, environment: str | None) -> None:
        self.environment = environment
        own = hand_over_file(environment)
        self.hand_over = own if own.is_file() else HAND_OVER
        hand_over, self.hand_over_unread = read_object(self.hand_over)
        self.platform = platform = as_mapping(hand_over.get("platform"))
        self.settings_files = [FUNCTION_SETTINGS]
        if environment:
            self.settings_files.append(environment_settings("function", environment))
        self.settings: dict[str, object] = {}
        self.settings_unread = ""
        try:
            self.settings = read_settings("function", environment)
        except CommandError as error:
            self.settings_unread = str(error)
        self.function = function = as_mapping(self.settings.get("function"))
        self.function_name = text_at(function, "name")
        self.entry_point = text_at(function, "entry_point")
        self.runtime = as_text(function.get("runtime", DEFAULT_RUNTIME))
        self.function_project = text_at(self.settings, "project_id")
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
        # Whether the function is in another project than the platform.
        self.elsewhere = bool(self.function_project) and self.project not in (
            "",
            self.function_project,
        )
        self.own_build_account = self.elsewhere or function.get("own_build_service_account") is True
        # Direct egress of a function elsewhere goes through a Shared VPC.
        connector = as_mapping(self.settings.get("egress")).get("connector")
        self.uses_shared_vpc = self.elsewhere and connector is None
        self.build_account = text_at(platform, "build_service_account")
        domain = f"{self.function_project}.iam.gserviceaccount.com"
        self.runtime_account = f"{self.function_name}-runtime@{domain}"
        if self.own_build_account:
            self.build_account = f"{self.function_name}-build@{domain}"
        if self.elsewhere:
            place = f"projects/{self.function_project}/locations/{region}"
            self.docker_repository = f"{place}/repositories/{self.function_name}"

        # None if the platform is not one of this repository's.
        self.platform_files = platform_settings_files(environment)
        self.platform_settings, self.platform_settings_unread = self._platform_settings()
        self.access_policy = text_at(self.platform_settings, "access_policy.id")

        self.secrets = self._secrets()
        self.alert_topic = self._alert_topic()

    def _platform_settings(self) -> tuple[dict[str, object], str]:
        """Return the settings of the platform, and why they cannot be read."""
        if not self.platform_files:
            return {}, ""
        environment = self.environment if len(self.platform_files) > 1 else None
        try:
            return read_settings("platform", environment), ""
        except CommandError as error:
            return {}, str(error)

    def _secrets(self) -> list[tuple[str, str]]:
        used = [
            (text_at(each, "secret"), as_string(each.get("version")) or "latest")
            for name in ("secret_environment", "secret_volumes")
            for each in map(as_mapping, as_mapping(self.function.get(name)).values())
        ]
        return list(dict.fromkeys(used))

    def _alert_topic(self) -> str:
        """Return the topic that Cloud Monitoring publishes to, or nothing for other triggers."""
        if text_at(self.settings, "trigger.kind") != "alert":
            return ""
        own = f"projects/{self.function_project}/topics/{self.function_name}"
        return text_at(self.settings, "trigger.topic") or own

    def platform_functions(self) -> dict[str, object]:
        """Return `functions` of the platform's settings, of a platform of this repository's."""
        return as_mapping(self.platform_settings.get("functions"))

    def placeholders(self) -> dict[str, str]:
        """Return the values for the commands of the catalogue."""
        return {
            "project": self.project,
            "location": self.location,
            "repository": self.python_repository,
            "build_account": self.build_account,
            "runtime_account": self.runtime_account,
            "alert_topic": self.alert_topic,
            "function_project": self.function_project,
            "function": self.function_name,
            "docker_repository": self.docker_repository.rpartition("/")[2],
            "pool": self.worker_pool.rpartition("/")[2],
        }
