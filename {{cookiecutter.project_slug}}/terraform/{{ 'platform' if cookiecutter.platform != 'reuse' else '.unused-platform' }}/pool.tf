# The workers run in a network of Cloud Build that is peered with ours and uses addresses of the
# reserved range.

locals {
  peering_ranges = concat(var.peering.keep_ranges, [var.peering.name])
}

resource "google_compute_global_address" "services" {
  count = var.peering.create ? 1 : 0

  project       = var.project_id
  network       = local.network
  name          = var.peering.name
  description   = "Addresses of Cloud Build's workers."
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = split("/", var.peering.ip_cidr_range)[0]
  prefix_length = tonumber(split("/", var.peering.ip_cidr_range)[1])

  lifecycle {
    create_before_destroy = true # the peering gets the new range before it loses the old one
  }

  depends_on = [google_project_service.this]
}

resource "google_service_networking_connection" "services" {
  count = var.peering.create ? 1 : 0

  network                 = local.network
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = local.peering_ranges
  update_on_creation_fail = true # a network has one peering; an existing one is extended
  deletion_policy         = var.network.create ? "DELETE" : "ABANDON"

  depends_on = [google_compute_global_address.services, google_project_service.this]
}

resource "google_service_networking_vpc_service_controls" "services" {
  count = var.network.producer_restricted_vip ? 1 : 0

  project = var.project_id
  network = local.network_name
  service = "servicenetworking.googleapis.com"
  enabled = true

  depends_on = [google_service_networking_connection.services]
}

resource "time_sleep" "peering" {
  count = var.peering.create ? 1 : 0

  create_duration = var.waits.peering
  triggers        = { ranges = join(",", local.peering_ranges) }

  depends_on = [google_service_networking_connection.services]
}

resource "google_cloudbuild_worker_pool" "this" {
  project  = var.project_id
  location = var.region
  name     = var.pool.name

  worker_config {
    machine_type   = var.pool.machine_type
    disk_size_gb   = var.pool.disk_size_gb
    no_external_ip = true
  }

  network_config {
    peered_network          = local.network
    peered_network_ip_range = var.pool.ip_cidr_range
  }

  depends_on = [
    google_project_service.this,
    google_service_networking_vpc_service_controls.services,
    time_sleep.peering,
  ]
}
