"""Check what makes Cloud Monitoring call the function."""

from collections.abc import Mapping
from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import Check, Result
from closed_function.repository import Repository

PUBSUB = 'type="pubsub"'


def check_alerts(cloud: Cloud, repository: Repository) -> list[Result]:
    """Check that an alert policy uses the notification channel of the function's topic."""
    if not repository.alert_topic:
        return []
    project = repository.function_project
    claim = "an alert policy uses the notification channel"
    if not cloud.is_deployed(repository):
        return [Check(claim).ok("`make deploy` creates the channel")]
    command = gcloud_command("alpha", "monitoring", "policies", "list", f"--project={project}")
    check = Check(claim, command)
    channels, why = cloud.pages(
        "notificationChannels",
        "monitoring",
        f"v3/projects/{quote(project)}/notificationChannels?filter={quote(PUBSUB)}&pageSize=1000",
        f"the notification channels of {project}",
        "monitoring.notificationChannels.list",
    )
    of_topic = [
        channel
        for channel in channels
        if channel.get("labels", {}).get("topic") == repository.alert_topic
    ]
    own = {str(channel["name"]) for channel in of_topic if is_enabled(channel)}
    if why and not own:
        return [check.unknown(why)]
    policies, why = cloud.pages(
        "alertPolicies",
        "monitoring",
        f"v3/projects/{quote(project)}/alertPolicies?pageSize=1000",
        f"the alert policies of {project}",
        "monitoring.alertPolicies.list",
    )
    users = [each for each in policies if own & set(each.get("notificationChannels", []))]
    enabled = [str(each.get("displayName")) for each in users if is_enabled(each)]
    if enabled:
        return [check.ok(", ".join(enabled))]
    channel = min(own, default=f"a channel to {repository.alert_topic}")
    kind = "enabled alert policy" if users else "alert policy"
    seen = f"No {kind} of {project} uses {channel}."
    if of_topic and not own:
        seen = f"{of_topic[0]['name']} is disabled."
    elif why := why or cloud.function(repository).why:  # there may be no function to call
        return [check.unknown(why)]
    return [check.problem("channel-unused", seen)]


def is_enabled(resource: Mapping[str, object]) -> bool:
    """Return whether a policy or channel is on; the API may leave the field out of one that is."""
    return resource.get("enabled") is not False
