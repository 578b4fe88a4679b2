"""What applying does besides what was planned, as far as a stack can stumble over it.

The real providers write some attributes in another form than they planned them, and a service takes
things away together with what they are on. Read in the providers' source and seen with them.
"""

from __future__ import annotations

from string import Formatter
from typing import Any

from . import values
from .schemas import Schema

# The providers of the older kind, which may write what they did not plan.
LEGACY = frozenset({"google", "google-beta"})

COMPUTE = "https://www.googleapis.com/compute/v1/"
NETWORK = {"network": COMPUTE + "{network}"}

# Type => attribute => how the state has it, made of the attributes as planned.
WRITTEN: dict[str, dict[str, str]] = {
    "google_artifact_registry_repository_iam_member": {
        "repository": "projects/{project}/locations/{location}/repositories/{repository}"
    },
    "google_cloud_run_v2_service_iam_member": {
        "name": "projects/{project}/locations/{location}/services/{name}"
    },
    "google_compute_firewall": NETWORK,
    "google_compute_global_address": NETWORK,
    "google_compute_route": NETWORK
    | {"next_hop_gateway": COMPUTE + "projects/{project}/global/gateways/{next_hop_gateway}"},
    "google_compute_subnetwork": NETWORK,
    "google_pubsub_topic_iam_member": {"topic": "projects/{project}/topics/{topic}"},
    "google_secret_manager_secret_iam_member": {
        "secret_id": "projects/{project}/secrets/{secret_id}"
    },
    "google_storage_bucket_iam_member": {"bucket": "b/{bucket}"},
}

# What the state has where an optional attribute was left out.
EMPTY: dict[str, values.Value] = {"string": "", "bool": False, "map": {}}

# Type => the type that it is on, and which attribute of this one names which of that one.
HELD_BY: dict[str, tuple[str, dict[str, str]]] = {
    "google_artifact_registry_repository_iam_member": (
        "google_artifact_registry_repository",
        {"project": "project", "location": "location", "repository": "repository_id"},
    ),
    "google_cloud_run_v2_service_iam_member": (
        "google_cloudfunctions2_function",
        {"project": "project", "location": "location", "name": "name"},
    ),
    "google_compute_subnetwork_iam_member": (
        "google_compute_subnetwork",
        {"project": "project", "region": "region", "subnetwork": "name"},
    ),
    "google_pubsub_subscription_iam_member": (
        "google_pubsub_subscription",
        {"project": "project", "subscription": "name"},
    ),
    "google_pubsub_topic_iam_member": (
        "google_pubsub_topic",
        {"project": "project", "topic": "name"},
    ),
    "google_storage_bucket_iam_member": ("google_storage_bucket", {"bucket": "name"}),
    "google_storage_bucket_object": ("google_storage_bucket", {"bucket": "name"}),
}

# The type of a thing, and the attributes that tell it from others of its type.
Identity = tuple[str, tuple[tuple[str, str], ...]]


def written(kind: str, block: Schema, planned: values.Value) -> values.Value:
    """Return what the state has of a resource that was planned as `planned`."""
    if planned is None:
        return None
    state = dict(planned)
    for name, form in WRITTEN.get(kind, {}).items():
        parts = [part for _, part, _, _ in Formatter().parse(form) if part]
        known = all(isinstance(planned[part], str) for part in parts)
        if known and not planned[name].startswith(form.partition("{")[0]):
            state[name] = form.format_map(planned)
    for name, attribute in block["attributes"].items():
        if state[name] is None and attribute.get("optional") and not attribute.get("computed"):
            state[name] = EMPTY.get(shape(attribute.get("type")))
    return state


def shape(kind: str | list[Any] | None) -> str:
    """Return the outermost word of a type, such as "map" of ["map", "string"]."""
    return kind[0] if isinstance(kind, list) else kind or ""


def unwritten(
    kind: str, block: Schema, proposed: values.Value, prior: values.Value
) -> values.Value:
    """Return `proposed` with what differs from `prior` in form alone as `prior` has it."""
    if proposed is None or prior is None:
        return proposed
    state = written(kind, block, proposed)
    names = block["attributes"]
    same = {name: prior[name] for name in names if state[name] == prior[name]}
    return {**proposed, **same}


def identity(kind: str, state: dict[str, values.Value]) -> Identity | None:
    """Return what tells a grant, or what grants are on, from others of its type; else None."""
    if kind.endswith("_iam_member"):
        names = sorted(state.keys() - {"condition", "etag", "id", "timeouts"})
        return kind, tuple((name, last_part(state[name])) for name in names)
    for on, attributes in HELD_BY.values():
        if kind == on:
            return kind, tuple((name, last_part(state[name])) for name in attributes.values())
    return None


def holder(kind: str, state: dict[str, values.Value]) -> Identity | None:
    """Return what a resource is on, and None for one that stands alone."""
    if kind not in HELD_BY:
        return None
    on, names = HELD_BY[kind]
    return on, tuple((theirs, last_part(state[ours])) for ours, theirs in names.items())


def last_part(value: object) -> str:
    """Return a name as it ends every form of it."""
    return str(value).rpartition("/")[2]
