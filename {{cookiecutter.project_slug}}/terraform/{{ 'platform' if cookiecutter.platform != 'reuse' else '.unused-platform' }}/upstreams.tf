# The switch, which no perimeter rule replaces: inside a perimeter a remote repository may use its
# upstream only while it is at ALLOW, and pip does not report a refusal.

locals {
  allow_upstreams = coalesce(var.upstreams.allow, var.perimeter.mode != "none" && local.enforced)
}

resource "time_sleep" "perimeter" {
  count = local.allow_upstreams && var.perimeter.mode != "none" ? 1 : 0

  create_duration = var.waits.perimeter
  triggers = {
    perimeter = local.perimeter
    members   = join(",", values(local.members))
    rules     = sha256(jsonencode(local.rules))
  }

  depends_on = [
    google_access_context_manager_service_perimeter_resource.member,
    google_access_context_manager_service_perimeter_ingress_policy.rule,
  ]
}

# Destroy changes nothing in Google Cloud: the switch stays at ALLOW until `make deny`.
resource "google_artifact_registry_vpcsc_config" "this" {
  count    = local.allow_upstreams ? 1 : 0
  provider = google-beta

  project      = var.project_id
  location     = var.region
  vpcsc_policy = "ALLOW"

  depends_on = [google_project_service.this, time_sleep.perimeter]
}
