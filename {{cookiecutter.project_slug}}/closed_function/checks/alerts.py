"""Checks of what makes Cloud Monitoring call the function."""

from collections.abc import Iterator
from urllib.parse import quote

from closed_function.checks.reads import Cloud, gcloud_command
from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.repository import Facts

PUBSUB = 'type="pubsub"'


def check_alerts(cloud: Cloud, facts: Facts) -> Iterator[Result]:
    """Check that an alert policy uses the notification channel of the function's topic."""
    if not facts.alert_topic:
        return
    claim, project = "an alert policy uses the notification channel", facts.function_project
    if cloud.function(facts).status == 404:
        yield Result(claim, OK, "`make deploy` makes the channel")
        return
    channels, why = cloud.pages(
        "notificationChannels",
        "monitoring",
        f"v3/projects/{quote(project)}/notificationChannels?filter={quote(PUBSUB)}&pageSize=1000",
        f"the notification channels of {project}",
        "monitoring.notificationChannels.list",
    )
    names = {
        each["name"]
        for each in channels
        if each.get("labels", {}).get("topic") == facts.alert_topic
    }
    if not names:
        command = gcloud_command("beta", "monitoring", "channels", "list", f"--project={project}")
        if why:
            yield Result(claim, UNKNOWN, why, command)
        else:
            seen = f"{project} has no channel to {facts.alert_topic}; `make deploy` makes it."
            yield Result(claim, PROBLEM, seen, command, "channel-unused")
        return
    policies, why = cloud.pages(
        "alertPolicies",
        "monitoring",
        f"v3/projects/{quote(project)}/alertPolicies?pageSize=1000",
        f"the alert policies of {project}",
        "monitoring.alertPolicies.list",
    )
    command = gcloud_command("alpha", "monitoring", "policies", "list", f"--project={project}")
    using = [each for each in policies if names & set(each.get("notificationChannels", []))]
    if using:
        yield Result(claim, OK, ", ".join(str(each.get("displayName")) for each in using), command)
    elif why:
        yield Result(claim, UNKNOWN, why, command)
    else:
        seen = f"No alert policy of {project} uses {min(names)}."
        yield Result(claim, PROBLEM, seen, command, "channel-unused")
