# Where the build writes the image: the API refuses a Docker repository of another project.

locals {
  docker_repository = (
    local.shared_platform
    ? "projects/${var.project_id}/locations/${var.platform.region}/repositories/${var.function.name}"
    : var.platform.docker_repository
  )
}

resource "google_artifact_registry_repository" "docker" {
  count = local.shared_platform ? 1 : 0

  project                = var.project_id
  location               = var.platform.region
  repository_id          = var.function.name
  description            = "Images that builds of ${var.function.name} write."
  labels                 = var.function.labels
  format                 = "DOCKER"
  mode                   = "STANDARD_REPOSITORY"
  cleanup_policy_dry_run = true
  kms_key_name           = var.function.kms_key_name

  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }

  depends_on = [google_project_service.this]
}
