"""Run stages 6 and 7: the repository's own commands deploy it to a stand-in of Google Cloud.

The stand-in answers for Google's APIs. What Terraform uploads it builds behind the gate and starts.
"""

from __future__ import annotations

import io
import re
import secrets
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from closed_function.errors import CommandError
from closed_function.stack import find_program
from closed_network import diagnosis, organisation
from closed_network.clients import BUILD_CHECK, BUILD_INSTALL, DEPLOYMENT_DIFFERENCES, Machine
from closed_network.organisation import Json
from closed_network.processes import Outcome
from closed_network.receiver import Receiver, find_snmptrapd
from closed_network.report import NotProvenError, StageFailedError
from closed_network.terraform import configuration, first_error
from cloud_stand_in.errors import build_failed
from cloud_stand_in.server import StandIn, serve
from cloud_stand_in.terraform import environment as endpoints

from .run import PIP_TIMEOUT, TOOL_TIMEOUT, Run
from .serve import receiving, serving
from .switch import set_directly

APPLY_TIMEOUT = 900
# What a fresh clone does not have, and where the real state is.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".terraform", "*.tfstate*", "backend.tf", "__pycache__"
)
# In the stand-in nothing needs time to propagate.
WAITS = {"platform": ("iam", "peering", "perimeter"), "function": ("iam", "service_agents")}
PLATFORM = "`make platform` applies the platform"
FUNCTION = "`make deploy` deploys the function"
UPLOADED = "what Terraform uploaded is built from Artifact Registry alone"
STARTS = "the deployed function starts"
RESOURCES = re.compile(r"Apply complete! Resources: (\d+) added")
PROVIDER = re.compile(r"provider \S+/(\S+) v(\S+)")


@dataclass
class Deployed:
    """A function that the stand-in has built and started; it sends to `traps`."""

    machine: Machine
    resource: Json
    environment: dict[str, str]
    packages: int
    traps: Receiver | None
    port: int


@dataclass
class Deployment:
    """A copy of the repository, and the stand-in to which its commands deploy it."""

    run: Run
    root: Path
    platform: Json
    function: Json
    stand_in: StandIn
    variables: Mapping[str, str]
    providers: list[Path]  # and Terraform itself
    deployed: Deployed | None = None
    why: str = ""  # the build or the start failed
    secrets: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> str:
        """Run the repository's own tool, as make does, and return what it printed.

        StageFailedError when it fails; NotProvenError when that is not the repository's fault.
        """
        words = [sys.executable, "-m", "closed_function", *arguments, "--yes", "1"]
        words += ["--env", self.run.environment] if self.run.environment else []
        outcome = self.client(words, self.root, APPLY_TIMEOUT)
        if outcome.status == 0:
            return outcome.output
        error = first_error(outcome.output)
        if re.search(r"^init of terraform/\w+ failed", outcome.output, re.MULTILINE):
            raise NotProvenError(f"Terraform has no providers here, run `make validate`: {error}")
        if unknown := [each for each in self.stand_in.asked if each.status == 501]:
            raise NotProvenError(f"the stand-in has no answer to {unknown[0]}")
        raise StageFailedError(self.why or error)

    def client(self, words: list[str], folder: Path, timeout: float) -> Outcome:
        """Run what uses Terraform."""
        return self.run.client(
            words,
            dict(self.variables),
            folder,
            timeout,
            readable=self.providers,
            writable=[self.root.parent],
        )

    def apply(self, stack: str) -> int:
        """Apply a stack; return how many resources were added."""
        added = RESOURCES.search(self.command("apply", stack))
        return int(added[1]) if added else 0

    def build(self, function: Json, source: bytes, refusal: str) -> None:
        """Build and start what Terraform deploys, as the service does; ApiError if that fails."""
        try:
            self.deployed = build_and_start(self, function, source, refusal)
        except StageFailedError as error:
            self.why = str(error)
            raise build_failed(self.why) from None

    def secret(self, name: str) -> str:
        """Return the value of a secret, which is of this run alone."""
        return self.secrets.setdefault(name, f"rehearsal-{secrets.token_hex(8)}")


def apply_the_platform(run: Run) -> None:
    """`make platform` applies the repository's Terraform stack to a stand-in of Google Cloud."""
    with run.report.proving(PLATFORM):
        deployment = prepare(run)
        check_that_terraform_runs(deployment)
        run.report.differences += DEPLOYMENT_DIFFERENCES
        if deployment.platform.get("functions"):  # only what exists can be listed
            deployment.command("accounts")
        added = deployment.apply("platform")
        versions = note_versions(deployment)
        index = run.repository.index
        switch = deployment.stand_in.cloud.find(
            "artifactregistry", f"projects/{index.project}/locations/{index.location}/vpcscConfig"
        )
        policy = (switch or {}).get("vpcscPolicy", "DENY")
        run.report.proven(PLATFORM, f"{added} resources, {versions}; the switch is at {policy}")
        run.deployment = deployment


def deploy_the_function(run: Run) -> None:
    """`make deploy` uploads the source; it is built behind the gate as deployed, and starts."""
    deployment, run.deployment = run.deployment, None
    with run.report.proving(FUNCTION, UPLOADED, STARTS):
        if not isinstance(deployment, Deployment):
            raise NotProvenError("the platform was not applied")
        added = deployment.apply("function")
        deployed = deployment.deployed
        if not deployed:
            raise StageFailedError("Terraform deployed no function")
        files = [path for path in deployed.machine.source.rglob("*") if path.is_file()]
        run.report.proven(FUNCTION, f"{added} resources")
        run.report.proven(
            UPLOADED,
            f"{len(files)} files, {deployed.packages} packages, "
            f"all from {run.repository.index.host}",
        )
        entry_point = deployed.resource["buildConfig"]["entryPoint"]
        run.report.proven(
            STARTS,
            f"{entry_point}, with the variables and secrets that Terraform set",
        )
        if deployed.resource["serviceConfig"].get("secretVolumes"):
            why = "the files of function.secret_volumes are not there in a rehearsal"
            run.report.not_proven("the function reads the files of its secrets", why)
        run.deployment = deployment


def prepare(run: Run) -> Deployment:
    """Copy the repository, and start a stand-in that has what the settings name as existing."""
    try:
        terraform = str(Path(find_program()).resolve())
    except CommandError:
        raise NotProvenError("neither Terraform nor OpenTofu is installed") from None
    repository = run.repository
    for needed in ("closed_function", "terraform/function", "terraform/platform"):
        if not (repository.root / needed).is_dir():
            raise NotProvenError(f"{needed} is not in this repository")
    try:
        platform, function = (
            organisation.read_settings(repository.root, stack, run.environment) for stack in WAITS
        )
        missing = list(dict.fromkeys(organisation.unfilled(platform, function)))
        if missing:
            raise NotProvenError(f"not filled in yet: {', '.join(missing)}")
        cloud = organisation.organisation(platform, function)
    except ValueError as error:
        raise StageFailedError(f"the settings cannot be read: {error}") from None
    except (AttributeError, KeyError, TypeError) as error:
        raise StageFailedError(f"the settings are not as variables.tf declares: {error}") from None
    # A new name, for a client that ran before could have left a link in the place of a known one.
    own = Path(tempfile.mkdtemp(prefix="deployment-", dir=run.machine.folder))
    root = own / "repository"
    shutil.copytree(repository.root, root, symlinks=True, ignore=LEFT_OUT)
    shorten_waits(root)
    stand_in = run.resources.enter_context(serve(cloud))
    written, providers = configuration(repository.root, own)
    variables = {
        **run.machine.environment(),
        **endpoints(stand_in.url),
        "TERRAFORM": terraform,
        "TF_CLI_CONFIG_FILE": str(written),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    programs = [Path(terraform), *providers]
    deployment = Deployment(run, root, platform, function, stand_in, variables, programs)
    cloud.builder = deployment.build
    return deployment


def shorten_waits(root: Path) -> None:
    """Add a file of settings that Terraform reads last."""
    for stack, names in WAITS.items():
        waits = ", ".join(f'{name} = "0s"' for name in names)
        file = root / "terraform" / stack / "zz-rehearsal.auto.tfvars"
        file.write_text(f"waits = {{ {waits} }}\n", encoding="utf-8")


def check_that_terraform_runs(deployment: Deployment) -> None:
    """NotProvenError if it does not, such as a script that chooses one by files of the user's."""
    tried = deployment.client([deployment.variables["TERRAFORM"], "version"], deployment.root, 60)
    if tried.status != 0:
        program = deployment.variables["TERRAFORM"]
        raise NotProvenError(f"{program} does not run in the closed network: {tried.last_line}")


def note_versions(deployment: Deployment) -> str:
    """Note the versions of Terraform and the providers; return the most important ones."""
    run = deployment.run
    folder = deployment.root / "terraform" / "platform"
    command = [deployment.variables["TERRAFORM"], "version"]
    printed = deployment.client(command, folder, TOOL_TIMEOUT).output
    name, _, version = printed.partition("\n")[0].partition(" v")
    providers = dict(PROVIDER.findall(printed))
    run.report.versions |= {name: version, **providers}
    return f"{name} {version}, google {providers.get('google')}"


def build_and_start(
    deployment: Deployment, function: Json, source: bytes, refusal: str
) -> Deployed:
    """Do what Cloud Build and Cloud Run do with the uploaded archive `source`.

    `refusal` is why Artifact Registry would refuse the build. StageFailedError says what failed.
    """
    run = deployment.run
    build, config = function["buildConfig"], function["serviceConfig"]
    machine = replace(run.machine, build=f"deployed-{secrets.token_hex(4)}")
    machine.make_build()
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        archive.extractall(machine.source)
    # The index behind the gate obeys the switch and the roles of the stand-in.
    set_directly(run, "DENY" if refusal else "ALLOW")
    before = len(run.seen())
    variables = build["environmentVariables"]
    outcome = run.python(BUILD_INSTALL, PIP_TIMEOUT, machine, variables)
    requests = run.seen()[before:]
    if asked := diagnosis.asked_elsewhere(requests):
        raise StageFailedError(f"the deployed build's pip requested {asked}")
    if outcome.status != 0:
        lines = diagnosis.documented_lines(outcome.output) or [outcome.last_line]
        why = refusal or diagnosis.why_pip_failed(outcome.output, requests, run.interpreter.version)
        raise StageFailedError(f"the deployed build's pip fails: {lines[-1]} ({why})")
    checked = run.python(BUILD_CHECK, TOOL_TIMEOUT, machine, variables)
    if checked.status != 0:
        raise StageFailedError(f"pip check: {checked.last_line}")
    environment = {
        **config.get("environmentVariables", {}),
        **{
            each["key"]: deployment.secret(each["secret"])
            for each in config.get("secretEnvironmentVariables") or []
        },
        "FUNCTION_TARGET": build["entryPoint"],
    }
    snmptrapd = find_snmptrapd() if run.repository.sends_traps else None
    traps = run.resources.enter_context(receiving(run, machine, snmptrapd, environment))
    port = run.resources.enter_context(serving(run, machine, environment, traps))
    packages = len(diagnosis.served_wheels(requests))
    return Deployed(machine, function, environment, packages, traps, port)
