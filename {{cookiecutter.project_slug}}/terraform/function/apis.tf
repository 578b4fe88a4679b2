# The APIs that this function needs, and the service agents that somebody grants a role to.
# A secret, key or topic that is given proves by its existence that its API is on.
# Before the first plan cloudresourcemanager and serviceusage must be on in the function's project.

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  apis = toset(concat(
    ["artifactregistry", "cloudbuild", "cloudfunctions", "iam", "logging", "run", "storage"],
    var.egress.connector == null ? [] : ["vpcaccess"],
    var.function.binary_authorization_policy == null ? [] : ["binaryauthorization"],
    contains(var.function.runtime_roles, "roles/errorreporting.writer") ? ["clouderrorreporting"] : [],
    {
      http    = []
      pubsub  = ["pubsub"]
      alert   = ["pubsub", "monitoring"]
      storage = ["pubsub", "eventarc"]
    }[var.trigger.kind],
    local.service_agents,
  ))

  # Agents come into being when they are asked for, and a grant to one that does not exist fails.
  service_agents = concat(
    local.has_topic ? ["pubsub"] : [],
    # The platform grants these something, so they must be there before it does.
    local.has_bucket ? ["eventarc"] : [],
    local.shared_platform ? ["cloudbuild", "cloudfunctions", "run"] : [],
    local.shared_platform && local.has_key ? ["artifactregistry", "eventarc", "pubsub"] : [],
  )

  # Their e-mails are fixed by the project's number.
  agents = {
    for name, domain in {
      monitoring = "gcp-sa-monitoring-notification"
      pubsub     = "gcp-sa-pubsub"
    } : name => "service-${data.google_project.this.number}@${domain}.iam.gserviceaccount.com"
  }
}

resource "google_project_service" "this" {
  for_each = local.apis

  project = var.project_id
  service = "${each.key}.googleapis.com"
  # Other functions of the project need them, too.
  disable_on_destroy = false
}

resource "google_project_service_identity" "agents" {
  provider = google-beta
  for_each = toset(local.service_agents)

  project = var.project_id
  service = google_project_service.this[each.key].service
}

# Cloud Storage's agent comes into being when it is read, and that is all that it is read for.
# tflint-ignore: terraform_unused_declarations
data "google_storage_project_service_account" "agent" {
  count = local.has_bucket || local.has_key ? 1 : 0

  project    = var.project_id
  depends_on = [google_project_service.this]
}

# What grants a role to Pub/Sub's agent depends on this.
resource "time_sleep" "service_agents" {
  count = local.has_topic ? 1 : 0

  create_duration = var.waits.service_agents
  triggers        = { project = var.project_id }

  depends_on = [google_project_service_identity.agents]
}
