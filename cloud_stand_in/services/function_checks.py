"""What the build of a function, and its first start, refuse."""

from __future__ import annotations

import re

from cloud_stand_in.cloud import Cloud
from cloud_stand_in.errors import Json, build_failed, denied, invalid, precondition
from cloud_stand_in.policies import account_exists, may, project_key

from .access_context_manager import perimeter_of
from .compute import KINDS, in_vpc
from .kms import check_key
from .storage import AGENT as STORAGE_AGENT
from .storage import live_object

# The roles that contain the permission; https://cloud.google.com/iam/docs/roles-permissions
WRITES_IMAGES = {"roles/artifactregistry.writer", "roles/cloudbuild.builds.builder"}
READS_PACKAGES = {"roles/artifactregistry.reader", *WRITES_IMAGES}
WRITES_LOGS = {"roles/logging.logWriter", "roles/cloudbuild.builds.builder"}
READS_SOURCES = {"roles/storage.objectViewer", "roles/cloudbuild.builds.builder"}
INDEX = re.compile(r"https://([\w-]+)-python\.pkg\.dev/([^/]+)/([^/]+)/simple/")


def check_function(cloud: Cloud, name: str, function: Json) -> None:
    """Refuse the first thing that a deployment would fail with."""
    _, project, _, location, *_ = name.split("/")
    build, config = function["buildConfig"], function["serviceConfig"]
    builder = account(cloud, build["serviceAccount"])
    runtime = account(cloud, config["serviceAccountEmail"])
    source = source_of(cloud, build)
    check_pool(cloud, build, project, location)
    refusal = check_build(cloud, build, builder, project, location)
    check_egress(cloud, name, config, project)
    check_secrets(cloud, config, runtime, project)
    if function.get("kmsKeyName"):
        check_keys(cloud, function, project)
    if function.get("eventTrigger"):
        check_trigger(cloud, function["eventTrigger"], project)
    cloud.builder(function, source, refusal)


def account(cloud: Cloud, reference: str) -> str:
    """Return a service account as a member; one that does not exist is refused."""
    email = reference.rpartition("/")[2]
    if not account_exists(cloud, email):
        raise invalid(f"Service account {email} does not exist")
    return f"serviceAccount:{email}"


def agent(cloud: Cloud, project: str, domain: str) -> str:
    return f"serviceAccount:service-{cloud.number(project)}@{domain}.iam.gserviceaccount.com"


def source_of(cloud: Cloud, build: Json) -> bytes:
    """Return the archive that was uploaded; another generation is refused."""
    source = build["source"]["storageSource"]
    key, found = live_object(cloud, source["bucket"], source["object"])
    if str(source.get("generation", found["generation"])) != found["generation"]:
        raise invalid(f"gs://{source['bucket']}/{source['object']} has another generation")
    return cloud.blobs[key]


def check_pool(cloud: Cloud, build: Json, project: str, location: str) -> None:
    """Refuse a pool of another region, or that the agent of Cloud Functions may not use.

    https://cloud.google.com/functions/docs/building#private_pool
    """
    reference = build["workerPool"]
    cloud.required("cloudbuild", reference, "worker pool")
    _, owner, _, place, *_ = cloud.canonical(reference).split("/")
    if place != location:
        raise invalid(f"The worker pool {reference} is not in {location}")
    user = agent(cloud, project, "gcf-admin-robot")
    roles = {"roles/cloudbuild.workerPoolUser"}
    if owner != project and not may(cloud, user, roles, project_key(owner)):
        raise denied(f"{user} may not use the worker pool {reference} (cloudbuild.workerpools.use)")
    # https://cloud.google.com/build/docs/private-pools/using-vpc-service-controls
    if perimeter_of(cloud, owner) != perimeter_of(cloud, project):
        raise denied(
            "Request is prohibited by organization's policy.",
            "SECURITY_POLICY_VIOLATED",
            service="cloudbuild.googleapis.com",
        )


def check_build(cloud: Cloud, build: Json, builder: str, project: str, location: str) -> str:
    """Refuse a build account that lacks a role; the service itself writes the sources.

    Returns why the index would refuse the build, or "".
    https://cloud.google.com/functions/docs/building#custom-service-account
    """
    docker = build["dockerRepository"]
    # https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions says
    # of the Docker repository: cross-project repositories are not supported.
    if not cloud.canonical(docker).startswith(f"projects/{project}/locations/{location}/"):
        raise invalid(f"{docker}: cross-project repositories are not supported.")
    if cloud.required("artifactregistry", docker, "Docker repository")["format"] != "DOCKER":
        raise invalid(f"{docker} is not a Docker repository.")
    key = f"artifactregistry/{cloud.canonical(docker)}"
    if not may(cloud, builder, WRITES_IMAGES, key, project_key(project)):
        raise build_failed(f"{builder} may not upload artifacts to {docker}")
    if not may(cloud, builder, WRITES_LOGS, project_key(project)):
        raise build_failed(f"{builder} does not have permission to write logs")
    if not may(cloud, builder, READS_SOURCES, project_key(project)):
        raise build_failed(f"Access to bucket gcf-v2-sources denied to {builder}")
    index = INDEX.fullmatch(build["environmentVariables"]["PIP_INDEX_URL"])
    if not index:
        raise build_failed("PIP_INDEX_URL is no index of Artifact Registry")
    return refusal_of_index(cloud, builder, *index.groups())


def refusal_of_index(
    cloud: Cloud, builder: str, location: str, project: str, repository: str
) -> str:
    """Return why pip would be refused, or "".

    https://cloud.google.com/artifact-registry/docs/repositories/remote-repo
    """
    name = f"projects/{project}/locations/{location}/repositories/{repository}"
    if cloud.find("artifactregistry", name) is None:
        return f"404 Client Error for the index {name}"
    keys = (f"artifactregistry/{name}", project_key(project))
    if not may(cloud, builder, READS_PACKAGES, *keys):
        return f"403 Client Error: {builder} may not read {name}"
    switch = cloud.find("artifactregistry", f"projects/{project}/locations/{location}/vpcscConfig")
    if perimeter_of(cloud, project) and (switch or {}).get("vpcscPolicy") != "ALLOW":
        return f"403 Client Error: the upstream of {name} is denied"
    return ""


def check_egress(cloud: Cloud, name: str, config: Json, project: str) -> None:
    """Refuse a subnetwork that Cloud Run's agent may not use.

    https://cloud.google.com/run/docs/configuring/shared-vpc-direct-vpc
    """
    if config.get("vpcConnector"):
        cloud.required("vpcaccess", config["vpcConnector"], "VPC connector")
    for interface in config.get("directVpcNetworkInterface") or []:
        for kind in KINDS:
            reference = in_vpc(name, interface, kind)
            cloud.required("compute", reference, kind)
            host = reference.split("/")[1]
            user = agent(cloud, project, "serverless-robot-prod")
            keys = (f"compute/{reference}", project_key(host))
            foreign = kind == "subnetwork" and host != project
            if foreign and not may(cloud, user, {"roles/compute.networkUser"}, *keys):
                raise denied(f"{user} may not use {reference} (compute.subnetworks.use)")


def check_secrets(cloud: Cloud, config: Json, runtime: str, project: str) -> None:
    """Refuse secrets that do not exist, or that the runtime account may not read.

    https://cloud.google.com/functions/docs/configuring/secrets
    """
    fields = ("secretEnvironmentVariables", "secretVolumes")
    for each in [one for field in fields for one in config.get(field) or []]:
        name = f"projects/{project}/secrets/{each['secret']}"
        cloud.required("secretmanager", name, "secret")
        roles = {"roles/secretmanager.secretAccessor"}
        if not may(cloud, runtime, roles, f"secretmanager/{name}", project_key(project)):
            raise denied(f"Permission denied on secret: {name} for {runtime}")


def check_keys(cloud: Cloud, function: Json, project: str) -> None:
    """Refuse a key that the agents may not use, or that the image's repository does not.

    https://cloud.google.com/functions/docs/securing/cmek
    """
    key = function["kmsKeyName"]
    domains = ["gcf-admin-robot", "serverless-robot-prod", STORAGE_AGENT]
    if function.get("eventTrigger"):
        domains.append("gcp-sa-eventarc")
    check_key(cloud, key, project, *domains)
    docker = function["buildConfig"]["dockerRepository"]
    if cloud.required("artifactregistry", docker, "repository").get("kmsKeyName") != key:
        raise invalid(f"{docker} is not encrypted with {key}")


def check_trigger(cloud: Cloud, trigger: Json, project: str) -> None:
    """Refuse a trigger whose accounts lack a role, or in another region than its bucket.

    https://cloud.google.com/eventarc/docs/run/route-trigger-cloud-storage
    """
    caller = account(cloud, trigger["serviceAccountEmail"])
    key = project_key(project)
    for each in trigger["eventFilters"]:
        if each["attribute"] == "bucket":
            bucket = cloud.required("storage", f"b/{each['value']}", "bucket")
            if bucket["location"].lower() != trigger["triggerRegion"]:
                raise invalid(f"The trigger is not in the bucket's region {bucket['location']}")
    storage = agent(cloud, project, STORAGE_AGENT)
    if not may(cloud, storage, {"roles/pubsub.publisher"}, key):
        raise precondition(
            "The Cloud Storage service account for your bucket is unable to publish to Cloud "
            "Pub/Sub topics in the specified project (roles/pubsub.publisher)."
        )
    eventarc = agent(cloud, project, "gcp-sa-eventarc")
    if not may(cloud, eventarc, {"roles/eventarc.serviceAgent"}, key):
        raise denied("Permission denied while using the Eventarc Service Agent.")
    if not may(cloud, caller, {"roles/eventarc.eventReceiver"}, key):
        raise denied(f"{caller} lacks eventarc.events.receiveEvent")
