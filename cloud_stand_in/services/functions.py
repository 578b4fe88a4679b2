"""Cloud Run functions: what a deployment needs, and what it leaves behind."""

from __future__ import annotations

from cloud_stand_in.cloud import now
from cloud_stand_in.errors import Json
from cloud_stand_in.resources import Collection
from cloud_stand_in.routing import Answer, Call, Service, page

from . import run
from .function_checks import check_function
from .storage import bucket_key, create_bucket

SERVICE = Service("cloudfunctions")


class Functions(Collection):
    service = SERVICE
    template = "projects/{project}/locations/{location}/functions/{function}"
    id_in_query = "functionId"

    def check(self, call: Call, name: str, new: Json, old: Json | None) -> None:
        # https://cloud.google.com/functions/docs/building: the sources' bucket is created at the
        # project's first deployment, and stays.
        _, project, _, location, *_ = name.split("/")
        sources = f"gcf-v2-sources-{call.cloud.number(project)}-{location}"
        if bucket_key(sources) not in call.cloud.resources:
            create_bucket(call.cloud, project, sources, {"location": location})
        check_function(call.cloud, name, new)

    def complete(self, call: Call, name: str, resource: Json) -> None:
        _, project, _, location, _, id_ = name.split("/")
        number = call.cloud.number(project)
        build, config = resource["buildConfig"], resource["serviceConfig"]
        resource.update(
            environment="GEN_2",
            state="ACTIVE",
            updateTime=now(),
            url=f"https://{location}-{project}.cloudfunctions.net/{id_}",
        )
        build.update(
            build=f"projects/{number}/locations/{location}/builds/{call.cloud.next_number()}",
            dockerRegistry="ARTIFACT_REGISTRY",
            sourceProvenance={"resolvedStorageSource": build["source"]["storageSource"]},
        )
        build.setdefault("automaticUpdatePolicy", {})
        defaults = {
            "timeoutSeconds": 60,
            "availableMemory": "256M",
            "availableCpu": "0.1666",
            "maxInstanceCount": 100,
            "maxInstanceRequestConcurrency": 1,
            "ingressSettings": "ALLOW_ALL",
            "allTrafficOnLatestRevision": True,
        }
        config.update({**defaults, **config})
        config.update(
            service=run.service_name(name),
            uri=run.url(name, number),
            revision=f"{id_}-{call.cloud.next_number():05}-abc",
        )
        run.write_service(call.cloud, name, {"uri": config["uri"]})
        trigger = resource.get("eventTrigger")
        if trigger:
            trigger["trigger"] = f"projects/{project}/locations/{location}/triggers/{id_}"
            key = f"eventarc/{trigger['trigger']}"
            call.cloud.resources[key] = {"name": trigger["trigger"]}

    def list_all(self, call: Call) -> Answer:
        """List them, and which locations did not answer.

        https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions/list
        """
        missing = {"unreachable": call.cloud.unreachable} if call.cloud.unreachable else {}
        return {**page(call, self.list_key, self.listed(call)), **missing}

    def delete(self, call: Call) -> Answer:
        answer = super().delete(call)
        run.delete_service(call.cloud, call.name)
        trigger = call.name.replace("/functions/", "/triggers/")
        call.cloud.delete(f"eventarc/{trigger}")
        return answer


Functions()
