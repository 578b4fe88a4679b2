# In the network, the names of Google's APIs resolve to the restricted VIP.

locals {
  # The domain and, as aliases, all names in it. googleapis.com itself has no address.
  zones = local.restricted_vip ? {
    "cloudfunctions.net" = "cloudfunctions.net"
    "gcr.io"             = "gcr.io"
    "googleapis.com"     = "restricted.googleapis.com"
    "pkg.dev"            = "pkg.dev"
    "run.app"            = "run.app"
  } : {}
}

resource "google_dns_managed_zone" "restricted_vip" {
  for_each = local.zones

  project     = var.project_id
  name        = "${local.network_name}-${replace(each.key, ".", "-")}"
  description = "${each.key} on the restricted VIP."
  dns_name    = "${each.key}."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = local.network
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_dns_record_set" "address" {
  for_each = local.zones

  project      = var.project_id
  managed_zone = google_dns_managed_zone.restricted_vip[each.key].name
  name         = "${each.value}."
  type         = "A"
  ttl          = 300
  rrdatas      = local.restricted_addresses
}

resource "google_dns_record_set" "alias" {
  for_each = local.zones

  project      = var.project_id
  managed_zone = google_dns_managed_zone.restricted_vip[each.key].name
  name         = "*.${each.key}."
  type         = "CNAME"
  ttl          = 300
  rrdatas      = ["${each.value}."]
}
