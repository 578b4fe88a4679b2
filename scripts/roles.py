"""Write closed_function/symptoms/roles.json: the smallest predefined role for each permission.

The argument is a folder with a file for each predefined role, as `gcloud iam roles describe ROLE
--format=json` prints it; such a folder is public at github.com/darkbitio/gcp-iam-role-permissions.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "{{cookiecutter.project_slug}}/closed_function/symptoms/roles.json"
# The roles that are granted in this topology, by their services.
ROLES = {
    "accesscontextmanager": "policyAdmin policyEditor policyReader",
    "artifactregistry": "admin createOnPushWriter reader repoAdmin writer",
    "billing": "projectManager user viewer",
    "browser": "",
    "cloudbuild": "builds.builder builds.editor builds.viewer workerPoolOwner workerPoolUser",
    "cloudfunctions": "admin developer invoker viewer",
    "cloudkms": "admin cryptoKeyDecrypter cryptoKeyEncrypter cryptoKeyEncrypterDecrypter viewer",
    "compute": "networkAdmin networkUser networkViewer securityAdmin xpnAdmin",
    "dns": "admin peer reader",
    "errorreporting": "viewer writer",
    "eventarc": "admin developer eventReceiver viewer",
    "iam": "roleAdmin roleViewer serviceAccountAdmin serviceAccountCreator serviceAccountKeyAdmin"
    " serviceAccountTokenCreator serviceAccountUser serviceAccountViewer workloadIdentityPoolAdmin",
    "logging": "admin configWriter logWriter privateLogViewer viewer",
    "monitoring": "alertPolicyEditor alertPolicyViewer editor metricWriter"
    " notificationChannelEditor notificationChannelViewer viewer",
    "orgpolicy": "policyAdmin policyViewer",
    "pubsub": "admin editor publisher subscriber viewer",
    "resourcemanager": "folderAdmin folderViewer organizationAdmin organizationViewer"
    " projectCreator projectDeleter projectIamAdmin",
    "run": "admin developer invoker viewer",
    "secretmanager": "admin secretAccessor secretVersionAdder secretVersionManager viewer",
    "servicenetworking": "networksAdmin",
    "serviceusage": "serviceUsageAdmin serviceUsageConsumer serviceUsageViewer",
    "storage": "admin bucketViewer objectAdmin objectCreator objectUser objectViewer",
    "vpcaccess": "admin user viewer",
}
# Permissions that this topology does not meet: tags, and most of Compute Engine.
UNMET = re.compile(
    r"TagBinding|Tags$|TagBindings$|^compute\.(?!(?:networks|subnetworks|routes|firewalls|addresses"
    r"|globalAddresses|networkAttachments|projects|globalOperations|regionOperations|regions"
    r"|organizations)\.)"
)


def read_roles(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each of the roles and its permissions."""
    for service, names in ROLES.items():
        for name in names.split() or [""]:
            role = f"{service}.{name}".strip(".")
            file = folder / role
            yield f"roles/{role}", json.loads(file.read_text("utf-8"))["includedPermissions"]


def smallest_roles(roles: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield each permission with the smallest role that holds it, of its own service if any."""
    holders: dict[str, list[tuple[bool, int, str]]] = {}
    for role, permissions in roles.items():
        for permission in permissions:
            own = f"roles/{permission.partition('.')[0]}."
            foreign = not role.startswith((own, "roles/browser"))
            holders.setdefault(permission, []).append((foreign, len(permissions), role))
    for permission, held in sorted(holders.items()):
        if permission.partition(".")[0] in ROLES and not UNMET.search(permission):
            yield permission, min(held)[2]


def main() -> None:
    by_role: dict[str, list[str]] = {}
    for permission, role in smallest_roles(dict(read_roles(Path(sys.argv[1])))):
        by_role.setdefault(role, []).append(permission)
    lines = [f" {json.dumps(role)}: {json.dumps(by_role[role])}" for role in sorted(by_role)]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
