locals {
  # The repository of the index line.
  python_index_repository = (
    var.repositories.virtual == null
    ? google_artifact_registry_repository.python.repository_id
    : google_artifact_registry_repository.virtual[0].repository_id
  )
}

resource "google_kms_crypto_key_iam_member" "repositories" {
  count = var.repositories.kms_key_name == null ? 0 : 1

  crypto_key_id = var.repositories.kms_key_name
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.service_agent_members[var.project_id].artifactregistry

  depends_on = [time_sleep.identities]
}

resource "google_artifact_registry_repository" "python" {
  project                = var.project_id
  location               = var.region
  repository_id          = var.repositories.python
  description            = "The index that pip uses: packages of the public index, cached here."
  format                 = "PYTHON"
  mode                   = "REMOTE_REPOSITORY"
  cleanup_policy_dry_run = var.repositories.cleanup_policy_dry_run
  kms_key_name           = var.repositories.kms_key_name

  remote_repository_config {
    description = "The public index"
    python_repository {
      public_repository = "PYPI"
    }
  }

  vulnerability_scanning_config {
    enablement_config = var.repositories.vulnerability_scanning
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.repositories]
}

resource "google_artifact_registry_repository" "docker" {
  project                = var.project_id
  location               = var.region
  repository_id          = var.repositories.docker
  description            = "Images that builds of functions write."
  format                 = "DOCKER"
  mode                   = "STANDARD_REPOSITORY"
  cleanup_policy_dry_run = var.repositories.cleanup_policy_dry_run
  kms_key_name           = var.repositories.kms_key_name

  vulnerability_scanning_config {
    enablement_config = var.repositories.vulnerability_scanning
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.repositories]
}

resource "google_artifact_registry_repository" "images" {
  count = var.repositories.images == null ? 0 : 1

  project                = var.project_id
  location               = var.region
  repository_id          = var.repositories.images
  description            = "Images that CI runs in: those of Docker Hub, cached here."
  format                 = "DOCKER"
  mode                   = "REMOTE_REPOSITORY"
  cleanup_policy_dry_run = var.repositories.cleanup_policy_dry_run
  kms_key_name           = var.repositories.kms_key_name

  remote_repository_config {
    description = "Docker Hub"
    docker_repository {
      public_repository = "DOCKER_HUB"
    }
  }

  vulnerability_scanning_config {
    enablement_config = var.repositories.vulnerability_scanning
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.repositories]
}

resource "google_artifact_registry_repository" "private" {
  count = var.repositories.virtual == null ? 0 : 1

  project                = var.project_id
  location               = var.region
  repository_id          = var.repositories.virtual.private
  description            = "The organisation's own packages."
  format                 = "PYTHON"
  mode                   = "STANDARD_REPOSITORY"
  cleanup_policy_dry_run = var.repositories.cleanup_policy_dry_run
  kms_key_name           = var.repositories.kms_key_name

  vulnerability_scanning_config {
    enablement_config = var.repositories.vulnerability_scanning
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.repositories]
}

resource "google_artifact_registry_repository" "virtual" {
  count = var.repositories.virtual == null ? 0 : 1

  project       = var.project_id
  location      = var.region
  repository_id = var.repositories.virtual.name
  description   = "The index that pip uses: our own packages first, then those of the public index."
  format        = "PYTHON"
  mode          = "VIRTUAL_REPOSITORY"
  kms_key_name  = var.repositories.kms_key_name

  virtual_repository_config {
    dynamic "upstream_policies" {
      for_each = [
        { repository = google_artifact_registry_repository.private[0].repository_id, priority = 100 },
        { repository = google_artifact_registry_repository.python.repository_id, priority = 50 },
      ]
      content {
        id         = upstream_policies.value.repository
        repository = "${local.location}/repositories/${upstream_policies.value.repository}"
        priority   = upstream_policies.value.priority
      }
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.repositories]
}
