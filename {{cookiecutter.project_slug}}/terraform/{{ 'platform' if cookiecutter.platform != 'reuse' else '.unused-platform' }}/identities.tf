# The service accounts of builds and of CI, and their roles. Their names are built from settings, so that every plan
# shows them.

locals {
  build_service_account = format("%s@${var.project_id}.iam.gserviceaccount.com", (
    var.build_service_account.create
    ? google_service_account.build[0].account_id : var.build_service_account.account_id
  ))

  # None or one.
  ci_service_accounts = toset([for account in var.ci_service_account[*] : format(
    "%s@${var.project_id}.iam.gserviceaccount.com",
    account.create ? google_service_account.ci[0].account_id : account.account_id,
  )])

  # A function's own build service account in the platform's project gets its repository grants from the function.
  build_service_accounts = distinct(concat([local.build_service_account], var.functions.build_service_accounts))
  granted_here = toset([
    for account in local.build_service_accounts : account
    if account == local.build_service_account || !endswith(account, "@${var.project_id}.iam.gserviceaccount.com")
  ])
}

resource "google_service_account" "build" {
  count = var.build_service_account.create ? 1 : 0

  project      = var.project_id
  account_id   = var.build_service_account.account_id
  display_name = "Builds of functions"
  description  = "Reads the Python repository, writes the Docker one, reads the functions' sources."

  depends_on = [google_project_service.this]
}

resource "google_service_account" "ci" {
  count = try(var.ci_service_account.create, false) ? 1 : 0

  project      = var.project_id
  account_id   = var.ci_service_account.account_id
  display_name = "Checks of changes"
  description  = "Reads the index and the images that CI runs in, and writes logs."

  depends_on = [google_project_service.this]
}

# Grants and ingress rules refuse an account that is not propagated yet.
resource "time_sleep" "identities" {
  create_duration = var.waits.iam
  triggers = merge(
    { build_service_account = local.build_service_account },
    { for account in local.ci_service_accounts : "ci_service_account" => account },
  )

  depends_on = [data.google_storage_project_service_account.agent, google_project_service_identity.agent]
}

resource "google_project_iam_member" "build_logs" {
  count = var.project_grants ? 1 : 0

  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${local.build_service_account}"

  depends_on = [time_sleep.identities]
}

resource "google_project_iam_member" "ci_logs" {
  for_each = var.project_grants ? local.ci_service_accounts : []

  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${each.key}"

  depends_on = [time_sleep.identities]
}

# With a condition, because Google creates these buckets at the first deployment.
resource "google_project_iam_member" "build_sources" {
  count = var.project_grants ? 1 : 0

  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = "serviceAccount:${local.build_service_account}"

  condition {
    title = "sources-of-functions"
    expression = join(" || ", [
      for prefix in ["gcf-v2-sources-", "gcf-v2-uploads-", "run-sources-"] :
      "resource.name.startsWith(\"projects/_/buckets/${prefix}\")"
    ])
  }

  depends_on = [time_sleep.identities]
}

# A replaced repository, such as with another key, loses its grants, so they are replaced, too.
resource "terraform_data" "python_index" {
  input = (
    var.repositories.virtual == null
    ? google_artifact_registry_repository.python.id : google_artifact_registry_repository.virtual[0].id
  )
}

resource "google_artifact_registry_repository_iam_member" "build_reads_python" {
  for_each = local.granted_here

  project    = var.project_id
  location   = var.region
  repository = local.python_index_repository
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${each.key}"

  lifecycle {
    replace_triggered_by = [terraform_data.python_index]
  }

  depends_on = [time_sleep.identities]
}

# A function in another project writes to its own Docker repository there.
resource "google_artifact_registry_repository_iam_member" "build_writes_docker" {
  for_each = toset([local.build_service_account])

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.docker.repository_id
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${each.key}"

  lifecycle {
    replace_triggered_by = [google_artifact_registry_repository.docker.id]
  }

  depends_on = [time_sleep.identities]
}

resource "google_artifact_registry_repository_iam_member" "build_reads_images" {
  for_each = var.repositories.images == null ? [] : local.granted_here

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images[0].repository_id
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${each.key}"

  lifecycle {
    replace_triggered_by = [google_artifact_registry_repository.images[0].id]
  }

  depends_on = [time_sleep.identities]
}

resource "google_artifact_registry_repository_iam_member" "ci_reads_python" {
  for_each = local.ci_service_accounts

  project    = var.project_id
  location   = var.region
  repository = local.python_index_repository
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${each.key}"

  lifecycle {
    replace_triggered_by = [terraform_data.python_index]
  }

  depends_on = [time_sleep.identities]
}

resource "google_artifact_registry_repository_iam_member" "ci_reads_images" {
  for_each = var.repositories.images == null ? [] : local.ci_service_accounts

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images[0].repository_id
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${each.key}"

  lifecycle {
    replace_triggered_by = [google_artifact_registry_repository.images[0].id]
  }

  depends_on = [time_sleep.identities]
}

# For a function in another project, its Cloud Functions agent starts builds in this pool, and its
# Cloud Run agent uses addresses of the subnetwork.
resource "google_project_iam_member" "pool_user" {
  for_each = var.project_grants ? var.functions.projects : {}

  project = var.project_id
  role    = "roles/cloudbuild.workerPoolUser"
  member  = local.service_agent_members[each.key].cloudfunctions

  depends_on = [time_sleep.identities]
}

resource "google_compute_subnetwork_iam_member" "run_uses_subnetwork" {
  for_each = var.network.subnetwork.create ? var.functions.projects : {}

  project    = var.project_id
  region     = var.region
  subnetwork = google_compute_subnetwork.functions[0].name
  role       = "roles/compute.networkUser"
  member     = local.service_agent_members[each.key].run

  lifecycle {
    replace_triggered_by = [google_compute_subnetwork.functions[0].id]
  }

  depends_on = [time_sleep.identities]
}

# When this apply ends, the build service account is propagated, so a function does not wait for it.
resource "time_sleep" "grants" {
  create_duration = var.waits.iam
  triggers = {
    accounts       = join(",", concat(sort(local.granted_here), keys(var.functions.projects)))
    service_agents = jsonencode(local.service_agents)
    index          = local.python_index_repository
  }

  lifecycle {
    replace_triggered_by = [
      google_artifact_registry_repository_iam_member.build_reads_python,
      google_artifact_registry_repository_iam_member.build_writes_docker,
    ]
  }

  depends_on = [
    google_project_iam_member.build_logs,
    google_project_iam_member.build_sources,
    google_project_iam_member.ci_logs,
    google_project_iam_member.pool_user,
    google_project_iam_member.storage_triggers,
    google_artifact_registry_repository_iam_member.build_reads_python,
    google_artifact_registry_repository_iam_member.build_writes_docker,
    google_artifact_registry_repository_iam_member.build_reads_images,
    google_artifact_registry_repository_iam_member.ci_reads_python,
    google_artifact_registry_repository_iam_member.ci_reads_images,
    google_compute_subnetwork_iam_member.run_uses_subnetwork,
    google_kms_crypto_key_iam_member.functions,
    google_pubsub_topic_iam_member.alerts,
  ]
}
