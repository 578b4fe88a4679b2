"""Apply a product's stacks with the real providers against a stand-in of Google's APIs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from closed_function.commands.apply import ACCOUNTS, CHANNEL
from closed_function.settings import merge
from cloud_stand_in.cloud import ORGANIZATION, Cloud, Delays
from cloud_stand_in.server import StandIn, serve
from cloud_stand_in.services.kms import add_key
from cloud_stand_in.services.secret_manager import add_secret
from cloud_stand_in.services.storage import create_bucket
from cloud_stand_in.terraform import environment
from terraform_replay.clients import Client
from tests.support.baking import Baked, bake
from tests.support.stacks import succeed

Json = dict[str, Any]

REGION = "asia-northeast1"
PROJECT, OTHER_PROJECT, KEYS_PROJECT = "a-project", "f-project", "k-project"
NUMBERS = {
    PROJECT: "111111111111",
    OTHER_PROJECT: "222222222222",
    KEYS_PROJECT: "333333333333",
}
POLICY = "accessPolicies/123456789"
KEY = f"projects/{KEYS_PROJECT}/locations/{REGION}/keyRings/r/cryptoKeys/k"
TOPIC, OTHER_TOPIC = (f"projects/{each}/topics/given" for each in (PROJECT, OTHER_PROJECT))
BUCKET = "given-bucket"
ENTRY_POINTS = {
    "http": "handle_request",
    "pubsub": "handle_message",
    "alert": "send_event",
    "storage": "handle_object",
}
# Longer than the delays, so that a wait that is missing is noticed and one that is there suffices.
WAIT = "2s"
DELAYS = Delays(identities=1.5, grants=1.5, peering=1.5, perimeter=1.5)


def new_cloud() -> Cloud:
    """Return an organisation with what a user has before the first apply."""
    cloud = Cloud(DELAYS)
    # The README's first command: the two APIs that Terraform itself calls.
    for project, number in NUMBERS.items():
        cloud.add_project(project, number, "cloudresourcemanager")
    cloud.apis[KEYS_PROJECT] += ["cloudkms", "iam"]
    policy = {"parent": ORGANIZATION, "title": "default policy", "etag": "etag-1"}
    cloud.add("accesscontextmanager", POLICY, **policy)
    add_key(cloud, KEY)
    for topic in (TOPIC, OTHER_TOPIC):
        cloud.add("pubsub", topic)
    create_bucket(cloud, PROJECT, BUCKET, {"location": REGION})
    for project in (PROJECT, OTHER_PROJECT):
        cloud.apis[project] += ["secretmanager"]
        for secret in ("snmp-users", "snmp-keys"):
            add_secret(cloud, f"projects/{project}/secrets/{secret}")
    return cloud


def platform_settings(**change: Any) -> Json:  # noqa: ANN401 - settings of any shape
    settings: Json = {
        "project_id": PROJECT,
        "region": REGION,
        "perimeter": {"deployers": ["user:taro@example.com"]},
        "access_policy": {"id": POLICY.rpartition("/")[2]},
        "waits": {"iam": WAIT, "peering": WAIT, "perimeter": WAIT},
    }
    return merge(settings, change)


def function_settings(kind: str, **change: Any) -> Json:  # noqa: ANN401 - settings of any shape
    settings: Json = {
        "project_id": PROJECT,
        "function": {
            "name": "fn-one",
            "entry_point": ENTRY_POINTS[kind],
            "runtime_roles": ["roles/errorreporting.writer"],
        },
        "trigger": {"kind": kind},
        "waits": {"iam": WAIT, "service_agents": WAIT},
    }
    return merge(settings, change)


@dataclass
class Stack:
    """A folder with a stack, its settings and its state."""

    client: Client
    folder: Path
    settings: Json
    workspace: str = "default"

    def change(self, **change: Any) -> Stack:  # noqa: ANN401 - settings of any shape
        self.settings = merge(self.settings, change)
        return self

    def run(self, *arguments: str) -> str:
        text = json.dumps(self.settings)
        (self.folder / "settings.auto.tfvars.json").write_text(text, encoding="utf-8")
        chosen = {**self.client.environment, "TF_WORKSPACE": self.workspace}
        client = replace(self.client, environment=chosen)
        done = client.run(self.folder, *arguments, timeout=300)
        assert done.returncode == 0, f"{arguments[0]}: {done.stderr}"
        return done.stdout

    def apply(self, *options: str) -> Stack:
        self.run("apply", "-auto-approve", "-input=false", "-no-color", *options)
        return self

    def expect_no_changes(self) -> Stack:
        printed = self.run("plan", "-input=false", "-no-color")
        assert "No changes." in printed, f"changes are planned: {printed[-4000:]}"
        return self

    def destroy(self) -> None:
        self.run("destroy", "-auto-approve", "-input=false", "-no-color")
        assert self.resources() == []

    def resources(self) -> list[str]:
        """Return the addresses of what the stack has created."""
        addresses = self.run("state", "list").splitlines()
        return [each for each in addresses if not each.startswith("data.")]

    def output(self, name: str) -> Any:  # noqa: ANN401 - whatever the stack hands over
        return json.loads(self.run("output", "-json", name))


@dataclass
class World:
    """A stand-in and the stacks that are applied to it."""

    stand_in: StandIn
    product: Baked
    client: Client
    folder: Path
    handed: Json = field(default_factory=dict)
    applied: Path | None = None  # the folder of the platform that is there already
    before: Json = field(default_factory=dict)
    # What a test changes in the files of each new stack.
    mutations: dict[str, Callable[[Path], None]] = field(default_factory=dict)

    def stack(self, name: str, settings: Json) -> Stack:
        """Return a stack without state, in a folder of its own beside the function's source."""
        number = len(list(self.folder.iterdir()))
        copied = self.folder / f"{number}" / "terraform" / name
        shutil.copytree(self.product.path / "terraform" / name, copied, symlinks=True)
        shutil.copytree(self.product.path / "function", self.folder / f"{number}" / "function")
        for given in copied.glob("*.auto.tfvars.json"):
            given.unlink()
        self.mutations.get(name, do_nothing)(copied)
        return Stack(self.client, copied, settings)

    def platform(self, **change: Any) -> Stack:  # noqa: ANN401 - settings of any shape
        return self.stack("platform", platform_settings(**change))

    def given_platform(self) -> Stack:
        """Return the stack of the platform that is there already, with its state."""
        assert self.applied is not None
        copied = self.folder / "platform"
        shutil.copytree(self.applied, copied, symlinks=True)
        return Stack(self.client, copied, platform_settings())

    def list_on_platform(self, function: Stack) -> Stack:
        """Do what a platform's owner does after `make accounts`; return the platform's stack."""
        given_topic = function.settings["trigger"].get("topic")
        targets = [*ACCOUNTS, CHANNEL] if given_topic else ACCOUNTS
        function.apply(*(f"-target={address}" for address in targets))
        platform = self.given_platform().change(functions=function.output("platform_must_list"))
        key = function.settings["function"].get("kms_key_name")
        if key and function.settings["project_id"] == PROJECT:
            platform.change(repositories={"kms_key_name": key})  # the image's repository
        platform.apply().expect_no_changes()
        self.handed = platform.output("platform")
        function.change(platform=self.handed)
        return platform

    def function(self, kind: str, **change: Any) -> Stack:  # noqa: ANN401 - settings of any shape
        settings = function_settings(kind, **change)
        return self.stack("function", {"platform": self.handed, **settings})

    def remember(self) -> None:
        """Note what is there now; `left` tells what is there besides."""
        self.before = self.stand_in.cloud.snapshot()

    def grants(self) -> set[str]:
        return grants(self.stand_in.cloud.snapshot())

    def left(self) -> set[str]:
        """Return what was added, changed or lost, except what lasts by design."""
        now = self.stand_in.cloud.snapshot()
        old, new = self.before["resources"], now["resources"]
        keys = {
            key for key in old.keys() | new.keys() if lasting(old.get(key)) != lasting(new.get(key))
        }
        return keys | (grants(self.before) ^ grants(now))


def do_nothing(_: Path) -> None:
    """Leave a stack as it is."""


def grants(snapshot: Json) -> set[str]:
    return {
        f"{key} {binding['role']} {member}"
        for key, policy in snapshot["policies"].items()
        for binding in policy["bindings"]
        for member in binding["members"]
    }


def lasting(resource: Json | None) -> object:
    """Return what makes a resource another one; the order of lists and the clock do not."""
    if resource is None:
        return None
    volatile = {"createTime", "etag", "updateTime"}
    kept = {key: each for key, each in resource.items() if key not in volatile}
    return ordered(kept)


def ordered(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, dict):
        return {key: ordered(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return sorted((ordered(each) for each in value), key=json.dumps)
    return value


@contextlib.contextmanager
def world(cloud: Cloud, product: Baked, client: Client, folder: Path) -> Iterator[World]:
    """Serve `cloud` for stacks of `product`; at the end nothing may be unknown or have gone past.

    The provider asks a user-info service, which has no endpoint, for its own log.
    """
    with serve(cloud) as stand_in:
        led = replace(client, environment={**client.environment, **environment(stand_in.url)})
        opened = World(stand_in, product, led, folder)
        opened.remember()
        yield opened
    assert [str(each) for each in stand_in.asked if each.status == 501] == []
    assert {each for each in stand_in.outside() if "openidconnect." not in each} == set()


def initialised(client: Client, folder: Path) -> Baked:
    """Bake a product into `folder`, whatever number of processes asks, and prepare its stacks."""
    folder.mkdir(exist_ok=True)
    product = Baked(folder / "alert-to-snmp")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            bake(folder, platform="create", gcp_project_id=PROJECT)
            for stack in ("platform", "function"):
                succeed(client, product.path / "terraform" / stack, "init", "-input=false")
            (folder / "done").touch()
    return product


def shared_platform(client: Client, product: Baked, folder: Path) -> Json:
    """Return the cloud and the hand-over after the default platform was applied, once for all."""
    folder.mkdir(exist_ok=True)
    made = folder / "platform.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            work = Path(tempfile.mkdtemp(dir=folder))
            with world(new_cloud(), product, client, work) as opened:
                platform = opened.platform().apply()
                content = {
                    "cloud": opened.stand_in.cloud.snapshot(),
                    "platform": platform.output("platform"),
                    "folder": str(platform.folder),
                }
            made.write_text(json.dumps(content), encoding="utf-8")
    loaded: Json = json.loads(made.read_text(encoding="utf-8"))
    return loaded
