# Every refused value, one run each; all other values are valid, as the first run shows.

mock_provider "google" {}
mock_provider "google-beta" {}
mock_provider "archive" {}
mock_provider "time" {}

override_data {
  target = data.google_project.this
  values = { number = "123456789012" }
}

variables {
  project_id = "my-project-id"
  platform = {
    project_id            = "my-project-id"
    region                = "asia-northeast1"
    network               = "projects/my-project-id/global/networks/closed-network"
    subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
    worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
    docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
    python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
    python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
    build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
  }
  function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good" }
  trigger  = { kind = "http", invokers = ["user:a@example.com", "group:b@example.com", "serviceAccount:c@my-project-id.iam.gserviceaccount.com"] }
  egress   = { connector = { name = "functions", ip_cidr_range = "10.9.0.0/28" } }
  waits    = {}
}

# ---- positive control ----

run "the_values_that_every_other_run_changes_are_valid" {
  command = plan

  assert {
    condition     = google_cloudfunctions2_function.this.name == "refused"
    error_message = "The function must be planned."
  }
}

# Values at the limit of what is refused below.
run "the_values_at_the_limit_are_accepted" {
  command = plan
  variables {
    function = {
      name               = "a234567890123456789012", entry_point = "_h", source_dir = "tests/sources/good"
      available_memory   = "32Gi", available_cpu = "8", timeout_seconds = 3600, min_instances = 1000, max_instances = 1000
      labels             = { a = "" }, build_environment = { PIP_VERBOSE = "2", PIP_TIMEOUT = "60", GOOGLE_PYTHON_VERSION = "3.13.5", BP_LOG_LEVEL = "debug" }, environment = { PORTS = "1" }
      secret_environment = { A = { secret = "a", version = "1" } }
    }
    egress = { connector = { name = "a234567890123456789012345", ip_cidr_range = "192.168.11.240/28", min_instances = 9, max_instances = 10 } }
  }

  assert {
    condition     = google_service_account.this["runtime"].account_id == "a234567890123456789012-runtime"
    error_message = "A name of 22 characters must make a service account's id of 30."
  }
}

# ---- platform ----

run "a_project_number_is_refused_as_the_platforms_project_id" {
  command = plan
  variables {
    platform = {
      project_id            = "123456789012"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "a_multi_region_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia/repositories/ar-buildpython"
      python_index_url      = "https://asia-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "a_network_without_its_project_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "closed"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "a_subnetwork_of_another_region_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/us-west1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "a_worker_pool_of_another_region_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/us-west1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "a_docker_repository_of_another_region_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/us-west1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "a_python_repository_of_another_region_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/us-west1/repositories/ar-buildpython"
      python_index_url      = "https://us-west1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "an_index_that_is_not_the_python_repository_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://us-west1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

run "a_build_account_without_an_e_mail_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "serviceAccount:cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.platform]
}

# ---- function ----

run "a_project_number_is_refused_as_the_functions_project_id" {
  command = plan
  variables {
    project_id = "123456789012"
    function   = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good" }
  }
  expect_failures = [var.project_id]
}

run "a_name_too_long_for_a_service_account_is_refused" {
  command = plan
  variables {
    function = { name = "a2345678901234567890123", entry_point = "handle", source_dir = "tests/sources/good" }
  }
  expect_failures = [var.function]
}

run "a_label_in_capitals_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", labels = { Team = "network" } }
  }
  expect_failures = [var.function]
}

run "a_label_value_with_a_dot_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", labels = { team = "net.work" } }
  }
  expect_failures = [var.function]
}

run "a_deprecated_runtime_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", runtime = "python310" }
  }
  expect_failures = [var.function]
}

run "an_entry_point_with_an_invalid_name_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "main.handle", source_dir = "tests/sources/good" }
  }
  expect_failures = [var.function]
}

run "another_index_for_the_build_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { PIP_EXTRA_INDEX_URL = "https://example.com/simple/" } }
  }
  expect_failures = [var.function]
}

run "another_place_for_the_builds_packages_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { PIP_FIND_LINKS = "https://example.com/" } }
  }
  expect_failures = [var.function]
}

run "a_configuration_for_the_builds_pip_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { PIP_CONFIG_FILE = "pip.conf" } }
  }
  expect_failures = [var.function]
}

run "a_proxy_for_the_build_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { HTTPS_PROXY = "http://10.0.0.1:3128" } }
  }
  expect_failures = [var.function]
}

run "a_certificate_for_the_build_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { REQUESTS_CA_BUNDLE = "ca.pem" } }
  }
  expect_failures = [var.function]
}

run "another_index_for_uv_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { UV_DEFAULT_INDEX = "https://example.com/simple/" } }
  }
  expect_failures = [var.function]
}

run "another_package_manager_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { GOOGLE_PYTHON_PACKAGE_MANAGER = "uv" } }
  }
  expect_failures = [var.function]
}

run "a_folder_of_packages_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { GOOGLE_VENDOR_PIP_DEPENDENCIES = "wheels" } }
  }
  expect_failures = [var.function]
}

run "a_build_variable_in_lower_case_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", build_environment = { pip_verbose = "2" } }
  }
  expect_failures = [var.function]
}

run "memory_without_a_unit_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", available_memory = "512" }
  }
  expect_failures = [var.function]
}

run "too_little_memory_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", available_memory = "127Mi" }
  }
  expect_failures = [var.function]
}

run "more_memory_than_the_cpu_allows_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", available_memory = "513Mi" }
  }
  expect_failures = [var.function]
}

run "more_memory_than_an_instance_can_have_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", available_memory = "33Gi", available_cpu = "8" }
  }
  expect_failures = [var.function]
}

run "three_cpus_are_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", available_cpu = "3" }
  }
  expect_failures = [var.function]
}

run "a_timeout_of_more_than_an_hour_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", timeout_seconds = 3601 }
  }
  expect_failures = [var.function]
}

run "a_timeout_of_zero_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", timeout_seconds = 0 }
  }
  expect_failures = [var.function]
}

run "more_minimum_than_maximum_instances_are_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", min_instances = 2, max_instances = 1 }
  }
  expect_failures = [var.function]
}

run "more_than_1000_requests_at_a_time_are_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", available_cpu = "1", instance_concurrency = 1001 }
  }
  expect_failures = [var.function]
}

run "two_requests_at_a_time_without_a_whole_cpu_are_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", instance_concurrency = 2 }
  }
  expect_failures = [var.function]
}

run "ingress_from_everywhere_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", ingress = "ALLOW_ALL" }
  }
  expect_failures = [var.function]
}

run "a_reserved_environment_name_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", environment = { K_SERVICE = "x" } }
  }
  expect_failures = [var.function]
}

run "a_null_environment_variable_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", environment = { SNMP_RECEIVERS = null } }
  }
  expect_failures = [var.function]
}

run "a_variable_with_two_values_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", environment = { A = "x" }, secret_environment = { A = { secret = "a" } } }
  }
  expect_failures = [var.function]
}

run "a_secret_with_its_path_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", secret_environment = { A = { secret = "projects/my-project-id/secrets/a" } } }
  }
  expect_failures = [var.function]
}

run "a_secret_in_a_relative_folder_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", secret_volumes = { secrets = { secret = "a", path = "a" } } }
  }
  expect_failures = [var.function]
}

run "the_basic_role_editor_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", runtime_roles = ["roles/editor"] }
  }
  expect_failures = [var.function]
}

run "the_basic_role_owner_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", runtime_roles = ["roles/owner"] }
  }
  expect_failures = [var.function]
}

run "the_basic_role_viewer_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", runtime_roles = ["roles/viewer"] }
  }
  expect_failures = [var.function]
}

run "the_basic_role_admin_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", runtime_roles = ["roles/admin"] }
  }
  expect_failures = [var.function]
}

run "the_basic_role_writer_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", runtime_roles = ["roles/writer"] }
  }
  expect_failures = [var.function]
}

run "the_basic_role_reader_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", runtime_roles = ["roles/reader"] }
  }
  expect_failures = [var.function]
}

run "a_key_of_another_region_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", kms_key_name = "projects/p/locations/us-west1/keyRings/r/cryptoKeys/k" }
  }
  expect_failures = [var.function]
}

run "an_invalid_policy_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", binary_authorization_policy = "projects/my-project-id" }
  }
  expect_failures = [var.function]
}

# ---- egress ----

run "two_types_of_egress_are_refused" {
  command = plan
  variables {
    egress = { direct = {}, connector = { name = "functions", ip_cidr_range = "10.9.0.0/28" } }
  }
  expect_failures = [var.egress]
}

run "no_egress_is_refused" {
  command = plan
  variables {
    egress = {}
  }
  expect_failures = [var.egress]
}

run "direct_egress_without_a_subnetwork_is_refused" {
  command = plan
  variables {
    egress = { direct = {} }
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = ""
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.egress]
}

run "a_network_tag_in_capitals_is_refused" {
  command = plan
  variables {
    egress = { direct = { tags = ["Functions"] } }
  }
  expect_failures = [var.egress]
}

run "a_connector_both_existing_and_new_is_refused" {
  command = plan
  variables {
    egress = { connector = { id = "projects/my-project-id/locations/asia-northeast1/connectors/functions", name = "functions" } }
  }
  expect_failures = [var.egress]
}

run "a_connector_of_another_region_is_refused" {
  command = plan
  variables {
    egress = { connector = { id = "projects/my-project-id/locations/us-west1/connectors/functions" } }
  }
  expect_failures = [var.egress]
}

run "a_connector_name_of_26_characters_is_refused" {
  command = plan
  variables {
    egress = { connector = { name = "a2345678901234567890123456", ip_cidr_range = "10.9.0.0/28" } }
  }
  expect_failures = [var.egress]
}

run "a_connector_range_other_than_28_is_refused" {
  command = plan
  variables {
    egress = { connector = { name = "functions", ip_cidr_range = "10.8.0.0/27" } }
  }
  expect_failures = [var.egress]
}

run "a_connector_range_that_is_not_a_network_address_is_refused" {
  command = plan
  variables {
    egress = { connector = { name = "functions", ip_cidr_range = "10.8.0.1/28" } }
  }
  expect_failures = [var.egress]
}

run "a_connector_range_in_the_workers_docker_network_is_refused" {
  command = plan
  variables {
    egress = { connector = { name = "functions", ip_cidr_range = "172.17.255.0/28" } }
  }
  expect_failures = [var.egress]
}

run "a_connector_range_in_the_workers_own_network_is_refused" {
  command = plan
  variables {
    egress = { connector = { name = "functions", ip_cidr_range = "192.168.10.0/28" } }
  }
  expect_failures = [var.egress]
}

run "equal_minimum_and_maximum_connector_instances_are_refused" {
  command = plan
  variables {
    egress = { connector = { name = "functions", ip_cidr_range = "10.9.0.0/28", min_instances = 3, max_instances = 3 } }
  }
  expect_failures = [var.egress]
}

run "an_unknown_connector_machine_is_refused" {
  command = plan
  variables {
    egress = { connector = { name = "functions", ip_cidr_range = "10.9.0.0/28", machine_type = "n1-standard-1" } }
  }
  expect_failures = [var.egress]
}

run "a_new_connector_in_another_projects_network_is_refused" {
  command = plan
  variables {
    egress = { connector = { name = "functions", ip_cidr_range = "10.9.0.0/28" } }
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/other-project/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [var.egress]
}

# ---- trigger ----

run "an_unknown_kind_is_refused" {
  command = plan
  variables {
    trigger = { kind = "scheduler" }
  }
  expect_failures = [var.trigger]
}

run "a_topic_for_a_request_is_refused" {
  command = plan
  variables {
    trigger = { kind = "http", topic = "projects/my-project-id/topics/alerts" }
  }
  expect_failures = [var.trigger]
}

run "all_users_are_refused" {
  command = plan
  variables {
    trigger = { kind = "http", invokers = ["allUsers"] }
  }
  expect_failures = [var.trigger]
}

run "all_authenticated_users_are_refused" {
  command = plan
  variables {
    trigger = { kind = "http", invokers = ["allAuthenticatedUsers"] }
  }
  expect_failures = [var.trigger]
}

run "an_invoker_without_its_type_is_refused" {
  command = plan
  variables {
    trigger = { kind = "http", invokers = ["a@example.com"] }
  }
  expect_failures = [var.trigger]
}

run "a_topic_of_another_project_is_refused" {
  command = plan
  variables {
    trigger = { kind = "pubsub", topic = "projects/other-project/topics/alerts" }
  }
  expect_failures = [var.trigger]
}

run "a_bucket_with_its_scheme_is_refused" {
  command = plan
  variables {
    trigger = { kind = "storage", bucket = "gs://my-project-id-inbox" }
  }
  expect_failures = [var.trigger]
}

run "a_wait_that_shrinks_is_refused" {
  command = plan
  variables {
    trigger = { kind = "pubsub", minimum_backoff = "20s", maximum_backoff = "10s" }
  }
  expect_failures = [var.trigger]
}

run "four_attempts_are_refused" {
  command = plan
  variables {
    trigger = { kind = "pubsub", max_delivery_attempts = 4 }
  }
  expect_failures = [var.trigger]
}

run "a_timeout_of_more_than_nine_minutes_is_refused_for_events" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", timeout_seconds = 541 }
    trigger  = { kind = "pubsub" }
  }
  expect_failures = [var.trigger]
}

# ---- waits ----

run "a_wait_without_a_unit_is_refused" {
  command = plan
  variables {
    waits = { iam = "120" }
  }
  expect_failures = [var.waits]
}

run "less_memory_than_the_cpus_need_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", available_memory = "1Gi", available_cpu = "8" }
  }
  expect_failures = [var.function]
}

run "half_an_instance_is_refused" {
  command = plan
  variables {
    function = { name = "refused", entry_point = "handle", source_dir = "tests/sources/good", min_instances = 1.5, max_instances = 2 }
  }
  expect_failures = [var.function]
}

run "half_an_attempt_is_refused" {
  command = plan
  variables {
    trigger = { kind = "pubsub", max_delivery_attempts = 7.5 }
  }
  expect_failures = [var.trigger]
}

run "a_connector_range_that_the_network_uses_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
      reserved_ranges       = "10.64.0.0/20,10.8.0.0/24"
    }
    egress = { connector = { name = "functions", ip_cidr_range = "10.64.8.16/28" } }
  }
  expect_failures = [var.egress]
}
