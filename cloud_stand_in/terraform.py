"""How the real Terraform providers are led to the stand-in."""

from __future__ import annotations

from .server import TOKEN

# The part of the variable GOOGLE_…_CUSTOM_ENDPOINT, and the provider's address for the service.
# https://registry.terraform.io/providers/hashicorp/google/latest/docs/guides/provider_reference
ENDPOINTS = {
    "ACCESS_CONTEXT_MANAGER": "accesscontextmanager.googleapis.com/v1/",
    "ARTIFACT_REGISTRY": "artifactregistry.googleapis.com/v1/",
    "CLOUDFUNCTIONS2": "cloudfunctions.googleapis.com/v2/",
    "CLOUD_BILLING": "cloudbilling.googleapis.com/v1/",
    "CLOUD_BUILD": "cloudbuild.googleapis.com/v1/",
    "CLOUD_RUN_V2": "run.googleapis.com/v2/",
    "COMPUTE": "compute.googleapis.com/compute/v1/",
    "DNS": "dns.googleapis.com/dns/v1/",
    "IAM_BETA": "iam.googleapis.com/v1/",
    "KMS": "cloudkms.googleapis.com/v1/",
    "MONITORING": "monitoring.googleapis.com/",
    "PUBSUB": "pubsub.googleapis.com/v1/",
    "RESOURCE_MANAGER": "cloudresourcemanager.googleapis.com/v1/",
    "RESOURCE_MANAGER_V3": "cloudresourcemanager.googleapis.com/v3/",
    "SECRET_MANAGER": "secretmanager.googleapis.com/v1/",
    "SERVICE_NETWORKING": "servicenetworking.googleapis.com/v1/",
    "SERVICE_USAGE": "serviceusage.googleapis.com/v1/",
    "STORAGE": "storage.googleapis.com/storage/v1/",
    "VPC_ACCESS": "vpcaccess.googleapis.com/v1/",
}


def environment(url: str) -> dict[str, str]:
    """Return what leads the providers to the stand-in at `url`.

    What they call besides goes to it as their proxy, which refuses and records it.
    """
    endpoints = {
        f"GOOGLE_{name}_CUSTOM_ENDPOINT": f"{url}/{path}" for name, path in ENDPOINTS.items()
    }
    return {
        **endpoints,
        "GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN,
        "HTTPS_PROXY": url,
        "NO_PROXY": "127.0.0.1",
    }
