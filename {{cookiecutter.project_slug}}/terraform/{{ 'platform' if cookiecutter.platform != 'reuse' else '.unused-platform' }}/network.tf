locals {
  network_name   = var.network.create ? google_compute_network.this[0].name : var.network.name
  network        = "projects/${var.project_id}/global/networks/${local.network_name}"
  restricted_vip = coalesce(var.network.restricted_vip, var.network.create)
  deny_egress    = coalesce(var.network.deny_egress, var.network.create)

  # The addresses of Google that serve only what VPC Service Controls supports.
  restricted_range     = "199.36.153.4/30"
  restricted_addresses = [for host in range(4) : cidrhost(local.restricted_range, host)]
}

resource "google_compute_network" "this" {
  count = var.network.create ? 1 : 0

  project                         = var.project_id
  name                            = var.network.name
  description                     = "Closed: no route to the internet, Google's APIs on the restricted VIP."
  auto_create_subnetworks         = false
  delete_default_routes_on_create = true

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "functions" {
  count = var.network.subnetwork.create ? 1 : 0

  project                  = var.project_id
  region                   = var.region
  network                  = local.network
  name                     = var.network.subnetwork.name
  description              = "Direct VPC egress of functions."
  ip_cidr_range            = var.network.subnetwork.ip_cidr_range
  private_ip_google_access = true

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_route" "restricted_vip" {
  count = local.restricted_vip ? 1 : 0

  project          = var.project_id
  network          = local.network
  name             = "${local.network_name}-restricted-vip"
  description      = "Google's APIs; the packets never leave Google."
  dest_range       = local.restricted_range
  next_hop_gateway = "default-internet-gateway"

  depends_on = [google_project_service.this]
}

resource "google_compute_firewall" "deny_egress" {
  count = local.deny_egress ? 1 : 0

  project            = var.project_id
  network            = local.network
  name               = "${local.network_name}-deny-egress"
  description        = "Everything that no other rule allows."
  direction          = "EGRESS"
  priority           = 65534
  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_firewall" "allow_egress" {
  for_each = local.deny_egress ? merge(var.network.egress_allowances, {
    restricted-vip = { ranges = [local.restricted_range], protocol = "tcp", ports = ["443"] }
  }) : {}

  project            = var.project_id
  network            = local.network
  name               = "${local.network_name}-allow-${each.key}"
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = each.value.ranges

  allow {
    protocol = each.value.protocol
    ports    = each.value.ports
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }

  depends_on = [google_project_service.this]
}
