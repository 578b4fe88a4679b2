locals {
  location = "projects/${var.project_id}/locations/${var.region}"
}

output "platform" {
  description = "What a function needs to know about the platform; `make platform` writes it to the hand-over file."
  value = {
    project_id = var.project_id
    region     = var.region
    network    = local.network
    subnetwork = !var.network.subnetwork.create ? "" : format(
      "projects/%s/regions/%s/subnetworks/%s",
      var.project_id, var.region, google_compute_subnetwork.functions[0].name,
    )
    worker_pool       = "${local.location}/workerPools/${google_cloudbuild_worker_pool.this.name}"
    docker_repository = "${local.location}/repositories/${google_artifact_registry_repository.docker.repository_id}"
    python_repository = "${local.location}/repositories/${local.python_index_repository}"
    python_index_url = format(
      "https://%s-python.pkg.dev/%s/%s/simple/",
      var.region, var.project_id, local.python_index_repository,
    )
    build_service_account = local.build_service_account
    service_agents        = local.service_agents
    function_projects     = keys(var.functions.projects)
    egress_allowances     = local.deny_egress ? var.network.egress_allowances : null
    # In the network, so that a function's connector does not use one of them.
    reserved_ranges = join(",", distinct(compact([
      var.pool.ip_cidr_range,
      var.peering.create ? var.peering.ip_cidr_range : "",
      var.network.subnetwork.create ? var.network.subnetwork.ip_cidr_range : "",
    ])))
  }

  depends_on = [time_sleep.grants]
}

output "upstreams" {
  description = "The switch: ALLOW, or who sets it."
  value = local.allow_upstreams ? "ALLOW" : join(" ", [
    "Not set here. Once the project is in an enforced perimeter, somebody with roles/artifactregistry.admin",
    "on ${var.project_id} and roles/accesscontextmanager.policyEditor on the organisation or the access policy runs:",
    "gcloud artifacts vpcsc-config allow --project=${var.project_id} --location=${var.region}",
  ])
}

output "perimeter" {
  description = "The perimeter's full name, empty with mode none."
  value       = local.perimeter
}
