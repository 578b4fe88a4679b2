# All requests of the function leave through the platform's network, directly or through a connector.

resource "google_vpc_access_connector" "this" {
  count = try(var.egress.connector.name, null) == null ? 0 : 1

  project       = var.project_id
  region        = var.platform.region
  name          = var.egress.connector.name
  network       = basename(var.platform.network)
  ip_cidr_range = var.egress.connector.ip_cidr_range
  min_instances = var.egress.connector.min_instances
  max_instances = var.egress.connector.max_instances
  machine_type  = var.egress.connector.machine_type

  lifecycle {
    create_before_destroy = true # the function switches first; so another range needs another name
  }

  depends_on = [google_project_service.this]
}

locals {
  connector_id = one(concat(
    [
      for created in google_vpc_access_connector.this :
      "projects/${created.project}/locations/${created.region}/connectors/${created.name}"
    ],
    [for given in [try(var.egress.connector.id, null)] : given if given != null],
  ))
}
