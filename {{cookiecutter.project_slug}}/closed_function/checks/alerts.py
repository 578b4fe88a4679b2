"""Check what makes Cloud Monitoring call the function."""

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
    command = gcloud_command("alpha", "monitoring", "policies", "list", f"--project={project}")
    check = Check("an alert policy uses the notification channel", command)
    if cloud.function(repository).status == 404:
        return [check.ok("`make deploy` creates the channel")]
    channels, why = cloud.pages(
        "notificationChannels",
        "monitoring",
        f"v3/projects/{quote(project)}/notificationChannels?filter={quote(PUBSUB)}&pageSize=1000",
        f"the notification channels of {project}",
        "monitoring.notificationChannels.list",
    )
    own = {
        str(channel["name"])
        for channel in channels
        if channel.get("labels", {}).get("topic") == repository.alert_topic
    }
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
    if users:
        return [check.ok(", ".join(str(each.get("displayName")) for each in users))]
    if why:
        return [check.unknown(why)]
    channel = min(own, default=f"a channel to {repository.alert_topic}")
    return [check.problem("channel-unused", f"No alert policy of {project} uses {channel}.")]
