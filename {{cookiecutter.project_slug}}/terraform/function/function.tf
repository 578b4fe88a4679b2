# The function.

# Replace the function when the type of egress changes: the service would keep both.
resource "terraform_data" "egress" {
  input = var.egress.direct == null ? "connector" : "direct"
}

resource "google_cloudfunctions2_function" "this" {
  project      = var.project_id
  location     = var.platform.region
  name         = var.function.name
  description  = var.function.description
  labels       = var.function.labels
  kms_key_name = var.function.kms_key_name

  build_config {
    runtime           = var.function.runtime
    entry_point       = var.function.entry_point
    worker_pool       = var.platform.worker_pool
    docker_repository = local.docker_repository
    service_account   = "projects/${local.build_account.project}/serviceAccounts/${local.build_account.email}"

    environment_variables = merge(var.function.build_environment, {
      # From Python 3.14 on the build would use uv, which had no credentials for the index.
      GOOGLE_PYTHON_PACKAGE_MANAGER = "pip"
      # Also for what pip installs before it reads requirements.txt.
      PIP_INDEX_URL = var.platform.python_index_url
    })

    source {
      storage_source {
        bucket     = google_storage_bucket.source.name
        object     = google_storage_bucket_object.source.name
        generation = google_storage_bucket_object.source.generation
      }
    }

    dynamic "automatic_update_policy" {
      for_each = var.function.automatic_update ? [true] : []
      content {}
    }
  }

  service_config {
    service_account_email            = local.emails["runtime"]
    available_memory                 = var.function.available_memory
    available_cpu                    = var.function.available_cpu
    timeout_seconds                  = var.function.timeout_seconds
    min_instance_count               = var.function.min_instances
    max_instance_count               = var.function.max_instances
    max_instance_request_concurrency = var.function.instance_concurrency
    all_traffic_on_latest_revision   = true
    environment_variables            = merge({ LOG_EXECUTION_ID = "true" }, var.function.environment)
    binary_authorization_policy      = var.function.binary_authorization_policy

    ingress_settings = var.function.ingress

    direct_vpc_egress = var.egress.direct == null ? null : "VPC_EGRESS_ALL_TRAFFIC"
    dynamic "direct_vpc_network_interface" {
      for_each = var.egress.direct == null ? [] : [var.egress.direct]
      content {
        # By name, as the service returns them; in a Shared VPC by the full path.
        network    = local.shared_platform ? var.platform.network : basename(var.platform.network)
        subnetwork = local.shared_platform ? var.platform.subnetwork : basename(var.platform.subnetwork)
        tags       = direct_vpc_network_interface.value.tags
      }
    }
    vpc_connector                 = local.connector_id
    vpc_connector_egress_settings = var.egress.connector == null ? null : "ALL_TRAFFIC"

    dynamic "secret_environment_variables" {
      for_each = var.function.secret_environment
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
    dynamic "secret_volumes" {
      for_each = var.function.secret_volumes
      content {
        mount_path = secret_volumes.key
        project_id = var.project_id
        secret     = secret_volumes.value.secret
        versions {
          version = secret_volumes.value.version
          path    = secret_volumes.value.path
        }
      }
    }
  }

  dynamic "event_trigger" {
    for_each = local.has_bucket ? [true] : []
    content {
      event_type            = "google.cloud.storage.object.v1.finalized"
      trigger_region        = var.platform.region
      retry_policy          = "RETRY_POLICY_RETRY"
      service_account_email = local.emails["trigger"]
      event_filters {
        attribute = "bucket"
        value     = local.bucket
      }
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.egress]

    precondition {
      condition = (
        !local.shared_platform || contains(coalesce(var.platform.function_projects, [var.project_id]), var.project_id)
      )
      error_message = join(" ", [
        "The platform's `functions` does not have the project ${var.project_id}, so nothing can be built in it.",
        "Run `make accounts`, which prints what the platform's owner adds; `make platform` then writes it to the",
        "hand-over file.",
      ])
    }
    precondition {
      condition = length(local.service_agents_lack) == 0
      error_message = join(" ", [
        "The platform does not allow Google's service agents of ${var.project_id} what this function needs:",
        "${join(", ", local.service_agents_lack)}. Run `make accounts`, which prints what the platform's owner",
        "adds to `functions`; `make platform` then writes it to platform.service_agents of the hand-over file.",
      ])
    }
  }

  depends_on = [google_artifact_registry_repository.docker, google_project_service.this, time_sleep.iam]
}
