# One account each for the build, the runtime and the trigger, with the roles that it needs.

locals {
  # Only the platform's owner can make grants in another project.
  shared_platform = var.platform.project_id != var.project_id

  has_key = var.function.kms_key_name != null

  # What Google's service agents need on what other functions use, too: the project, an existing topic,
  # a key. The platform grants it once, so that no function revokes it.
  service_agents_must = {
    storage_triggers = local.has_bucket
    alert_topics     = [for topic in [var.trigger.topic] : topic if topic != null && var.trigger.kind == "alert"]
    kms_keys         = [for key in [var.function.kms_key_name] : key if key != null]
  }
  service_agents_may = lookup(var.platform.service_agents, var.project_id, {
    storage_triggers = false
    alert_topics     = []
    kms_keys         = []
  })
  service_agents_lack = concat(
    (
      local.service_agents_must.storage_triggers && !local.service_agents_may.storage_triggers
      ? ["storage_triggers"] : []
    ),
    tolist(setsubtract(local.service_agents_must.alert_topics, local.service_agents_may.alert_topics)),
    tolist(setsubtract(local.service_agents_must.kms_keys, local.service_agents_may.kms_keys)),
  )

  # A build service account of another project cannot build here.
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

  # The service creates these buckets for sources at the first deployment.
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

  # With a condition, because these buckets do not exist before the first deployment.
  condition {
    title = "sources of functions"
    expression = join(" || ", [
      for prefix in local.source_bucket_prefixes : "resource.name.startsWith(\"projects/_/buckets/${prefix}\")"
    ])
  }
}

resource "terraform_data" "docker" {
  input = one(google_artifact_registry_repository.docker[*].id)
}

# If the platform is in another project, only its owner can grant the first: see platform_must_list.
resource "google_artifact_registry_repository_iam_member" "build" {
  for_each = {
    for repository, grant in {
      python = { id = var.platform.python_repository, role = "roles/artifactregistry.reader" }
      docker = { id = local.docker_repository, role = "roles/artifactregistry.writer" }
    } : repository => grant if local.own_build_account && split("/", grant.id)[1] == var.project_id
  }

  project    = split("/", each.value.id)[1]
  location   = split("/", each.value.id)[3]
  repository = split("/", each.value.id)[5]
  role       = each.value.role
  member     = "serviceAccount:${local.emails["build"]}"

  lifecycle {
    replace_triggered_by = [terraform_data.docker]
  }
}

# The function depends on this: its build needs accounts and roles that are propagated.
resource "time_sleep" "iam" {
  create_duration = var.waits.iam

  # Another account or role needs another wait. Never use an attribute of a grant here: the provider
  # may write it in another form than planned.
  triggers = {
    accounts     = join(" ", values(local.emails))
    roles        = join(" ", var.function.runtime_roles)
    secrets      = join(" ", local.secrets)
    repositories = local.own_build_account ? "${var.platform.python_repository} ${local.docker_repository}" : ""
    bucket       = local.has_bucket ? local.bucket : ""
  }

  lifecycle {
    replace_triggered_by = [terraform_data.docker]
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_sources,
    google_project_iam_member.event_receiver,
    google_project_iam_member.runtime,
    google_secret_manager_secret_iam_member.runtime,
    google_storage_bucket_iam_member.runtime,
  ]
}
