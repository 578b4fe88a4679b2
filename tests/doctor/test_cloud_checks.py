"""`make doctor` against a stand-in of Google Cloud's APIs, with a token that gcloud gives.

What the stand-in answers follows the documentation of the APIs and public reports; no test here
saw the services themselves.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud_stand_in.errors import Json, denied
from cloud_stand_in.routing import Raw
from cloud_stand_in.server import TOKEN, StandIn
from cloud_stand_in.services.secret_manager import add_secret
from tests.support.baking import Baked, bake
from tests.support.gcloud import write_gcloud
from tests.support.healthy_cloud import (
    ACCESS_POLICY,
    APIS,
    ORGANIZATION,
    HealthyCloud,
    condition,
    grant,
)
from tests.support.machine import PYTHONS
from tests.support.stacks import reach_receivers

pytestmark = pytest.mark.usefixtures("stand_in")
HEALTHY, FOUND, COULD_NOT_LOOK = 0, 1, 3


@dataclass
class Checked:
    """What a run of the doctor's check said of the cloud."""

    status: int
    results: list[Json]
    output: str
    seconds: float

    def seen(self, verdict: str) -> dict[str, str]:
        """What was seen, by claim, of the results with that verdict."""
        return {each["check"]: each["seen"] for each in self.results if each["verdict"] == verdict}

    def symptoms(self) -> list[str]:
        return [each["symptom"] for each in self.results if each["verdict"] == "problem"]


Check = Callable[..., Checked]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    made = bake(tmp_path_factory.mktemp("product"), gcp_project_id="a-project", platform="join")
    reach_receivers(made)
    return made


def run_check(
    product: Baked, environment: Mapping[str, str], python: str = sys.executable
) -> Checked:
    start = time.monotonic()
    done = subprocess.run(
        [python, "-m", "closed_function", "doctor", "--json"],
        cwd=product.path,
        env=dict(environment),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    seconds = time.monotonic() - start
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    return Checked(done.returncode, json.loads(done.stdout)["results"], output, seconds)


@pytest.fixture
def check(product: Baked, signed_in: dict[str, str], recorded: str) -> Check:
    """Run the check of `product` with gcloud's recorded answer, or other things where given."""

    def run(
        product: Baked = product, python: str = sys.executable, without: str = "", **more: str
    ) -> Checked:
        environment = {**signed_in, "PATH": f"{recorded}:{signed_in['PATH']}", **more}
        environment.pop(without, None)
        return run_check(product, environment, python)

    return run


def each_case(cases: Mapping[str, object], *fast: str) -> pytest.MarkDecorator:
    """Run a test for each of `cases`, only those named `fast` in the fast tier."""
    assert set(fast) <= set(cases)
    return pytest.mark.parametrize(
        "case",
        [each if each in fast else pytest.param(each, marks=pytest.mark.slow) for each in cases],
    )


# Nothing is wrong.


def test_a_healthy_project_has_no_problem_and_nothing_is_left_open(
    gcloud: str, stand_in: StandIn, product: Baked, signed_in: dict[str, str]
) -> None:
    with_gcloud = {**signed_in, "PATH": f"{Path(gcloud).parent}:{signed_in['PATH']}"}
    checked = run_check(product, with_gcloud)
    assert checked.symptoms() == [], checked.seen("problem")
    assert checked.seen("could not tell") == {}
    assert checked.status == HEALTHY
    assert any("PYPI" in seen for seen in checked.seen("ok").values())
    assert {asked.headers["authorization"] for asked in stand_in.asked} == {f"Bearer {TOKEN}"}


def test_each_thing_is_read_once_and_nothing_is_written(check: Check, stand_in: StandIn) -> None:
    assert check().status == HEALTHY
    paths = [(asked.host, asked.path) for asked in stand_in.asked]
    assert len(paths) == len(set(paths)) >= 10
    posted = {asked.path.partition(":")[2] for asked in stand_in.asked if asked.method != "GET"}
    assert posted == {"getIamPolicy", "getAncestry"}


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_a_networks_authority_is_trusted_on_each_python(version: str, check: Check) -> None:
    # The stand-in's lacks key identifiers, which Python 3.13 by itself asks for.
    assert check(python=PYTHONS[version]).status == HEALTHY


@pytest.mark.slow
def test_every_result_names_a_command_that_the_real_gcloud_takes(
    gcloud: str, check: Check, cloud: HealthyCloud, signed_in: dict[str, str]
) -> None:
    results = check().results
    cloud.resources[cloud.own].pop("parent")
    results += check().results
    commands = {each["command"] for each in results if each["command"].startswith("gcloud ")}
    assert len(commands) >= 11
    for command in sorted(commands):
        done = subprocess.run(
            [gcloud, *shlex.split(command)[1:]],
            env=signed_in,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout.strip()


def shared(stand_in: StandIn) -> HealthyCloud:
    """Let the platform be in a project of its own."""
    cloud = HealthyCloud(project="the-platform", function_project="a-function")
    stand_in.reset(cloud)
    return cloud


@pytest.fixture(scope="module")
def second_project(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """A repository whose platform is in another project."""
    made = bake(
        tmp_path_factory.mktemp("second"),
        gcp_project_id="a-function",
        platform_project_id="the-platform",
        platform="reuse",
    )
    reach_receivers(made)
    return made


@pytest.mark.slow
def test_a_platform_in_another_project_is_healthy_too(
    check: Check, stand_in: StandIn, second_project: Baked
) -> None:
    shared(stand_in)
    checked = check(product=second_project)
    assert checked.symptoms() == [], checked.seen("problem")
    assert checked.status == HEALTHY
    claims = " ".join(checked.seen("ok"))
    assert "the-platform" in claims
    assert "a-function" in claims


@pytest.mark.slow
def test_a_known_access_policy_is_not_searched_for(
    check: Check, cloud: HealthyCloud, stand_in: StandIn, tmp_path: Path
) -> None:
    answers = {"gcp_project_id": "a-project", "platform": "join", "access_policy_id": "900"}
    known = bake(tmp_path, **answers)
    reach_receivers(known)
    checked = check(product=known)
    assert "a-project is in an enforced perimeter" in checked.seen("ok")
    assert not [asked for asked in stand_in.asked if "Ancestry" in asked.path]

    cloud.delete(ACCESS_POLICY)
    checked = check(product=known)
    assert "accessPolicies/900 does not exist" in str(checked.seen("could not tell"))
    assert checked.status == HEALTHY


# What the function needs besides its build.


NAMED = "projects/a-project/secrets/snmp-community"
RUNTIME = "alert-to-snmp-runtime@a-project.iam.gserviceaccount.com"
FUNCTION = "projects/a-project/locations/asia-northeast1/functions/alert-to-snmp"
SECRET_KEY = f"secretmanager/{NAMED}"
CHANNEL = "projects/a-project/notificationChannels/7"


def use_secret(product: Baked, version: object) -> None:
    """Let the function read this version of its secret."""
    file = product.path / "terraform/function/settings.auto.tfvars.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    used = {"secret": "snmp-community", "version": version}
    settings["function"]["secret_environment"] = {"SNMP_COMMUNITY": used}
    file.write_text(json.dumps(settings), encoding="utf-8")


@pytest.fixture
def with_secret(tmp_path: Path) -> Baked:
    made = bake(tmp_path, gcp_project_id="a-project", platform="join")
    reach_receivers(made)
    use_secret(made, "2")
    return made


@pytest.mark.parametrize(("version", "said"), [(3, "3"), (3.0, "3"), (None, "latest")])
def test_a_secrets_version_may_be_a_number_as_terraform_takes_it(
    version: object, said: str, check: Check, cloud: HealthyCloud, with_secret: Baked
) -> None:
    use_secret(with_secret, version)
    cloud.put(f"{SECRET_KEY}/versions/3", state="ENABLED")
    checked = check(product=with_secret)
    assert f"the secret snmp-community has version {said}" in checked.seen("ok")
    assert checked.status == HEALTHY


def test_a_secret_must_have_its_version_before_a_deployment(
    check: Check, cloud: HealthyCloud, stand_in: StandIn, with_secret: Baked
) -> None:
    claim = "the secret snmp-community has version 2"
    add_secret(cloud, NAMED)
    checked = check(product=with_secret)
    assert checked.symptoms() == ["secret-missing"]
    assert checked.seen("problem")[claim].endswith("does not exist.")
    second = cloud.put(f"{SECRET_KEY}/versions/2", state="DISABLED")
    assert "is DISABLED" in check(product=with_secret).seen("problem")[claim]
    second["state"] = "ENABLED"
    checked = check(product=with_secret)
    assert checked.status == HEALTHY
    assert "`make deploy` grants it" in checked.seen("ok").values()
    stand_in.faults.denied.add("secretmanager.versions.get")
    checked = check(product=with_secret)
    assert checked.status == COULD_NOT_LOOK
    assert "secretmanager.versions.get" in checked.seen("could not tell")[claim]


def test_a_deployed_function_must_have_access_to_its_secrets(
    check: Check, cloud: HealthyCloud, with_secret: Baked
) -> None:
    deploy_with_secret(cloud)
    checked = check(product=with_secret)
    assert checked.symptoms() == ["secret-access-denied"]
    assert RUNTIME in str(checked.seen("problem"))
    accessor = grant("secretmanager.secretAccessor", f"serviceAccount:{RUNTIME}")
    for owner in (SECRET_KEY, cloud.own):
        before = cloud.bindings(owner)
        cloud.bind(owner, *before, accessor)
        assert check(product=with_secret).status == HEALTHY
        cloud.bind(owner, *before)


def test_access_to_a_secret_that_is_not_certain_is_not_decided(
    check: Check, cloud: HealthyCloud, stand_in: StandIn, with_secret: Baked
) -> None:
    deploy_with_secret(cloud)
    claim = "the function may read the secret snmp-community"
    role, member = "secretmanager.secretAccessor", f"serviceAccount:{RUNTIME}"

    cloud.bind(SECRET_KEY, grant(role, member, condition("until June", "false")))
    checked = check(product=with_secret)
    assert checked.symptoms() == []
    assert "under the condition 'until June'" in checked.seen("could not tell")[claim]
    (asked,) = {asked.path for asked in stand_in.asked if "snmp-community:getIam" in asked.path}
    assert asked.endswith("?options.requestedPolicyVersion=3")

    # The project's policy may have what the secret's has not.
    cloud.bind(SECRET_KEY)
    stand_in.faults.denied.add("resourcemanager.projects.getIamPolicy")
    checked = check(product=with_secret)
    assert checked.symptoms() == []
    needed = "resourcemanager.projects.getIamPolicy"
    assert needed in checked.seen("could not tell")[claim]

    cloud.bind(SECRET_KEY, grant(role, member))
    assert claim in check(product=with_secret).seen("ok")


FUNCTION_TOPIC = "projects/a-project/topics/alert-to-snmp"


def add_channel(cloud: HealthyCloud, name: str, topic: str) -> Json:
    return cloud.add("monitoring", name, type="pubsub", labels={"topic": topic})


def add_alert_policy(cloud: HealthyCloud, *channels: str) -> Json:
    name = "projects/a-project/alertPolicies/8"
    return cloud.add("monitoring", name, displayName="CPU", notificationChannels=list(channels))


def deploy_with_secret(cloud: HealthyCloud) -> None:
    """Let the function be there, and what it needs but the access to its secret."""
    add_secret(cloud, NAMED)
    cloud.put(f"{SECRET_KEY}/versions/2", state="ENABLED")
    cloud.add("cloudfunctions", FUNCTION, state="ACTIVE")
    add_channel(cloud, CHANNEL, FUNCTION_TOPIC)
    add_alert_policy(cloud, CHANNEL)


def test_a_channel_that_no_alert_policy_uses_is_a_problem(
    check: Check, cloud: HealthyCloud, stand_in: StandIn
) -> None:
    cloud.add("cloudfunctions", FUNCTION, state="ACTIVE")
    assert check().symptoms() == ["channel-unused"]
    add_channel(cloud, f"{CHANNEL}1", "projects/a-project/topics/another")
    policy = add_alert_policy(cloud, f"{CHANNEL}1", CHANNEL)
    assert check().symptoms() == ["channel-unused"]
    own = add_channel(cloud, CHANNEL, FUNCTION_TOPIC)
    cloud.page_size = 1
    checked = check()
    assert checked.status == HEALTHY
    assert checked.seen("ok")["an alert policy uses the notification channel"] == "CPU"
    for resource, said in (
        (policy, f"No enabled alert policy of a-project uses {CHANNEL}."),
        (own, f"{CHANNEL} is disabled."),
    ):
        resource["enabled"] = False
        assert said in check().seen("problem").values()
        resource["enabled"] = True
        assert check().status == HEALTHY
    policy["notificationChannels"] = []
    assert check().symptoms() == ["channel-unused"]
    stand_in.faults.denied.add("monitoring.alertPolicies.list")
    assert check().status == COULD_NOT_LOOK


Change = Callable[[HealthyCloud], Any]
MEMBER = "serviceAccount:cb-builder@a-project.iam.gserviceaccount.com"
CUSTOM = "projects/a-project/roles/builder"
CUSTOM_PERMISSIONS = [
    "artifactregistry.repositories.downloadArtifacts",
    "artifactregistry.repositories.uploadArtifacts",
]


def add_repository(cloud: HealthyCloud, name: str, mode: str, place: str = "") -> str:
    """Add a Python repository; return its full name."""
    full = f"{place or cloud.place}/repositories/{name}"
    remote = {"pythonRepository": {"publicRepository": "PYPI"}}
    config = {"remoteRepositoryConfig": remote} if mode == "REMOTE_REPOSITORY" else {}
    cloud.add("artifactregistry", full, format="PYTHON", mode=mode, **config)
    return full


def virtual(*modes: str, place: str = "") -> Change:
    """Make the repository virtual, with one of each of these modes behind it."""

    def change(cloud: HealthyCloud) -> None:
        behind = [
            add_repository(cloud, mode.lower().replace("_", "-"), mode, place) for mode in modes
        ]
        policies = [{"id": each[-9:], "repository": each, "priority": 10} for each in behind]
        config = {"upstreamPolicies": policies}
        cloud.put(
            cloud.python,
            format="PYTHON",
            mode="VIRTUAL_REPOSITORY",
            virtualRepositoryConfig=config,
        )

    return change


def all_of(*changes: Change) -> Change:
    def change(cloud: HealthyCloud) -> None:
        for each in changes:
            each(cloud)

    return change


def give(member: str, role: str, *repositories: str, limit: Json | None = None) -> Change:
    """Make `role`, given to `member`, the only grant on these repositories."""

    def change(cloud: HealthyCloud) -> None:
        for each in repositories:
            cloud.bind(getattr(cloud, each), grant(role, member, limit))

    return change


def define(role: str, *permissions: str) -> Change:
    return lambda cloud: cloud.add("iam", role, includedPermissions=list(permissions))


def regrant(cloud: HealthyCloud, role: str, member: str = MEMBER) -> None:
    """Take every grant of the build account away and give it `role` on the project."""
    for owner in (cloud.python, cloud.docker):
        cloud.bind(owner)
    cloud.bind(cloud.own, grant(role, member))


def several_perimeters(cloud: HealthyCloud) -> None:
    """The project's perimeter is on the last of many pages, of the second access policy."""
    second = {"parent": ORGANIZATION, "scopes": ["folders/5"]}
    cloud.add("accesscontextmanager", "accessPolicies/901", **second)
    for number in range(7):
        cloud.add_perimeter(f"p{number}", f"projects/{number}", policy="901")
    members = cloud.resources.pop(cloud.closed)["status"]["resources"]
    cloud.add_perimeter("closed", *members, policy="901")
    cloud.page_size = 1


STILL_HEALTHY: dict[str, Change] = {
    "the roles are the project's": lambda cloud: regrant(cloud, "cloudbuild.builds.builder"),
    "the role is owner": lambda cloud: regrant(cloud, "owner"),
    "everybody may read": give("allUsers", "artifactregistry.reader", "python"),
    "every account may read": give("allAuthenticatedUsers", "artifactregistry.reader", "python"),
    "the member is in capitals": give(
        MEMBER.replace("cb-builder", "CB-Builder"), "artifactregistry.reader", "python"
    ),
    "a custom role suffices": all_of(
        define(CUSTOM, *CUSTOM_PERMISSIONS), give(MEMBER, CUSTOM, "python", "docker")
    ),
    "a role that nobody thought of suffices": all_of(
        define("roles/new", *CUSTOM_PERMISSIONS), give(MEMBER, "new", "python")
    ),
    "the sources' role has no condition": lambda cloud: cloud.bind_more(
        cloud.own, grant("storage.objectViewer", MEMBER)
    ),
    "the repository is virtual": virtual("STANDARD_REPOSITORY", "REMOTE_REPOSITORY"),
    "the upstream is the organisation's": lambda cloud: cloud.resources[cloud.python].update(
        remoteRepositoryConfig={"commonRepository": {"uri": "https://index.example/simple"}}
    ),
    "there are many perimeters": several_perimeters,
    "the pool has a private connection": lambda cloud: cloud.resources[cloud.pool].update(
        privatePoolV1Config={"privateServiceConnect": {"publicIpAddressDisabled": True}}
    ),
}


@each_case(STILL_HEALTHY, "a custom role suffices", "there are many perimeters")
def test_nothing_is_wrong_when(case: str, check: Check, cloud: HealthyCloud) -> None:
    STILL_HEALTHY[case](cloud)
    checked = check()
    assert checked.seen("problem") == {}
    assert checked.seen("could not tell") == {}
    assert checked.status == HEALTHY


@pytest.mark.slow
def test_another_upstream_is_named(check: Check, cloud: HealthyCloud) -> None:
    STILL_HEALTHY["the upstream is the organisation's"](cloud)
    assert "https://index.example/simple" in " ".join(check().seen("ok").values())


# One thing is broken.


def remove(what: str) -> Change:
    return lambda cloud: cloud.resources.pop(getattr(cloud, what))


def remove_grants(*owners: str) -> Change:
    return all_of(*(lambda cloud, o=o: cloud.policies.pop(getattr(cloud, o)) for o in owners))


def keep_of_project(*roles: str) -> Change:
    def change(cloud: HealthyCloud) -> None:
        bindings = cloud.bindings(cloud.own)
        bindings[:] = [each for each in bindings if each["role"].removeprefix("roles/") in roles]

    return change


def turn_off(api: str) -> Change:
    return lambda cloud: cloud.apis["a-project"].remove(api)


def pool(**changes: object) -> Change:
    return lambda cloud: cloud.resources[cloud.pool].update(changes)


def repository(which: str, **changes: object) -> Change:
    return lambda cloud: cloud.resources[getattr(cloud, which)].update(changes)


def only_in(configuration: str, **more: object) -> Change:
    """The project is in the perimeter's `configuration` alone."""

    def change(cloud: HealthyCloud) -> None:
        found = cloud.resources[cloud.closed]
        resources = found.pop("status")
        found.update({configuration: resources, **more})

    return change


BROKEN: dict[str, tuple[Change, str]] = {
    "the project is deleted": (
        lambda cloud: cloud.resources[cloud.own].update(lifecycleState="DELETE_REQUESTED"),
        "project-unreadable",
    ),
    **{f"the API {api} is off": (turn_off(api), "api-off") for api in APIS},
    "two APIs are off": (
        all_of(turn_off("iam"), turn_off("run")),
        "api-off",
    ),
    "the switch says DENY": (
        lambda cloud: cloud.resources[cloud.switch].update(vpcscPolicy="DENY"),
        "upstream-denied",
    ),
    "the switch was never set": (remove("switch"), "upstream-denied"),
    "the Python repository is missing": (
        remove("python"),
        "not-in-index",
    ),
    "the Python repository is a standard one": (
        repository("python", mode="STANDARD_REPOSITORY"),
        "repository-kind",
    ),
    "the Python repository is for npm": (repository("python", format="NPM"), "repository-kind"),
    "no upstream of the virtual repository is remote": (
        virtual("STANDARD_REPOSITORY"),
        "repository-kind",
    ),
    "the virtual repository has no upstream": (virtual(), "repository-kind"),
    "the switch of a remote upstream elsewhere says nothing": (
        virtual("REMOTE_REPOSITORY", place="projects/a-project/locations/europe-west1"),
        "upstream-denied",
    ),
    "the Docker repository is missing": (
        remove("docker"),
        "docker-repository-missing",
    ),
    "the Docker repository is for Maven": (
        repository("docker", format="MAVEN"),
        "docker-repository-missing",
    ),
    "the Docker repository is remote": (
        repository("docker", mode="REMOTE_REPOSITORY"),
        "docker-repository-missing",
    ),
    "the build account is missing": (remove("account"), "build-account-missing"),
    "the build account is disabled": (
        lambda cloud: cloud.resources[cloud.account].update(disabled=True),
        "build-account-missing",
    ),
    "the reader is missing": (remove_grants("python"), "reader-missing"),
    "the reader is another account": (
        give(
            "serviceAccount:other@a-project.iam.gserviceaccount.com",
            "artifactregistry.reader",
            "python",
        ),
        "reader-missing",
    ),
    "the reader was an account of this name that is deleted": (
        give(f"deleted:{MEMBER}?uid=123", "artifactregistry.reader", "python"),
        "reader-missing",
    ),
    "the reader is the organisation's domain": (
        give("domain:example.com", "artifactregistry.reader", "python"),
        "reader-missing",
    ),
    "the reader has a custom role that does not suffice": (
        all_of(define(CUSTOM, "artifactregistry.repositories.get"), give(MEMBER, CUSTOM, "python")),
        "reader-missing",
    ),
    "the writer only reads": (
        give(MEMBER, "artifactregistry.reader", "docker"),
        "docker-writer-missing",
    ),
    "the log writer is missing": (keep_of_project("storage.objectViewer"), "log-writer-missing"),
    "the sources' reader is missing": (
        keep_of_project("logging.logWriter"),
        "build-sources-denied",
    ),
    "the build account has no role": (
        remove_grants("python", "docker", "own"),
        "build-account-without-roles",
    ),
    "the pool is missing": (remove("pool"), "pool-not-found"),
    "the pool is being made": (pool(state="CREATING"), "pool-not-running"),
    "the pool has external addresses": (
        pool(privatePoolV1Config={"networkConfig": {"egressOption": "PUBLIC_EGRESS"}}),
        "pool-external-ip",
    ),
    "the pool's egress was never set": (pool(privatePoolV1Config={}), "pool-external-ip"),
    "the project is in no perimeter": (
        remove("closed"),
        "project-outside-perimeter",
    ),
    "the project is in a dry run only": (only_in("spec"), "project-outside-perimeter"),
    "the project is in a bridge only": (
        only_in("status", perimeterType="PERIMETER_TYPE_BRIDGE"),
        "project-outside-perimeter",
    ),
    "the organisation has no access policy": (
        lambda cloud: cloud.delete(ACCESS_POLICY),
        "project-outside-perimeter",
    ),
    "the project has no organisation": (
        lambda cloud: cloud.resources[cloud.own].pop("parent"),
        "project-outside-perimeter",
    ),
    "the perimeter keeps the caller out": (
        lambda cloud: cloud.keep_caller_out("artifactregistry", "cloudbuild", "storage"),
        "caller-outside-perimeter",
    ),
}


@each_case(BROKEN, "the switch says DENY", "the reader is missing", "the API cloudbuild is off")
def test_one_broken_thing_is_one_problem(case: str, check: Check, cloud: HealthyCloud) -> None:
    change, symptom = BROKEN[case]
    change(cloud)
    checked = check()
    assert checked.symptoms() == [symptom], checked.seen("problem")
    assert checked.status == FOUND


def test_what_an_api_that_is_off_hides_is_said_to_be_hidden_by_it(
    check: Check, cloud: HealthyCloud
) -> None:
    turn_off("artifactregistry")(cloud)
    unknown = check().seen("could not tell")
    assert len(unknown) >= 3
    assert set(unknown.values()) == {
        "artifactregistry.googleapis.com is disabled in projects/111111111111"
    }


@pytest.mark.slow
def test_where_the_list_of_apis_may_not_be_read_an_api_itself_tells_that_it_is_off(
    check: Check, cloud: HealthyCloud, stand_in: StandIn
) -> None:
    stand_in.faults.denied.add("serviceusage.services.get")
    turn_off("cloudbuild")(cloud)
    assert check().symptoms() == ["api-off"]


@pytest.mark.slow
def test_what_the_first_deployment_enables_is_not_missing_before_it(
    check: Check, stand_in: StandIn, second_project: Baked
) -> None:
    cloud = shared(stand_in)
    for api in ("run", "cloudfunctions", "cloudbuild"):
        cloud.apis["a-function"].remove(api)
    checked = check(product=second_project)
    assert checked.symptoms() == []
    claim = "the APIs are enabled in a-function"
    assert checked.seen("ok")[claim] == "`make deploy` enables the rest"

    cloud.apis["a-function"].remove("cloudresourcemanager")
    checked = check(product=second_project)
    assert "api-off" in checked.symptoms()
    assert "cloudresourcemanager.googleapis.com is disabled" in str(checked.seen("problem"))
    assert "run.googleapis.com" not in str(checked.seen("problem"))


@pytest.mark.slow
def test_each_project_of_two_is_checked_for_itself(
    check: Check, stand_in: StandIn, second_project: Baked
) -> None:
    cloud = shared(stand_in)
    function = (
        "cloudfunctions/projects/a-function/locations/asia-northeast1/functions/alert-to-snmp"
    )
    cloud.put(function, state="ACTIVE")
    cloud.apis["a-function"].remove("run")
    checked = check(product=second_project)
    assert "api-off" in checked.symptoms()
    assert "run.googleapis.com is disabled in a-function" in str(checked.seen("problem"))

    cloud = shared(stand_in)
    cloud.resources[cloud.closed]["status"]["resources"].remove("projects/222222222222")
    assert check(product=second_project).symptoms() == ["project-outside-perimeter"]

    cloud.add_perimeter("other", "projects/222222222222")
    checked = check(product=second_project)
    assert checked.symptoms() == ["project-outside-perimeter"]
    assert "servicePerimeters/other" in str(checked.seen("problem"))


# What cannot be checked.

# Those for secrets and alerts, which not every function has, are denied in tests above.
PERMISSIONS = [
    "accesscontextmanager.policies.list",
    "accesscontextmanager.servicePerimeters.list",
    "artifactregistry.repositories.get",
    "artifactregistry.repositories.getIamPolicy",
    "artifactregistry.vpcscconfigs.get",
    "cloudbuild.workerpools.get",
    "iam.roles.get",
    "iam.serviceAccounts.get",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "serviceusage.services.get",
]


def test_these_permissions_are_what_a_check_needs(
    check: Check, cloud: HealthyCloud, stand_in: StandIn
) -> None:
    STILL_HEALTHY["a custom role suffices"](cloud)
    check()
    needed = {asked.permission for asked in stand_in.asked}
    of_alerts = {"cloudfunctions.functions.get", "monitoring.notificationChannels.list"}
    assert sorted(needed - of_alerts) == PERMISSIONS


@pytest.mark.slow
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_what_may_not_be_read_is_no_problem_and_the_permission_is_named(
    permission: str, check: Check, cloud: HealthyCloud, stand_in: StandIn
) -> None:
    stand_in.faults.denied.add(permission)
    if permission == "iam.roles.get":
        give(MEMBER, CUSTOM, "python")(cloud)
    checked = check()
    assert checked.symptoms() == []
    assert permission in str(checked.seen("could not tell"))


@pytest.mark.slow
def test_not_to_see_the_perimeter_does_not_count(check: Check, stand_in: StandIn) -> None:
    stand_in.faults.denied.add("accesscontextmanager.policies.list")
    checked = check()
    assert list(checked.seen("could not tell")) == ["a-project is in an enforced perimeter"]
    assert checked.status == HEALTHY


UNCERTAIN: dict[str, tuple[Change, str]] = {
    "a group has the role": (
        give("group:builders@example.com", "artifactregistry.reader", "python"),
        "group:builders@example.com",
    ),
    "the role has a condition": (
        give(
            MEMBER,
            "artifactregistry.reader",
            "python",
            limit=condition("until-friday", "request.time < timestamp('2026-01-01T00:00:00Z')"),
        ),
        "until-friday",
    ),
    "the sources' role is for other buckets": (
        lambda cloud: cloud.bindings(cloud.own)[2].update(
            condition=condition("others", 'resource.name.startsWith("projects/_/buckets/other")')
        ),
        "others",
    ),
    "the custom role is gone": (
        give(MEMBER, CUSTOM, "python"),
        CUSTOM,
    ),
    "a virtual repository is behind the virtual one": (
        virtual("STANDARD_REPOSITORY", "VIRTUAL_REPOSITORY"),
        "virtual-repository is virtual, too",
    ),
}


@each_case(UNCERTAIN, "a group has the role")
def test_what_only_others_know_is_not_decided(case: str, check: Check, cloud: HealthyCloud) -> None:
    change, word = UNCERTAIN[case]
    change(cloud)
    checked = check()
    assert checked.symptoms() == []
    assert [seen for seen in checked.seen("could not tell").values() if word in seen]
    assert checked.status == COULD_NOT_LOOK


@pytest.mark.slow
def test_what_is_certain_elsewhere_is_decided_in_spite_of_a_group(
    check: Check, cloud: HealthyCloud
) -> None:
    UNCERTAIN["a group has the role"][0](cloud)
    cloud.bind_more(cloud.own, grant("artifactregistry.reader", MEMBER))
    assert check().status == HEALTHY


# The way there.


def only_reason(checked: Checked) -> str:
    """Return the one reason why nothing could be checked."""
    assert checked.symptoms() == []
    assert checked.status == COULD_NOT_LOOK
    reasons = set(checked.seen("could not tell").values())
    assert len(reasons) == 1, reasons
    return reasons.pop()


Said = Callable[[Callable[[Json], object]], dict[str, str]]


@pytest.fixture
def saying(recorded: str, signed_in: dict[str, str], tmp_path: Path) -> Said:
    """Make a gcloud whose settings are changed, and the environment that has it."""

    def make(change: Callable[[Json], object]) -> dict[str, str]:
        said = json.loads((Path(recorded) / "said.json").read_text(encoding="utf-8"))
        change(said)
        (tmp_path / "said.json").write_text(json.dumps(said), encoding="utf-8")
        write_gcloud(tmp_path, f'exec cat "{tmp_path}/said.json"')
        return {"PATH": f"{tmp_path}:{signed_in['PATH']}"}

    return make


def settings(section: str, **values: str) -> Callable[[Json], object]:
    """Replace a section of gcloud's properties."""
    return lambda said: said["configuration"]["properties"].update({section: values})


def test_a_token_that_has_expired_is_one_reason(check: Check, saying: Said) -> None:
    expired = saying(lambda said: said["credential"].update({"access_token": "old"}))
    assert "gcloud auth login" in only_reason(check(**expired))


def test_without_gcloud_the_files_are_checked_and_the_rest_is_left_open(
    check: Check, tmp_path: Path
) -> None:
    checked = check(PATH=str(tmp_path))
    assert "not installed" in only_reason(checked)
    assert len(checked.seen("ok")) >= 5


def test_not_signed_in_says_what_to_type(
    gcloud: str, check: Check, stand_in: StandIn, tmp_path: Path
) -> None:
    checked = check(
        without="CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
        CLOUDSDK_CONFIG=str(tmp_path),
        PATH=f"{Path(gcloud).parent}:/usr/bin:/bin",
    )
    assert only_reason(checked) == "gcloud is not signed in. Run: gcloud auth login"
    assert stand_in.asked == []


GCLOUDS = {
    "crashes": ("echo 'ERROR: gcloud crashed (TypeError): None' >&2; exit 1", "crashed"),
    "is killed": ("kill -9 $$", "crashed"),
    "has a setting that it refuses": (
        "echo 'ERROR: (gcloud.config.config-helper) Invalid value for property [x]' >&2; exit 1",
        "Invalid value for property [x]",
    ),
    "cannot renew its token": (
        "echo 'ERROR: There was a problem refreshing: Max retries exceeded' >&2; exit 1",
        "cannot reach Google",
    ),
    "prints rubbish": ("echo lorem", "did not print its settings"),
    "prints another structure": ("echo '{\"credential\": []}'", "did not print its settings"),
    "has no token": (
        'echo \'{"credential": {"access_token": null}, "configuration": {"properties": {}}}\'',
        "gcloud auth login",
    ),
    "prints its token and fails": (f"echo 'ERROR: access_token: {TOKEN}' >&2; exit 1", "[hidden]"),
}


@each_case(GCLOUDS, "crashes", "prints its token and fails")
def test_whatever_gcloud_does_it_is_one_reason(case: str, check: Check, tmp_path: Path) -> None:
    script, word = GCLOUDS[case]
    write_gcloud(tmp_path, script)
    checked = check(PATH=f"{tmp_path}:/usr/bin:/bin")
    assert word in only_reason(checked)
    assert TOKEN not in checked.output


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nothing listens, and nothing else begins to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes every connection and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield listener.getsockname()[1]


def test_a_dead_network_is_one_reason_at_once(check: Check, closed_port: int) -> None:
    checked = check(HTTPS_PROXY=f"http://127.0.0.1:{closed_port}")
    reason = only_reason(checked)
    assert f"Google Cloud cannot be reached: the proxy 127.0.0.1:{closed_port} refuses" in reason
    assert checked.seconds < 10


@pytest.mark.slow
def test_a_network_that_never_answers_is_one_reason_in_time(check: Check, silent_port: int) -> None:
    checked = check(HTTPS_PROXY=f"http://127.0.0.1:{silent_port}")
    assert "no answer in time" in only_reason(checked)
    assert checked.seconds < 30


DRIPPED = """
import json, sys, time
from closed_function.gcloud.session import Request, Session
request = Request("cloudbuild", "v1/it", "it", "permission")
print(Session(json.loads(sys.argv[1])).read([request], time.monotonic() + 1)[request].why)
"""


@pytest.mark.slow
def test_an_answer_that_drips_does_not_outlast_the_deadline(product: Baked) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        said = {
            "credential": {"access_token": TOKEN},
            "configuration": {"properties": {"api_endpoint_overrides": {"cloudbuild": endpoint}}},
        }
        command = [sys.executable, "-c", DRIPPED, json.dumps(said)]
        with subprocess.Popen(command, cwd=product.path, stdout=subprocess.PIPE) as process:
            connection, _ = listener.accept()
            start = time.monotonic()
            with connection, contextlib.suppress(ConnectionError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while process.poll() is None and time.monotonic() < start + 10:
                    connection.sendall(b".")
                    time.sleep(0.2)
            assert process.poll() == 0
            assert time.monotonic() - start < 5
            assert process.stdout
            assert b"no answer in time" in process.stdout.read()


@pytest.mark.slow
def test_only_what_is_unreachable_is_left_open(
    check: Check, saying: Said, closed_port: int
) -> None:
    endpoints = {"cloudbuild": f"http://127.0.0.1:{closed_port}/"}
    unknown = check(**saying(settings("api_endpoint_overrides", **endpoints))).seen(
        "could not tell"
    )
    assert len(unknown) == 2
    assert all("its address refuses" in seen for seen in unknown.values())


def test_without_the_authority_the_certificate_is_not_trusted(
    check: Check, saying: Said, stand_in: StandIn
) -> None:
    reason = only_reason(check(**saying(settings("core"))))
    assert "its certificate is not trusted" in reason
    assert "core/custom_ca_certs_file" in reason
    assert stand_in.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_authority_may_be_named_by(
    variable: str, check: Check, saying: Said, stand_in: StandIn
) -> None:
    environment = {**saying(settings("core")), variable: str(stand_in.authority)}
    assert check(**environment).status == HEALTHY


@pytest.mark.slow
def test_an_authority_that_cannot_be_read_is_named(check: Check, saying: Said) -> None:
    missing = saying(settings("core", custom_ca_certs_file="/no/such/file.pem"))
    assert "/no/such/file.pem" in only_reason(check(**missing))


@pytest.mark.slow
def test_gclouds_own_proxy_comes_first_with_its_password_and_in_spite_of_no_proxy(
    gcloud: str, check: Check, stand_in: StandIn, closed_port: int
) -> None:
    own = {
        "CLOUDSDK_PROXY_TYPE": "http",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": str(stand_in.port),
        "CLOUDSDK_PROXY_USERNAME": "me",
        "CLOUDSDK_PROXY_PASSWORD": "p:@ss/w%rd",
        "HTTPS_PROXY": f"http://127.0.0.1:{closed_port}",
        "NO_PROXY": "*",
        "PATH": f"{Path(gcloud).parent}:/usr/bin:/bin",
    }
    stand_in.faults.login = "me:p:@ss/w%rd"
    checked = check(**own)
    assert checked.status == HEALTHY, checked.output

    stand_in.faults.login = "me:another"
    checked = check(**own)
    assert "requires a login (407)" in only_reason(checked)
    assert "p:@ss/w%rd" not in checked.output


@pytest.mark.slow
def test_the_environments_proxy_may_have_a_password(check: Check, stand_in: StandIn) -> None:
    stand_in.faults.login = "me:p@ss"
    assert check(HTTPS_PROXY=f"http://me:p%40ss@127.0.0.1:{stand_in.port}").status == HEALTHY
    checked = check(HTTPS_PROXY=f"http://me:another@127.0.0.1:{stand_in.port}")
    assert "407" in only_reason(checked)
    assert "another" not in checked.output


@pytest.mark.slow
def test_a_host_of_no_proxy_is_not_asked_through_the_proxy(check: Check, saying: Said) -> None:
    elsewhere = saying(settings("api_endpoint_overrides", cloudbuild="https://build.invalid/"))
    through = check(**elsewhere).seen("could not tell")
    direct = check(**elsewhere, NO_PROXY=".invalid").seen("could not tell")
    assert "certificate is not trusted" in through["the worker pool is running"]
    assert "DNS does not know its name" in direct["the worker pool is running"]


@pytest.mark.slow
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_is_said_to_be_so(proxy: str, check: Check) -> None:
    assert "HTTPS_PROXY=http://HOST:PORT" in only_reason(check(HTTPS_PROXY=proxy))


@pytest.mark.slow
def test_a_socks_proxy_of_gclouds_settings_is_said_not_to_do(check: Check, saying: Said) -> None:
    own = {"type": "socks5", "address": "127.0.0.1", "port": "1080"}
    reason = only_reason(check(**saying(settings("proxy", **own))))
    assert "type socks5" in reason
    assert "gcloud config set proxy/type http" in reason


def test_private_endpoints_of_gclouds_settings_are_asked(
    check: Check, saying: Said, stand_in: StandIn
) -> None:
    host = "artifactregistry-closed.p.googleapis.com"
    environment = saying(settings("api_endpoint_overrides", artifactregistry=f"https://{host}/"))
    assert check(**environment).status == HEALTHY
    hosts = {asked.host for asked in stand_in.asked}
    assert host in hosts
    assert "artifactregistry.googleapis.com" not in hosts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("quota_project", "header"),
    [("a-project", "a-project"), ("CURRENT_PROJECT", None), ("LEGACY", None)],
)
def test_the_quota_project_is_sent_when_it_is_a_project(
    quota_project: str, header: str | None, check: Check, saying: Said, stand_in: StandIn
) -> None:
    environment = saying(settings("billing", quota_project=quota_project))
    assert check(**environment).status == HEALTHY
    assert {asked.headers.get("x-goog-user-project") for asked in stand_in.asked} == {header}


@pytest.mark.slow
def test_a_quota_project_that_may_not_be_used_is_one_reason(check: Check, saying: Said) -> None:
    environment = saying(settings("billing", quota_project="another"))
    reason = only_reason(check(**environment))
    assert "gcloud config unset billing/quota_project" in reason


def test_a_redirection_does_not_get_the_token(check: Check, stand_in: StandIn) -> None:
    stand_in.faults.instead = Raw(b"", 302, {"location": "https://elsewhere.googleapis.com/"})
    checked = check()
    assert checked.status == COULD_NOT_LOOK
    assert checked.symptoms() == []
    assert len(stand_in.asked) >= 5
    assert not [asked for asked in stand_in.asked if asked.host.startswith("elsewhere")]


ANSWERS = {
    "a page of the proxy's": (403, b"<html>Blocked</html>", "not from Google's API"),
    "a sign-in page": (200, b"<html>Welcome</html>", "not from Google's API"),
    "nothing": (200, b"", "not from Google's API"),
    "a list": (200, b"[]", "not from Google's API"),
    "a page that is not found": (404, b"<html>Not found</html>", "not from Google's API"),
    "an empty object": (200, b"{}", "not from Google's API"),
    "an error without details": (403, b'{"error": {"details": null}}', "you may not"),
    "an error of another form": (403, b'{"error": {"details": [5]}}', "unknown form"),
    "a deep nest": (200, b"[" * 200_000, "not from Google's API"),
    "the token": (500, json.dumps({"error": {"message": TOKEN}}).encode(), "[hidden]"),
    "an outage": (503, b'{"error": {"message": "Try again."}}', "answered 503"),
    "too few scopes": (
        403,
        json.dumps(denied("No.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", method="x").content()).encode(),
        "scopes",
    ),
}


@each_case(ANSWERS, "a page of the proxy's")
def test_an_answer_that_tells_nothing_is_no_problem(
    case: str, check: Check, stand_in: StandIn
) -> None:
    status, body, word = ANSWERS[case]
    stand_in.faults.instead = Raw(body, status)
    checked = check()
    assert checked.symptoms() == []
    assert checked.status == COULD_NOT_LOOK
    assert word in str(checked.seen("could not tell"))
    assert TOKEN not in checked.output


def test_a_field_of_another_type_is_no_crash(check: Check, cloud: HealthyCloud) -> None:
    cloud.resources[cloud.python] |= {"mode": 5, "virtualRepositoryConfig": None}
    cloud.resources[cloud.pool]["privatePoolV1Config"] = []
    checked = check()
    assert checked.symptoms() == []
    assert str(checked.seen("could not tell")).count("unknown form") == 2


def test_the_token_does_not_go_over_a_line_that_others_can_read(check: Check, saying: Said) -> None:
    environment = saying(settings("api_endpoint_overrides", iam="http://iam.example.com/"))
    assert "not an https address" in only_reason(check(**environment))
    assert "type https is not supported" in only_reason(
        check(**saying(settings("proxy", type="https", address="127.0.0.1", port="1")))
    )


def test_the_token_is_nowhere_but_in_the_header(
    check: Check, stand_in: StandIn, product: Baked, signed_in: dict[str, str], recorded: str
) -> None:
    stand_in.faults.denied.update(PERMISSIONS)
    assert TOKEN not in check().output
    assert {asked.headers["authorization"] for asked in stand_in.asked} == {f"Bearer {TOKEN}"}
    assert not [asked for asked in stand_in.asked if TOKEN in asked.path]
    environment = {**signed_in, "PATH": f"{recorded}:{signed_in['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "closed_function", "doctor"],
        cwd=product.path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "resourcemanager.projects.get" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
