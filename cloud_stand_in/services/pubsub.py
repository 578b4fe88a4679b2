"""Pub/Sub: topics and subscriptions."""

from __future__ import annotations

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json, denied, not_found
from cloud_stand_in.policies import account_exists, add_policy_routes, may, project_key
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Answer, Call, Service

from .kms import check_key
from .run import check_invoker

SERVICE = Service("pubsub")
# https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions
DELETED_TOPIC = "_deleted-topic_"
AGENT = "gcp-sa-pubsub"


class Named(Collection):
    """What is created by PUT, and changed in a body that names its `kind`."""

    service = SERVICE
    create_method = "PUT"
    slow = slow_change = timed = False
    kind: str

    def content(self, call: Call) -> Json:
        wanted: Json = call.body.get(self.kind, call.body)
        return wanted


class Topics(Named):
    template = "projects/{project}/topics/{topic}"
    kind = "topic"

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        check_key(call.cloud, new.get("kmsKeyName"), call.project, AGENT)

    def delete(self, call: Call) -> Answer:
        """Delete it; its subscriptions stay and receive nothing any more."""
        for each in call.cloud.below(f"{SERVICE.name}/projects/").values():
            if each.get("topic") == call.name:
                each["topic"] = DELETED_TOPIC
        return super().delete(call)


class Subscriptions(Named):
    template = "projects/{project}/subscriptions/{subscription}"
    kind = "subscription"

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        """Refuse a topic or an account that does not exist.

        https://cloud.google.com/pubsub/docs/handling-failures#dead_letter_topic and
        https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
        """
        dead_letters = new.get("deadLetterPolicy", {}).get("deadLetterTopic")
        for topic in filter(None, (new["topic"], dead_letters)):
            if topic != DELETED_TOPIC and call.cloud.find(SERVICE.name, topic) is None:
                raise not_found(topic)
        token = new.get("pushConfig", {}).get("oidcToken", {})
        account = token.get("serviceAccountEmail")
        if account and not account_exists(call.cloud, account):
            raise not_found(account)

    def complete(self, call: Call, name: str, resource: Json) -> None:
        resource.update(state="ACTIVE")
        resource.setdefault("ackDeadlineSeconds", 10)
        resource.setdefault("messageRetentionDuration", "604800s")


Topics()
Subscriptions()
add_policy_routes(SERVICE, Topics.template)
add_policy_routes(SERVICE, Subscriptions.template)


def pushing(cloud: Cloud, publisher: str, topic: str) -> list[Json]:
    """Return the subscriptions that push what `publisher`, if one is named, publishes to `topic`.

    Refuses the publisher, and a push that the called service would refuse.
    https://cloud.google.com/pubsub/docs/access-control and
    https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
    """
    cloud.existing(SERVICE.name, topic)
    _, project, *_ = topic.split("/")
    keys = (f"{SERVICE.name}/{topic}", project_key(project))
    if publisher and not may(
        cloud, publisher, {"roles/pubsub.publisher", "roles/pubsub.admin"}, *keys
    ):
        raise denied(f"{publisher} may not publish to {topic} (pubsub.topics.publish)")
    found = [
        each
        for each in cloud.below(f"{SERVICE.name}/projects/").values()
        if each.get("topic") == topic and each.get("pushConfig", {}).get("pushEndpoint")
    ]
    for each in found:
        check_push(cloud, each)
    return found


def check_push(cloud: Cloud, subscription: Json) -> None:
    push, project = subscription["pushConfig"], subscription["name"].split("/")[1]
    account = push.get("oidcToken", {}).get("serviceAccountEmail", "")
    if not account:
        raise denied(f"{subscription['name']} sends no token, so nothing may be invoked")
    agent = f"serviceAccount:{cloud.create_agent(project, AGENT)}"
    key = f"iam/projects/{project}/serviceAccounts/{account}"
    creators = {"roles/iam.serviceAccountTokenCreator"}
    if not may(cloud, agent, creators, key, project_key(project)):
        raise denied(f"{agent} may not create tokens for {account}")
    check_invoker(cloud, f"serviceAccount:{account}", push["pushEndpoint"])
