"""Cloud Storage: buckets, objects with generations, uploads."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import zlib

from cloud_stand_in.cloud import Cloud, now
from cloud_stand_in.errors import ApiError, Json, not_found
from cloud_stand_in.policies import read_policy, write_policy
from cloud_stand_in.resources import merged
from cloud_stand_in.routing import Answer, Call, Raw, Service, page

from .kms import check_key

SERVICE = Service("storage", prefix="(?:resumable/)?(?:upload/)?(?:storage/)?")
AGENT = "gs-project-accounts"


def bucket_key(name: str) -> str:
    return f"{SERVICE.name}/b/{name}"


def object_key(bucket: str, name: str, generation: str) -> str:
    return f"{bucket_key(bucket)}/o/{name}#{generation}"


def bucket_of(call: Call) -> Json:
    return call.cloud.existing(SERVICE.name, f"b/{call.parts['bucket']}")


def conflict(message: str) -> ApiError:
    return ApiError(409, "ALREADY_EXISTS", message, "conflict")


def create_bucket(cloud: Cloud, project: str, name: str, content: Json) -> Json:
    """Create a bucket with what the service adds."""
    key = content.get("encryption", {}).get("defaultKmsKeyName")
    check_key(cloud, key, project, AGENT)
    created = now()
    bucket = {
        "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": created},
        "storageClass": "STANDARD",
        **content,
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "location": content.get("location", "US").upper(),
        "locationType": "region",
        "metageneration": "1",
        "projectNumber": cloud.number(project),
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
        "timeCreated": created,
        "updated": created,
    }
    cloud.resources[bucket_key(name)] = bucket
    return bucket


@SERVICE.route("GET", "projects/{project}/serviceAccount")
def read_agent(call: Call) -> Json:
    """Return the project's service agent, which is created by that.

    https://cloud.google.com/storage/docs/getting-service-agent
    """
    return {
        "kind": "storage#serviceAccount",
        "email_address": call.cloud.create_agent(call.project, AGENT),
    }


@SERVICE.route("POST", "b")
def insert_bucket(call: Call) -> Json:
    """Create a bucket; names are global.

    https://cloud.google.com/storage/docs/buckets#naming
    """
    name = call.body["name"]
    if bucket_key(name) in call.cloud.resources:
        raise conflict("The requested bucket name is not available.")
    return create_bucket(call.cloud, call.query["project"], name, call.body)


@SERVICE.route("GET", "b/{bucket}")
def read_bucket(call: Call) -> Json:
    return bucket_of(call)


@SERVICE.route("PATCH", "b/{bucket}")
def change_bucket(call: Call) -> Json:
    changed = merged(bucket_of(call), call.body, None)
    key = changed.get("encryption", {}).get("defaultKmsKeyName")
    check_key(call.cloud, key, changed["projectNumber"], AGENT)
    call.cloud.resources[bucket_key(call.parts["bucket"])] = changed
    return changed


@SERVICE.route("DELETE", "b/{bucket}")
def delete_bucket(call: Call) -> Answer:
    """Delete a bucket if it is empty.

    https://cloud.google.com/storage/docs/deleting-buckets
    """
    bucket_of(call)
    key = bucket_key(call.parts["bucket"])
    if call.cloud.below(f"{key}/"):
        raise conflict("The bucket you tried to delete is not empty.")
    call.cloud.delete(key)
    return Raw(status=204)


@SERVICE.route("GET", "b/{bucket}/storageLayout")
def read_layout(call: Call) -> Json:
    return {"bucket": call.parts["bucket"], "location": bucket_of(call)["location"]}


@SERVICE.route("GET", "b/{bucket}/anywhereCaches/")
def list_caches(call: Call) -> Json:
    bucket_of(call)
    return {"items": []}


@SERVICE.route("GET", "b/{bucket}/iam")
def read_bucket_policy(call: Call) -> Json:
    bucket_of(call)
    return read_policy(call.cloud, bucket_key(call.parts["bucket"]))


@SERVICE.route("PUT", "b/{bucket}/iam")
def write_bucket_policy(call: Call) -> Json:
    bucket_of(call)
    return write_policy(call.cloud, bucket_key(call.parts["bucket"]), call.body)


# Objects. Each generation is a resource; the live one has no `timeDeleted`.


def generations(cloud: Cloud, bucket: str, name: str = "") -> list[tuple[str, Json]]:
    found = cloud.below(f"{bucket_key(bucket)}/o/").items()
    return [(key, each) for key, each in found if name in {"", each["name"]}]


def live_object(cloud: Cloud, bucket: str, name: str) -> tuple[str, Json]:
    for key, each in generations(cloud, bucket, name):
        if "timeDeleted" not in each:
            return key, each
    raise not_found(f"{bucket}/{name}")


def retire(cloud: Cloud, bucket: str, name: str) -> None:
    """Make the live generation noncurrent, or delete it if the bucket keeps none.

    https://cloud.google.com/storage/docs/object-versioning
    """
    key, old = live_object(cloud, bucket, name)
    if cloud.resources[bucket_key(bucket)].get("versioning", {}).get("enabled"):
        old["timeDeleted"] = now()
    else:
        cloud.delete(key)


@SERVICE.route("POST", "b/{bucket}/o", "storage.objects.create")
def upload(call: Call) -> Answer:
    """Store an object, or begin a resumable upload.

    https://cloud.google.com/storage/docs/uploads-downloads
    """
    bucket = bucket_of(call)
    if call.query.get("uploadType") == "resumable":
        begun = str(call.cloud.next_number())
        call.cloud.blobs[begun] = call.content
        place = f"{call.root}/upload/storage/v1/b/{call.parts['bucket']}/o"
        location = f"{place}?uploadType=resumable&upload_id={begun}"
        return Raw(headers={"location": location})
    metadata, content = parts_of(call)
    return store(call, bucket, metadata, content)


@SERVICE.route("PUT", "b/{bucket}/o")
def finish_upload(call: Call) -> Answer:
    metadata = json.loads(call.cloud.blobs.pop(call.query["upload_id"]) or b"{}")
    return store(call, bucket_of(call), metadata, call.content)


def parts_of(call: Call) -> tuple[Json, bytes]:
    """Return the metadata and content of a multipart upload."""
    kind = call.headers["Content-Type"]
    boundary = re.search(r'boundary="?([^";]+)', kind)
    if not boundary:
        return {"name": call.query["name"], "contentType": kind}, call.content
    _, first, second, _ = call.content.split(f"--{boundary[1]}".encode())
    metadata: Json = json.loads(first.partition(b"\r\n\r\n")[2])
    headers, _, content = second.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-type: *([^\r\n]+)", headers)
    metadata.setdefault("contentType", found[1].decode() if found else "")
    return metadata, content.removesuffix(b"\r\n")


def store(call: Call, bucket: Json, metadata: Json, content: bytes) -> Json:
    cloud, bucket_name = call.cloud, bucket["name"]
    name = metadata.get("name") or call.query["name"]
    if any("timeDeleted" not in each for _, each in generations(cloud, bucket_name, name)):
        retire(cloud, bucket_name, name)
    generation = str(time.time_ns() // 1000)
    link = f"https://www.googleapis.com/storage/v1/b/{bucket_name}/o/{name}"
    stored = {
        "storageClass": bucket["storageClass"],
        **metadata,
        "kind": "storage#object",
        "id": f"{bucket_name}/{name}/{generation}",
        "name": name,
        "bucket": bucket_name,
        "generation": generation,
        "metageneration": "1",
        "size": str(len(content)),
        "md5Hash": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "crc32c": base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode(),
        "selfLink": link,
        "mediaLink": f"{link}?alt=media",
        "timeCreated": now(),
    }
    key = bucket.get("encryption", {}).get("defaultKmsKeyName")
    if key:
        stored["kmsKeyName"] = f"{key}/cryptoKeyVersions/1"
    stored_key = object_key(bucket_name, name, generation)
    cloud.resources[stored_key], cloud.blobs[stored_key] = stored, content
    return stored


@SERVICE.route("GET", "b/{bucket}/o", "storage.objects.list")
def list_objects(call: Call) -> Json:
    bucket_of(call)
    with_old = call.query.get("versions") == "true"
    prefix = call.query.get("prefix", "")
    found = [
        each
        for _, each in generations(call.cloud, call.parts["bucket"])
        if each["name"].startswith(prefix) and (with_old or "timeDeleted" not in each)
    ]
    return {"kind": "storage#objects", **page(call, "items", found)}


def find_object(call: Call) -> tuple[str, Json]:
    """Return the live object, or its generation that the call names, with its key."""
    bucket, name = call.parts["bucket"], call.parts["object"]
    generation = call.query.get("generation")
    if not generation:
        return live_object(call.cloud, bucket, name)
    key = object_key(bucket, name, generation)
    if key not in call.cloud.resources:
        raise not_found(f"{bucket}/{name}#{generation}")
    return key, call.cloud.resources[key]


@SERVICE.route("GET", "b/{bucket}/o/{object**}", "storage.objects.get")
def read_object(call: Call) -> Json:
    return find_object(call)[1]


@SERVICE.route("DELETE", "b/{bucket}/o/{object**}", "storage.objects.delete")
def delete_object(call: Call) -> Answer:
    key, found = find_object(call)
    if "generation" in call.query:
        call.cloud.delete(key)
    else:
        retire(call.cloud, call.parts["bucket"], found["name"])
    return Raw(status=204)


@SERVICE.route("GET", "{bucket}/{object**}", "storage.objects.get")
def read_content(call: Call) -> Raw:
    """Return an object's content, which clients read through the XML API.

    https://cloud.google.com/storage/docs/xml-api/get-object-download
    """
    # https://cloud.google.com/storage/docs/buckets#naming: no bucket's name is as short as the
    # JSON API's parts.
    if len(call.parts["bucket"]) < 3:
        raise ApiError(501, "UNIMPLEMENTED", f"no route for GET {call.name}")
    key, found = find_object(call)
    return Raw(call.cloud.blobs[key], headers={"x-goog-generation": found["generation"]})
