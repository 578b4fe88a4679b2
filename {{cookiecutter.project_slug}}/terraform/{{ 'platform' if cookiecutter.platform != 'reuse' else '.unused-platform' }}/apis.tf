# Resource Manager and Service Usage cannot be enabled here: Terraform calls both first. README.md,
# Deploy, shows the command.

locals {
  grants_keys = var.repositories.kms_key_name != null || anytrue([
    for may in values(var.functions.service_agents) : length(may.kms_keys) > 0
  ])

  services = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "compute.googleapis.com",
      "dns.googleapis.com",
      "eventarc.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "servicenetworking.googleapis.com",
      "storage.googleapis.com",
    ],
    var.perimeter.mode == "none" ? [] : ["accesscontextmanager.googleapis.com"],
    # Of the quota project, wherever the key is.
    local.grants_keys ? ["cloudkms.googleapis.com"] : [],
  ))
}

data "google_project" "this" {
  project_id = var.project_id
}

resource "google_project_service" "this" {
  for_each = local.services

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false # others may use it
}

# A service agent exists only once requested.
resource "google_project_service_identity" "agent" {
  for_each = toset(["artifactregistry", "cloudbuild", "cloudfunctions", "eventarc", "pubsub", "run"])
  provider = google-beta

  project = var.project_id
  service = google_project_service.this["${each.key}.googleapis.com"].service
}

# Reading Cloud Storage's service agent creates it.
data "google_storage_project_service_account" "agent" {
  project    = var.project_id
  depends_on = [google_project_service.this]
}
