# Who builds, who runs, who calls: one account each, with roles on exactly what it needs.

locals {
  # What has to happen in another project is for the platform's owner to do.
  shared_platform = var.platform.project_id != var.project_id

  # An account of another project cannot build here.
  own_build_account = var.function.own_build_service_account || local.shared_platform

  emails = {
    for purpose, account in google_service_account.this :
    purpose => "${account.account_id}@${account.project}.iam.gserviceaccount.com"
  }
  build_account = (
    local.own_build_account
    ? { project = var.project_id, email = local.emails["build"] }
    : { project = var.platform.project_id, email = var.platform.build_service_account }
  )

  # The buckets that the service itself makes for sources, at the first deployment.
  source_bucket_prefixes = ["gcf-v2-sources-", "gcf-v2-uploads-", "run-sources-"]

  secrets = toset([
    for used in concat(values(var.function.secret_environment), values(var.function.secret_volumes)) : used.secret
  ])
}

resource "google_service_account" "this" {
  for_each = merge(
    { runtime = "runs" },
    var.trigger.kind == "http" ? {} : { trigger = "calls" },
    local.own_build_account ? { build = "builds" } : {},
  )

  project      = var.project_id
  account_id   = "${var.function.name}-${each.key}"
  display_name = "Account that ${each.value} ${var.function.name}"

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "runtime" {
  for_each = var.function.runtime_roles

  project = var.project_id
  role    = each.key
  member  = "serviceAccount:${local.emails["runtime"]}"
}

resource "google_secret_manager_secret_iam_member" "runtime" {
  for_each = local.secrets

  project   = var.project_id
  secret_id = each.key
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${local.emails["runtime"]}"
}

resource "google_project_iam_member" "build_logs" {
  count = local.own_build_account ? 1 : 0

  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${local.emails["build"]}"
}

resource "google_project_iam_member" "build_sources" {
  count = local.own_build_account ? 1 : 0

  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = "serviceAccount:${local.emails["build"]}"

  # By condition, because these buckets do not exist before the first deployment.
  condition {
    title = "sources of functions"
    expression = join(" || ", [
      for prefix in local.source_bucket_prefixes : "resource.name.startsWith(\"projects/_/buckets/${prefix}\")"
    ])
  }
}

# In a platform of another project only its owner can grant these: see output platform_must_list.
resource "google_artifact_registry_repository_iam_member" "build" {
  for_each = {
    for repository, grant in {
      python = { id = var.platform.python_repository, role = "roles/artifactregistry.reader" }
      docker = { id = var.platform.docker_repository, role = "roles/artifactregistry.writer" }
    } : repository => grant if local.own_build_account && !local.shared_platform
  }

  project    = split("/", each.value.id)[1]
  location   = split("/", each.value.id)[3]
  repository = split("/", each.value.id)[5]
  role       = each.value.role
  member     = "serviceAccount:${local.emails["build"]}"
}

# The function depends on this: when it is built, its accounts and their roles are in force.
resource "time_sleep" "iam" {
  create_duration = var.waits.iam

  # What is waited for: another account or role means another wait.
  triggers = {
    accounts = join(" ", values(local.emails))
    grants = join(", ", concat(
      [
        for grant in concat(
          values(google_project_iam_member.runtime),
          google_project_iam_member.build_logs,
          google_project_iam_member.build_sources,
          values(google_project_iam_member.storage_trigger),
        ) : "${grant.role} to ${grant.member}"
      ],
      [for grant in google_artifact_registry_repository_iam_member.build : "${grant.role} on ${grant.repository}"],
      [for grant in google_secret_manager_secret_iam_member.runtime : "${grant.role} on ${grant.secret_id}"],
      [for grant in google_storage_bucket_iam_member.runtime : "${grant.role} on ${grant.bucket}"],
    ))
  }
}
