# The APIs that this function needs, and the service agents that get a role.
# The API of an existing secret, key or topic is already enabled.
# Before the first plan, enable cloudresourcemanager and serviceusage in the function's project.

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  apis = toset(concat(
    ["artifactregistry", "cloudbuild", "cloudfunctions", "iam", "logging", "run", "storage"],
    var.egress.connector == null ? [] : ["vpcaccess"],
    local.shared_platform && var.egress.direct != null ? ["compute"] : [], # to be attached to a Shared VPC
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

  # A service agent exists only once requested, and a grant to a missing one fails.
  service_agents = concat(
    local.has_topic ? ["pubsub"] : [],
    # The platform grants roles to these, so they must exist before.
    local.has_bucket ? ["eventarc"] : [],
    local.shared_platform ? ["cloudbuild", "cloudfunctions", "run"] : [],
    local.shared_platform && local.has_key ? ["artifactregistry", "eventarc", "pubsub"] : [],
  )

  # Their e-mails follow from the project number.
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
  # Other functions of the project may need them.
  disable_on_destroy = false
}

resource "google_project_service_identity" "agents" {
  provider = google-beta
  for_each = toset(local.service_agents)

  project = var.project_id
  service = google_project_service.this[each.key].service
}

# Reading Cloud Storage's service agent creates it; nothing else uses this.
# tflint-ignore: terraform_unused_declarations
data "google_storage_project_service_account" "agent" {
  count = local.has_bucket || local.has_key ? 1 : 0

  project    = var.project_id
  depends_on = [google_project_service.this]
}

# Grants to Pub/Sub's service agent depend on this.
resource "time_sleep" "service_agents" {
  count = local.has_topic ? 1 : 0

  create_duration = var.waits.service_agents
  triggers        = { project = var.project_id }

  depends_on = [google_project_service_identity.agents]
}
