# The reference deployment, value by value. Every variable is set, because tests also read the stack's
# tfvars files.

mock_provider "google" {}
mock_provider "google-beta" {}
mock_provider "time" {}

override_data {
  target = data.google_project.this
  values = { number = "123456789012" }
}

variables {
  project_id            = "my-project-id"
  region                = "asia-northeast1"
  network               = { create = false, name = "default", subnetwork = { create = false } }
  peering               = { name = "cb-workerpool-range", ip_cidr_range = "10.64.0.0/24" }
  pool                  = { name = "cb-workerpool", ip_cidr_range = "10.64.0.0/24" }
  build_service_account = {}
  functions             = {}
  repositories          = {}
  perimeter             = { name = "closed_build", deployers = [] }
  access_policy         = { organization_id = "987654321098" }
  upstreams             = {}
  waits                 = {}
}

run "the_pool_has_the_reference_values" {
  command = plan

  assert {
    condition = (
      google_cloudbuild_worker_pool.this.project == "my-project-id" &&
      google_cloudbuild_worker_pool.this.location == "asia-northeast1" &&
      google_cloudbuild_worker_pool.this.name == "cb-workerpool"
    )
    error_message = "The pool is not cb-workerpool in asia-northeast1."
  }

  assert {
    condition = (
      google_cloudbuild_worker_pool.this.worker_config[0].machine_type == "e2-medium" &&
      google_cloudbuild_worker_pool.this.worker_config[0].disk_size_gb == 100 &&
      google_cloudbuild_worker_pool.this.worker_config[0].no_external_ip == true
    )
    error_message = "The workers are not e2-medium with 100 GB and without external addresses."
  }

  assert {
    condition     = google_cloudbuild_worker_pool.this.network_config[0].peered_network == "projects/my-project-id/global/networks/default"
    error_message = "The pool is not peered to the network default."
  }

  assert {
    condition = (
      google_cloudbuild_worker_pool.this.network_config[0].peered_network_ip_range == "10.64.0.0/24" &&
      google_compute_global_address.services[0].address == "10.64.0.0" &&
      google_compute_global_address.services[0].prefix_length == 24 &&
      google_compute_global_address.services[0].purpose == "VPC_PEERING" &&
      google_compute_global_address.services[0].address_type == "INTERNAL"
    )
    error_message = "The pool has no reserved range of its own."
  }

  assert {
    condition = (
      google_service_networking_connection.services[0].network == "projects/my-project-id/global/networks/default" &&
      google_service_networking_connection.services[0].service == "servicenetworking.googleapis.com" &&
      google_service_networking_connection.services[0].reserved_peering_ranges == tolist(["cb-workerpool-range"])
    )
    error_message = "The network default is not connected to Cloud Build's with that range."
  }
}

run "the_network_default_gets_nothing_that_affects_its_other_users" {
  command = plan

  assert {
    condition = (
      length(google_compute_network.this) == 0 &&
      length(google_compute_subnetwork.functions) == 0 &&
      length(google_compute_route.restricted_vip) == 0 &&
      length(google_compute_firewall.deny_egress) == 0 &&
      length(google_compute_firewall.allow_egress) == 0 &&
      length(google_dns_managed_zone.restricted_vip) == 0 &&
      length(google_service_networking_vpc_service_controls.services) == 0
    )
    error_message = "Something on the shared network would change."
  }
}

run "the_python_repository_is_a_remote_of_the_public_index" {
  command = plan

  assert {
    condition = (
      google_artifact_registry_repository.python.repository_id == "ar-buildpython" &&
      google_artifact_registry_repository.python.location == "asia-northeast1" &&
      google_artifact_registry_repository.python.format == "PYTHON" &&
      google_artifact_registry_repository.python.mode == "REMOTE_REPOSITORY" &&
      google_artifact_registry_repository.python.remote_repository_config[0].python_repository[0].public_repository == "PYPI"
    )
    error_message = "ar-buildpython is not a remote Python repository of the public index."
  }

  assert {
    condition = (
      google_artifact_registry_repository.python.cleanup_policy_dry_run == true &&
      google_artifact_registry_repository.python.vulnerability_scanning_config[0].enablement_config == "INHERITED"
    )
    error_message = "ar-buildpython lacks the cleanup dry run or the inherited scanning."
  }

  assert {
    condition = (
      google_artifact_registry_repository.docker.repository_id == "ar-builddocker" &&
      google_artifact_registry_repository.docker.location == "asia-northeast1" &&
      google_artifact_registry_repository.docker.format == "DOCKER" &&
      google_artifact_registry_repository.docker.mode == "STANDARD_REPOSITORY"
    )
    error_message = "There is no Docker repository."
  }
}

run "the_perimeter_restricts_artifact_registry_under_a_policy_of_the_organisation" {
  command = plan

  assert {
    condition = (
      google_access_context_manager_access_policy.this[0].parent == "organizations/987654321098" &&
      google_access_context_manager_access_policy.this[0].scopes == null &&
      google_access_context_manager_access_policy.this[0].title == "default policy" &&
      google_access_context_manager_access_policy.this[0].deletion_policy == "ABANDON"
    )
    error_message = "The access policy is not the organisation's."
  }

  assert {
    condition = (
      google_access_context_manager_service_perimeter.this[0].title == "closed_build" &&
      google_access_context_manager_service_perimeter.this[0].perimeter_type == "PERIMETER_TYPE_REGULAR" &&
      google_access_context_manager_service_perimeter.this[0].status[0].restricted_services == toset(["artifactregistry.googleapis.com"]) &&
      length(google_access_context_manager_service_perimeter.this[0].spec) == 0
    )
    error_message = "The perimeter does not enforce just Artifact Registry."
  }

  assert {
    condition     = { for id, member in google_access_context_manager_service_perimeter_resource.member : id => member.resource } == { my-project-id = "projects/123456789012" }
    error_message = "The project is not its only member."
  }
}

run "the_build_service_account_may_enter_the_perimeter" {
  command = plan

  assert {
    condition = (
      google_access_context_manager_service_perimeter_ingress_policy.rule["build service accounts"].title == "my-project-id: build service accounts" &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["build service accounts"].ingress_from[0].identities == tolist(["serviceAccount:cb-builder@my-project-id.iam.gserviceaccount.com"]) &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["build service accounts"].ingress_from[0].sources[0].access_level == "*" &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["build service accounts"].ingress_to[0].resources == tolist(["projects/123456789012"])
    )
    error_message = "No ingress rule names the build service account."
  }

  assert {
    condition = contains([for operation in google_access_context_manager_service_perimeter_ingress_policy.rule["build service accounts"].ingress_to[0].operations :
      "${operation.service_name} ${operation.method_selectors[0].method}"
    ], "artifactregistry.googleapis.com *")
    error_message = "The rule does not open Artifact Registry."
  }
}

run "the_build_service_account_has_the_roles_of_a_build" {
  command = plan

  assert {
    condition = (
      google_artifact_registry_repository_iam_member.build_reads_python["cb-builder@my-project-id.iam.gserviceaccount.com"].repository == "ar-buildpython" &&
      google_artifact_registry_repository_iam_member.build_reads_python["cb-builder@my-project-id.iam.gserviceaccount.com"].role == "roles/artifactregistry.reader" &&
      google_artifact_registry_repository_iam_member.build_reads_python["cb-builder@my-project-id.iam.gserviceaccount.com"].member == "serviceAccount:cb-builder@my-project-id.iam.gserviceaccount.com" &&
      google_artifact_registry_repository_iam_member.build_writes_docker["cb-builder@my-project-id.iam.gserviceaccount.com"].repository == "ar-builddocker" &&
      google_artifact_registry_repository_iam_member.build_writes_docker["cb-builder@my-project-id.iam.gserviceaccount.com"].role == "roles/artifactregistry.writer"
    )
    error_message = "The build cannot read the packages or write the image."
  }

  assert {
    condition = (
      google_project_iam_member.build_logs[0].role == "roles/logging.logWriter" &&
      google_project_iam_member.build_sources[0].role == "roles/storage.objectViewer" &&
      google_project_iam_member.build_sources[0].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-uploads-\") || resource.name.startsWith(\"projects/_/buckets/run-sources-\")"
    )
    error_message = "The build cannot log, or reads more than the functions' sources."
  }
}

run "the_switch_is_set_in_that_project_and_location" {
  command = plan

  assert {
    condition = (
      google_artifact_registry_vpcsc_config.this[0].project == "my-project-id" &&
      google_artifact_registry_vpcsc_config.this[0].location == "asia-northeast1" &&
      google_artifact_registry_vpcsc_config.this[0].vpcsc_policy == "ALLOW"
    )
    error_message = "The switch is not set where the repository is."
  }

  assert {
    condition     = output.upstreams == "ALLOW"
    error_message = "The output says otherwise."
  }

  assert {
    condition     = time_sleep.peering[0].create_duration == "60s" && time_sleep.identities.create_duration == "120s" && time_sleep.grants.create_duration == "120s" && time_sleep.perimeter[0].create_duration == "300s"
    error_message = "The waits are not those that were measured."
  }
}

run "the_hand_over_has_everything_that_a_function_needs" {
  command = plan

  assert {
    condition = jsonencode(output.platform) == jsonencode({
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/default"
      subnetwork            = ""
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
      reserved_ranges       = "10.64.0.0/24"
      egress_allowances     = null
      function_projects     = []
      service_agents        = { my-project-id = { alert_topics = [], kms_keys = [], storage_triggers = true } }
    })
    error_message = "The hand-over is not what the function stack accepts."
  }
}
