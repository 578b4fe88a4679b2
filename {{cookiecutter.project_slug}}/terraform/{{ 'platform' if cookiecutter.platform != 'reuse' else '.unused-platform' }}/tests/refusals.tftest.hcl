# What is refused before anything is created; each run breaks one thing of a valid platform.

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
  network               = {}
  peering               = {}
  pool                  = {}
  build_service_account = {}
  functions             = {}
  repositories          = {}
  perimeter             = { deployers = [] }
  access_policy         = { id = "123456789" }
  upstreams             = {}
  waits                 = {}
}

run "the_values_that_the_others_break_are_accepted" {
  command = plan

  assert {
    condition     = google_cloudbuild_worker_pool.this.name == "cb-workerpool"
    error_message = "The pool is missing."
  }
}

run "a_project_number_is_refused_as_a_project_id" {
  command = plan

  variables {
    project_id = "123456789012"
  }

  expect_failures = [var.project_id]
}

run "a_region_that_does_not_exist_is_refused" {
  command = plan

  variables {
    region = "mars"
  }

  expect_failures = [var.region]
}

run "a_misspelt_region_is_refused" {
  command = plan

  variables {
    region = "asia-norheast1"
  }

  expect_failures = [var.region]
}

run "a_zone_is_refused_as_a_region" {
  command = plan

  variables {
    region = "asia-northeast1-a"
  }

  expect_failures = [var.region]
}

run "a_network_is_named_by_its_short_name" {
  command = plan

  variables {
    network = { name = "projects/my-project-id/global/networks/default" }
  }

  expect_failures = [var.network]
}

run "a_subnetworks_range_is_a_network_address" {
  command = plan

  variables {
    network = { subnetwork = { ip_cidr_range = "10.8.0.1/24" } }
  }

  expect_failures = [var.network]
}

run "an_allowance_needs_a_range" {
  command = plan

  variables {
    network = { egress_allowances = { snmp = { ranges = ["receiver.example.com"], protocol = "udp", ports = ["162"] } } }
  }

  expect_failures = [var.network]
}

run "an_allowance_needs_denied_egress" {
  command = plan

  variables {
    network = { create = false, name = "default", egress_allowances = { snmp = { ranges = ["10.20.0.5/32"], protocol = "udp" } } }
  }

  expect_failures = [var.network]
}

run "a_peering_range_is_a_network_address" {
  command = plan

  variables {
    peering = { ip_cidr_range = "10.64.0.1/20" }
  }

  expect_failures = [var.peering]
}

run "a_peering_name_is_a_resource_name" {
  command = plan

  variables {
    peering = { name = "Services" }
  }

  expect_failures = [var.peering]
}

run "a_pool_has_a_resource_name" {
  command = plan

  variables {
    pool = { name = "cb_workerpool" }
  }

  expect_failures = [var.pool]
}

run "a_machine_type_has_a_family" {
  command = plan

  variables {
    pool = { machine_type = "medium" }
  }

  expect_failures = [var.pool]
}

run "a_small_disk_is_refused" {
  command = plan

  variables {
    pool = { disk_size_gb = 99 }
  }

  expect_failures = [var.pool]
}

run "a_large_disk_is_refused" {
  command = plan

  variables {
    pool = { disk_size_gb = 5000 }
  }

  expect_failures = [var.pool]
}

run "a_pool_range_is_a_network_address" {
  command = plan

  variables {
    pool = { ip_cidr_range = "10.64.0.1/24" }
  }

  expect_failures = [var.pool]
}

run "an_invalid_pool_range_is_refused" {
  command = plan

  variables {
    pool = { ip_cidr_range = "10.64.0.0" }
  }

  expect_failures = [var.pool]
}

run "a_pool_range_above_29_is_refused" {
  command = plan

  variables {
    pool = { ip_cidr_range = "10.64.0.0/30" }
  }

  expect_failures = [var.pool]
}

run "a_build_service_account_is_named_by_its_id" {
  command = plan

  variables {
    build_service_account = { account_id = "cb-builder@my-project-id.iam.gserviceaccount.com" }
  }

  expect_failures = [var.build_service_account]
}

run "ci_has_no_invalid_account" {
  command = plan

  variables {
    ci_service_account = { account_id = "ci" }
  }

  expect_failures = [var.ci_service_account]
}

run "ci_is_not_the_build_service_account" {
  command = plan

  variables {
    ci_service_account = { account_id = "cb-builder" }
  }

  expect_failures = [var.ci_service_account]
}

run "a_function_project_needs_its_number" {
  command = plan

  variables {
    functions = { projects = { my-function-project = "my-function-project" } }
  }

  expect_failures = [var.functions]
}

run "a_function_project_needs_its_id" {
  command = plan

  variables {
    functions = { projects = { "210987654321" = "210987654321" } }
  }

  expect_failures = [var.functions]
}

run "the_platforms_own_project_is_not_listed" {
  command = plan

  variables {
    functions = { projects = { my-project-id = "123456789012" } }
  }

  expect_failures = [var.functions]
}

run "a_build_service_account_is_listed_without_a_prefix" {
  command = plan

  variables {
    functions = { build_service_accounts = ["serviceAccount:build@my-project-id.iam.gserviceaccount.com"] }
  }

  expect_failures = [var.functions]
}

run "service_agents_of_a_project_that_is_not_listed_are_refused" {
  command = plan

  variables {
    functions = { service_agents = { my-function-project = { storage_triggers = true } } }
  }

  expect_failures = [var.functions]
}

run "a_topic_of_another_project_is_refused" {
  command = plan

  variables {
    functions = { service_agents = { my-project-id = { alert_topics = ["projects/my-function-project/topics/alerts"] } } }
  }

  expect_failures = [var.functions]
}

run "a_key_of_functions_in_another_region_is_refused" {
  command = plan

  variables {
    functions = { service_agents = { my-project-id = { kms_keys = ["projects/my-keys-project/locations/us-central1/keyRings/r/cryptoKeys/k"] } } }
  }

  expect_failures = [var.functions]
}

run "a_repository_has_a_resource_name" {
  command = plan

  variables {
    repositories = { python = "AR_buildpython" }
  }

  expect_failures = [var.repositories]
}

run "repositories_have_different_names" {
  command = plan

  variables {
    repositories = { python = "ar-build", docker = "ar-build" }
  }

  expect_failures = [var.repositories]
}

run "scanning_is_inherited_or_disabled" {
  command = plan

  variables {
    repositories = { vulnerability_scanning = "ON" }
  }

  expect_failures = [var.repositories]
}

run "a_mode_that_does_not_exist_is_refused" {
  command = plan

  variables {
    perimeter = { mode = "reuse", deployers = [] }
  }

  expect_failures = [var.perimeter]
}

run "an_enforcement_that_does_not_exist_is_refused" {
  command = plan

  variables {
    perimeter = { enforcement = "dryrun", deployers = [] }
  }

  expect_failures = [var.perimeter]
}

run "a_perimeters_name_has_no_hyphen" {
  command = plan

  variables {
    perimeter = { name = "closed-build", deployers = [] }
  }

  expect_failures = [var.perimeter]
}

run "a_perimeter_to_join_needs_a_name" {
  command = plan

  variables {
    perimeter = { mode = "join", deployers = [] }
  }

  expect_failures = [var.perimeter]
}

run "a_service_is_named_in_full" {
  command = plan

  variables {
    perimeter = { restricted_services = ["artifactregistry.googleapis.com", "storage"], deployers = [] }
  }

  expect_failures = [var.perimeter]
}

run "a_created_perimeter_protects_artifact_registry" {
  command = plan

  variables {
    perimeter = { restricted_services = ["storage.googleapis.com"], deployers = [] }
  }

  expect_failures = [var.perimeter]
}

run "whoever_applies_is_not_locked_out_of_their_own_services" {
  command = plan

  variables {
    perimeter = { restricted_services = ["artifactregistry.googleapis.com", "iam.googleapis.com"], deployers = [] }
  }

  expect_failures = [var.perimeter]
}

run "nobody_is_locked_out_by_forgetting_the_deployers" {
  command = plan

  variables {
    perimeter = {}
  }

  expect_failures = [var.perimeter]
}

run "a_deployer_needs_a_prefix" {
  command = plan

  variables {
    perimeter = { deployers = ["taro@example.com"] }
  }

  expect_failures = [var.perimeter]
}

run "all_users_are_refused_as_a_deployer" {
  command = plan

  variables {
    perimeter = { deployers = ["allUsers"] }
  }

  expect_failures = [var.perimeter]
}

run "an_access_policy_is_given_by_its_number" {
  command = plan

  variables {
    access_policy = { id = "accessPolicies/123456789" }
  }

  expect_failures = [var.access_policy]
}

run "an_organisation_is_given_by_its_number" {
  command = plan

  variables {
    access_policy = { organization_id = "example.com" }
  }

  expect_failures = [var.access_policy]
}

run "a_scope_is_one_folder_or_project_by_number" {
  command = plan

  variables {
    access_policy = { organization_id = "987654321098", scope = "projects/my-project-id" }
  }

  expect_failures = [var.access_policy]
}

run "an_existing_policy_has_its_scope_already" {
  command = plan

  variables {
    access_policy = { id = "123456789", scope = "folders/111111111111" }
  }

  expect_failures = [var.access_policy]
}

run "a_created_perimeter_needs_a_policy" {
  command = plan

  variables {
    access_policy = {}
  }

  expect_failures = [var.perimeter]
}

run "a_wait_has_a_unit" {
  command = plan

  variables {
    waits = { perimeter = "300" }
  }

  expect_failures = [var.waits]
}

run "a_pool_range_may_not_be_dockers_bridge" {
  command = plan

  variables {
    peering = { ip_cidr_range = "172.16.0.0/12" }
    pool    = { ip_cidr_range = "172.17.3.0/24" }
  }

  expect_failures = [var.pool]
}

run "a_pool_range_may_not_be_cloud_builds_bridge" {
  command = plan

  variables {
    peering = { ip_cidr_range = "192.168.0.0/16" }
    pool    = { ip_cidr_range = "192.168.8.0/22" }
  }

  expect_failures = [var.pool]
}

run "a_pool_range_may_not_be_the_subnetworks" {
  command = plan

  variables {
    network = { subnetwork = { ip_cidr_range = "10.64.0.0/24" } }
  }

  expect_failures = [var.pool]
}

run "a_pool_range_is_inside_the_peered_range" {
  command = plan

  variables {
    pool = { ip_cidr_range = "10.65.0.0/24" }
  }

  expect_failures = [var.pool]
}

run "a_pool_range_is_no_larger_than_the_peered_range" {
  command = plan

  variables {
    pool = { ip_cidr_range = "10.64.0.0/16" }
  }

  expect_failures = [var.pool]
}

run "a_perimeter_to_join_needs_a_policy" {
  command = plan

  variables {
    perimeter     = { mode = "join", name = "theirs", deployers = [] }
    access_policy = { organization_id = "987654321098" }
  }

  expect_failures = [var.perimeter]
}

run "a_dry_run_does_not_set_the_switch" {
  command = plan

  variables {
    perimeter = { enforcement = "dry-run" }
    upstreams = { allow = true }
  }

  expect_failures = [var.upstreams]
}

run "a_network_name_leaves_room_for_the_names_of_rules" {
  command = plan

  variables {
    network = { name = "a-network-with-a-name-of-more-than-40-chars" }
  }

  expect_failures = [var.network]
}

run "a_subnetwork_has_a_resource_name" {
  command = plan

  variables {
    network = { subnetwork = { name = "My Subnet" } }
  }

  expect_failures = [var.network]
}

run "a_subnetworks_range_is_ipv4" {
  command = plan

  variables {
    network = { subnetwork = { ip_cidr_range = "fd00::/24" } }
  }

  expect_failures = [var.network]
}

run "a_subnetworks_range_does_not_overlap_the_peered_range" {
  command = plan

  variables {
    network = { subnetwork = { ip_cidr_range = "10.64.8.0/24" } }
  }

  expect_failures = [var.pool]
}

run "a_protocol_without_ports_has_none" {
  command = plan

  variables {
    network = { egress_allowances = { ping = { ranges = ["10.20.0.5/32"], protocol = "icmp", ports = ["1"] } } }
  }

  expect_failures = [var.network]
}

run "a_port_is_a_number" {
  command = plan

  variables {
    network = { egress_allowances = { snmp = { ranges = ["10.20.0.5/32"], protocol = "udp", ports = ["snmp"] } } }
  }

  expect_failures = [var.network]
}

run "an_allowance_must_not_be_named_restricted_vip" {
  command = plan

  variables {
    network = { egress_allowances = { restricted-vip = { ranges = ["10.20.0.5/32"], protocol = "udp" } } }
  }

  expect_failures = [var.network]
}

run "a_repositories_key_is_in_the_region" {
  command = plan

  variables {
    repositories = { kms_key_name = "mykey" }
  }

  expect_failures = [var.repositories]
}
