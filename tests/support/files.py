"""The contract: which files a product has, by its answers."""

from __future__ import annotations

from tests.support.template import PRODUCT

COMMON_FILES = {
    ".gcloudignore",
    ".gitattributes",
    ".gitignore",
    ".pre-commit-config.yaml",
    ".yamllint.yaml",
    "Makefile",
    "README.ja.md",
    "README.md",
    "docs/operations.md",
    "function/main.py",
    "function/requirements.in",
    "function/requirements.txt",
    "function/structured_log.py",
    "pyproject.toml",
    "terraform/.checkov.yaml",
    "terraform/.tflint.hcl",
    "terraform/function/apis.tf",
    "terraform/function/egress.tf",
    "terraform/function/function.tf",
    "terraform/function/identities.tf",
    "terraform/function/docker.tf",
    "terraform/function/outputs.tf",
    "terraform/function/platform.auto.tfvars.json",
    "terraform/function/removed.tf",
    "terraform/function/settings.auto.tfvars.json",
    "terraform/function/source.tf",
    "terraform/function/tests/modes.tftest.hcl",
    "terraform/function/tests/reference.tftest.hcl",
    "terraform/function/tests/refusals.tftest.hcl",
    "terraform/function/tests/sources/good/main.py",
    "terraform/function/tests/sources/good/requirements.txt",
    "terraform/function/tests/sources/good/test_main.py",
    "terraform/function/tests/sources/without-framework/main.py",
    "terraform/function/tests/sources/without-framework/requirements.txt",
    "terraform/function/tests/sources/without-main/requirements.txt",
    "terraform/function/trigger.tf",
    "terraform/function/variables.tf",
    "terraform/function/versions.tf",
    "tests/framework_client.py",
    "tests/real_parts.py",
    "tests/requirements.in",
    "tests/requirements.txt",
    "tests/test_integration.py",
    "tests/test_main.py",
    "tests/test_repository.py",
    "tests/test_structured_log.py",
    "tools/requirements.in",
    "tools/requirements.txt",
}
# A package of its own, whole in every repository.
COMMON_FILES |= {
    path.relative_to(PRODUCT).as_posix()
    for path in (PRODUCT / "closed_function").rglob("*")
    if path.suffix in (".py", ".json")
}
FILES_OF_PUBSUB = {"function/pubsub_message.py", "tests/test_pubsub_message.py"}
FILES_OF_KIND = {
    "alert-to-snmp": {
        "events/incident-closed.json",
        "events/incident-open.json",
        "events/test-notification.json",
        "function/incident.py",
        "function/settings.py",
        "function/snmp.py",
        "function/snmp_v2c.py",
        "function/snmp_v3.py",
        "mibs/ALERT-TO-SNMP-MIB.txt",
        "tests/receiver.py",
    }
    | FILES_OF_PUBSUB,
    "pubsub": {"events/message.json"} | FILES_OF_PUBSUB,
    "http": {"events/request.json"},
    "storage": {"events/object-finalized.json"},
}
FILES_OF_PLATFORM = {
    "terraform/platform/apis.tf",
    "terraform/platform/dns.tf",
    "terraform/platform/identities.tf",
    "terraform/platform/network.tf",
    "terraform/platform/outputs.tf",
    "terraform/platform/perimeter.tf",
    "terraform/platform/pool.tf",
    "terraform/platform/repositories.tf",
    "terraform/platform/service_agents.tf",
    "terraform/platform/settings.auto.tfvars.json",
    "terraform/platform/tests/modes.tftest.hcl",
    "terraform/platform/tests/reference.tftest.hcl",
    "terraform/platform/tests/refusals.tftest.hcl",
    "terraform/platform/upstreams.tf",
    "terraform/platform/variables.tf",
    "terraform/platform/versions.tf",
}
FILES_OF_CI = {
    "github-actions": {
        ".github/dependabot.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/deploy.yml",
        ".github/workflows/renew.yml",
    },
    "cloud-build": {"cloudbuild-deploy.yaml", "cloudbuild.yaml", "renovate.json"},
    "none": set(),
}
