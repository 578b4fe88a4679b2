"""The stand-in refuses what the services refuse, and answers what they answer.

The providers are not needed here. Each refusal has its opposite beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cloud_stand_in.cloud import Cloud, Delays
from cloud_stand_in.server import TOKEN, StandIn, serve
from cloud_stand_in.services.secret_manager import add_secret
from cloud_stand_in.services.service_networking import add_network
from tests.support.applies import (
    KEY,
    NUMBERS,
    POLICY,
    PROJECT,
    REGION,
    new_cloud,
)

SIGNED_IN = {"authorization": f"Bearer {TOKEN}"}
HERE = f"projects/{PROJECT}/locations/{REGION}"
MEMBER = f"projects/{NUMBERS[PROJECT]}"
PERIMETER = f"{POLICY}/servicePerimeters/closed"
READER = "roles/artifactregistry.reader"


@pytest.fixture
def cloud() -> Cloud:
    made = new_cloud()
    made.delays = Delays()
    made.apis[PROJECT] += [
        "accesscontextmanager",
        "artifactregistry",
        "cloudbuild",
        "compute",
        "iam",
        "pubsub",
    ]
    return made


@pytest.fixture
def stand_in(cloud: Cloud) -> Iterator[StandIn]:
    with serve(cloud) as running:
        yield running


def ask(stand_in: StandIn, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Return the status and content of an answer; `path` is SERVICE/PATH."""
    service, _, rest = path.partition("/")
    url = f"{stand_in.url}/{service}.googleapis.com/{rest}"
    answer = requests.request(method, url, json=body, headers=SIGNED_IN, timeout=10)
    return answer.status_code, answer.json() if answer.content else {}


def message(answer: tuple[int, Any]) -> str:
    status, content = answer
    assert status == content["error"]["code"]
    text: str = content["error"]["message"]
    return text


def create_repository(stand_in: StandIn, id_: str = "r", **content: object) -> tuple[int, Any]:
    path = f"artifactregistry/v1/{HERE}/repositories?repositoryId={id_}"
    return ask(stand_in, "POST", path, {"format": "PYTHON", **content})


def grant(stand_in: StandIn, member: str, **policy: object) -> tuple[int, Any]:
    bindings = [{"role": READER, "members": [member]}]
    path = f"artifactregistry/v1/{HERE}/repositories/r:setIamPolicy"
    return ask(stand_in, "POST", path, {"policy": {"bindings": bindings, **policy}})


def test_an_api_that_is_off_refuses_with_the_documented_details(
    cloud: Cloud, stand_in: StandIn
) -> None:
    assert create_repository(stand_in)[0] == 200
    cloud.apis[PROJECT].remove("artifactregistry")
    status, content = create_repository(stand_in, "other")
    assert status == 403
    (details,) = content["error"]["details"]
    assert details["reason"] == "SERVICE_DISABLED"
    assert details["metadata"]["service"] == "artifactregistry.googleapis.com"


def test_a_resource_exists_once_and_is_gone_with_its_grants(stand_in: StandIn) -> None:
    name = f"artifactregistry/v1/{HERE}/repositories/r"
    assert ask(stand_in, "GET", name)[0] == 404
    assert create_repository(stand_in)[0] == 200
    assert create_repository(stand_in)[0] == 409
    assert grant(stand_in, "user:taro@example.com")[0] == 200
    assert ask(stand_in, "GET", name)[1]["format"] == "PYTHON"
    assert ask(stand_in, "DELETE", name)[0] == 200
    assert create_repository(stand_in)[0] == 200
    assert ask(stand_in, "GET", f"{name}:getIamPolicy")[1]["bindings"] == []


def test_a_policy_takes_existing_members_and_its_own_etag_only(stand_in: StandIn) -> None:
    create_repository(stand_in)
    nobody = f"serviceAccount:nobody@{PROJECT}.iam.gserviceaccount.com"
    assert message(grant(stand_in, nobody)).endswith("does not exist.")
    body = {"accountId": "nobody"}
    assert ask(stand_in, "POST", f"iam/v1/projects/{PROJECT}/serviceAccounts", body)[0] == 200
    status, policy = grant(stand_in, nobody)
    assert status == 200
    assert grant(stand_in, nobody, etag="old")[0] == 409
    assert grant(stand_in, nobody, etag=policy["etag"])[0] == 200


def test_a_service_agent_exists_once_it_was_requested(stand_in: StandIn) -> None:
    create_repository(stand_in)
    agent = f"serviceAccount:service-{NUMBERS[PROJECT]}@gcp-sa-pubsub.iam.gserviceaccount.com"
    assert message(grant(stand_in, agent)).endswith("does not exist.")
    path = f"serviceusage/v1beta1/{MEMBER}/services/pubsub.googleapis.com:generateServiceIdentity"
    assert ask(stand_in, "POST", path)[0] == 200
    assert grant(stand_in, agent)[0] == 200


def test_a_change_takes_effect_after_its_delay(cloud: Cloud, stand_in: StandIn) -> None:
    create_repository(stand_in)
    cloud.delays = Delays(identities=60)
    path = f"iam/v1/projects/{PROJECT}/serviceAccounts"
    ask(stand_in, "POST", path, {"accountId": "young"})
    young = f"young@{PROJECT}.iam.gserviceaccount.com"
    assert message(grant(stand_in, f"serviceAccount:{young}")).endswith("does not exist.")
    cloud.spread(young, -1)
    assert grant(stand_in, f"serviceAccount:{young}")[0] == 200


def change_perimeter(stand_in: StandIn, mask: str, **status: object) -> tuple[int, Any]:
    path = f"accesscontextmanager/v1/{PERIMETER}?updateMask={mask}"
    return ask(stand_in, "PATCH", path, {"status": status})


def rule(identity: str, service: str = "*") -> dict[str, object]:
    methods = [] if service == "*" else [{"method": "*"}]
    return {
        "ingressFrom": {"identities": [identity], "sources": [{"accessLevel": "*"}]},
        "ingressTo": {
            "resources": [MEMBER],
            "operations": [{"serviceName": service, "methodSelectors": methods}],
        },
    }


def create_perimeter(stand_in: StandIn) -> None:
    path = f"accesscontextmanager/v1/{POLICY}/servicePerimeters"
    restricted = ["artifactregistry.googleapis.com"]
    body = {"name": PERIMETER, "title": "closed", "status": {"restrictedServices": restricted}}
    assert ask(stand_in, "POST", path, body)[0] == 200


def test_a_perimeter_refuses_callers_from_outside_unless_a_rule_lets_them_in(
    cloud: Cloud, stand_in: StandIn
) -> None:
    create_perimeter(stand_in)
    assert create_repository(stand_in, "before")[0] == 200
    rules = [rule(cloud.caller)]
    refused = change_perimeter(stand_in, "status.ingressPolicies", ingressPolicies=rules)
    assert "is not present in ServicePerimeterConfig.resources" in message(refused)
    assert change_perimeter(stand_in, "status.resources", resources=[MEMBER])[0] == 200
    assert "prohibited by organization's policy" in message(create_repository(stand_in))
    again = change_perimeter(stand_in, "status.ingressPolicies", ingressPolicies=rules)
    assert again[0] == 200
    assert create_repository(stand_in)[0] == 200
    # A member that rules name cannot leave.
    assert change_perimeter(stand_in, "status.resources", resources=[])[0] == 400


def test_a_rule_of_one_service_lets_no_other_in(cloud: Cloud, stand_in: StandIn) -> None:
    create_perimeter(stand_in)
    change_perimeter(stand_in, "status.resources", resources=[MEMBER])
    for service, status in (
        ("storage.googleapis.com", 403),
        ("artifactregistry.googleapis.com", 200),
    ):
        rules = [rule(cloud.caller, service)]
        change_perimeter(stand_in, "status.ingressPolicies", ingressPolicies=rules)
        assert create_repository(stand_in)[0] == status


def test_the_switch_is_set_inside_an_enforced_perimeter_only(
    cloud: Cloud, stand_in: StandIn
) -> None:
    switch = f"artifactregistry/v1/{HERE}/vpcscConfig"
    allow = {"vpcscPolicy": "ALLOW"}
    assert ask(stand_in, "PATCH", switch, allow)[0] == 400
    create_perimeter(stand_in)
    change_perimeter(stand_in, "status.resources", resources=[MEMBER])
    rules = [rule(cloud.caller)]
    change_perimeter(stand_in, "status.ingressPolicies", ingressPolicies=rules)
    assert ask(stand_in, "PATCH", switch, allow) == (
        200,
        {"name": f"{HERE}/vpcscConfig", "vpcscPolicy": "ALLOW"},
    )


def test_a_pool_needs_a_peered_network_and_keeps_its_connection(
    cloud: Cloud, stand_in: StandIn
) -> None:
    path = f"cloudbuild/v1/{HERE}/workerPools?workerPoolId=pool"

    def body(network: str) -> object:
        return {"privatePoolV1Config": {"networkConfig": {"peeredNetwork": network}}}

    bare = f"projects/{PROJECT}/global/networks/bare"
    cloud.resources[f"compute/{bare}"] = {"name": "bare"}
    assert "is not peered" in message(ask(stand_in, "POST", path, body(bare)))
    peered = add_network(cloud, PROJECT, "peered", "range")
    assert ask(stand_in, "POST", path, body(peered))[0] == 200
    connection = "servicenetworking/v1/services/servicenetworking.googleapis.com/connections/c"
    wanted = {"consumerNetwork": peered}
    assert "still using" in message(ask(stand_in, "POST", connection, wanted))
    assert ask(stand_in, "DELETE", f"cloudbuild/v1/{HERE}/workerPools/pool")[0] == 200
    assert ask(stand_in, "POST", connection, wanted)[0] == 200


def test_a_key_is_used_by_agents_that_may(cloud: Cloud, stand_in: StandIn) -> None:
    assert "Permission denied on Cloud KMS key" in message(
        create_repository(stand_in, kmsKeyName=KEY)
    )
    agent = cloud.create_agent(PROJECT, "gcp-sa-artifactregistry")
    members = [f"serviceAccount:{agent}"]
    bindings = [{"role": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "members": members}]
    path = f"cloudkms/v1/{KEY}:setIamPolicy"
    assert ask(stand_in, "POST", path, {"policy": {"bindings": bindings}})[0] == 200
    assert create_repository(stand_in, kmsKeyName=KEY)[0] == 200


def test_a_bucket_with_old_versions_is_not_deleted(stand_in: StandIn) -> None:
    body = {"name": "b", "versioning": {"enabled": True}}
    assert ask(stand_in, "POST", f"storage/storage/v1/b?project={PROJECT}", body)[0] == 200
    upload = f"{stand_in.url}/upload/storage/v1/b/b/o?uploadType=media&name=o"
    headers = {**SIGNED_IN, "content-type": "text/plain"}
    first, second = (
        requests.post(upload, data=data, headers=headers, timeout=10).json()
        for data in (b"one", b"two")
    )
    assert first["generation"] != second["generation"]
    assert ask(stand_in, "DELETE", "storage/storage/v1/b/b")[0] == 409
    for each in (first, second):
        path = f"storage/storage/v1/b/b/o/o?generation={each['generation']}"
        assert ask(stand_in, "DELETE", path)[0] == 204
    assert ask(stand_in, "DELETE", "storage/storage/v1/b/b")[0] == 204


def test_a_generation_is_read_until_it_is_deleted(stand_in: StandIn) -> None:
    ask(stand_in, "POST", f"storage/storage/v1/b?project={PROJECT}", {"name": "bucket"})
    upload = f"{stand_in.url}/upload/storage/v1/b/bucket/o?uploadType=media&name=a/b"
    headers = {**SIGNED_IN, "content-type": "text/plain"}
    stored = requests.post(upload, data=b"one", headers=headers, timeout=10).json()
    path = "storage/storage/v1/b/bucket/o/a%2Fb"
    of_generation = f"{path}?generation={stored['generation']}"
    for each in (path, of_generation):
        assert ask(stand_in, "GET", each)[1]["md5Hash"] == stored["md5Hash"]
    content = f"{stand_in.url}/storage.googleapis.com/bucket/a/b"
    assert requests.get(content, headers=SIGNED_IN, timeout=10).content == b"one"
    requests.post(upload, data=b"two", headers=headers, timeout=10)
    assert ask(stand_in, "GET", of_generation)[0] == 404
    assert requests.get(content, headers=SIGNED_IN, timeout=10).content == b"two"


def test_only_its_own_token_and_a_known_quota_project_are_accepted(stand_in: StandIn) -> None:
    url = f"{stand_in.url}/cloudresourcemanager.googleapis.com/v1/projects/{PROJECT}"
    for headers, status in (
        (SIGNED_IN, 200),
        ({"authorization": "Bearer old"}, 401),
        ({}, 401),
        ({**SIGNED_IN, "x-goog-user-project": PROJECT}, 200),
        ({**SIGNED_IN, "x-goog-user-project": "unknown"}, 403),
    ):
        assert requests.get(url, headers=headers, timeout=10).status_code == status


def test_a_permission_that_is_denied_is_named_and_no_other_is(stand_in: StandIn) -> None:
    name = f"artifactregistry/v1/{HERE}/repositories/r"
    stand_in.faults.denied.add("artifactregistry.repositories.get")
    assert create_repository(stand_in)[0] == 200
    status, content = ask(stand_in, "GET", name)
    assert status == 403
    (details,) = content["error"]["details"]
    assert details["metadata"] == {"permission": "artifactregistry.repositories.get"}
    assert ask(stand_in, "GET", f"{name}:getIamPolicy")[0] == 200


def test_a_list_has_pages_and_an_empty_one_has_no_field(cloud: Cloud, stand_in: StandIn) -> None:
    path = f"artifactregistry/v1/{HERE}/repositories"
    assert ask(stand_in, "GET", path) == (200, {})
    for id_ in "abc":
        create_repository(stand_in, id_)
    _, first = ask(stand_in, "GET", f"{path}?pageSize=2")
    _, second = ask(stand_in, "GET", f"{path}?pageSize=2&pageToken={first['nextPageToken']}")
    names = [each["name"][-1] for page in (first, second) for each in page["repositories"]]
    assert (names, "nextPageToken" in second) == (["a", "b", "c"], False)
    cloud.page_size = 1
    assert len(ask(stand_in, "GET", path)[1]["repositories"]) == 1


def test_the_latest_version_of_a_secret_is_the_one_created_last(
    cloud: Cloud, stand_in: StandIn
) -> None:
    secret = f"projects/{PROJECT}/secrets/new"
    assert ask(stand_in, "GET", f"secretmanager/v1/{secret}/versions/latest")[0] == 404
    add_secret(cloud, secret)
    cloud.add("secretmanager", f"{secret}/versions/10", state="DISABLED")
    _, latest = ask(stand_in, "GET", f"secretmanager/v1/{secret}/versions/latest")
    assert latest == {"name": f"{secret}/versions/10", "state": "DISABLED"}


def test_googles_own_host_names_are_served_behind_the_proxy(cloud: Cloud, tmp_path: Path) -> None:
    url = f"https://cloudresourcemanager.googleapis.com/v1/projects/{PROJECT}"

    def behind(proxy: StandIn, authority: Path | None) -> requests.Response:
        return requests.get(
            url,
            proxies={"https": proxy.url},
            headers=SIGNED_IN,
            verify=str(authority) if authority else True,
            timeout=10,
        )

    with serve(cloud, tmp_path) as stand_in:
        answer = behind(stand_in, stand_in.authority)
        assert answer.json()["projectNumber"] == NUMBERS[PROJECT]
        with pytest.raises(requests.exceptions.SSLError):
            behind(stand_in, None)
    with serve(cloud) as stand_in, pytest.raises(requests.exceptions.ProxyError):
        behind(stand_in, None)
    assert stand_in.outside() == ["cloudresourcemanager.googleapis.com:443"]


def test_what_the_stand_in_does_not_know_is_an_error_and_noted(stand_in: StandIn) -> None:
    assert ask(stand_in, "GET", "sqladmin/v1/projects/p/instances")[0] == 501
    assert ask(stand_in, "GET", f"pubsub/v1/projects/{PROJECT}/topics")[0] == 200
    assert len(stand_in.refused()) == 1
