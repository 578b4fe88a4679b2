# Every mode of the platform. Each run changes one thing of a platform that creates everything.

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
  project_grants        = true
  repositories          = {}
  perimeter             = { deployers = ["user:taro@example.com"] }
  access_policy         = { id = "123456789" }
  upstreams             = {}
  waits                 = {}
}

run "by_default_the_network_is_dedicated_and_has_no_route_to_the_internet" {
  command = plan

  assert {
    condition = (
      google_compute_network.this[0].name == "closed-network" &&
      google_compute_network.this[0].auto_create_subnetworks == false &&
      google_compute_network.this[0].delete_default_routes_on_create == true &&
      google_compute_subnetwork.functions[0].private_ip_google_access == true
    )
    error_message = "The network has default routes or subnetworks."
  }

  assert {
    condition = (
      google_compute_route.restricted_vip[0].dest_range == "199.36.153.4/30" &&
      google_compute_route.restricted_vip[0].next_hop_gateway == "default-internet-gateway"
    )
    error_message = "The restricted VIP cannot be reached."
  }

  assert {
    condition = (
      google_compute_firewall.deny_egress[0].destination_ranges == toset(["0.0.0.0/0"]) &&
      one(google_compute_firewall.deny_egress[0].deny).protocol == "all" &&
      google_compute_firewall.deny_egress[0].priority > google_compute_firewall.allow_egress["restricted-vip"].priority &&
      google_compute_firewall.allow_egress["restricted-vip"].destination_ranges == toset(["199.36.153.4/30"]) &&
      one(google_compute_firewall.allow_egress["restricted-vip"].allow).protocol == "tcp" &&
      one(google_compute_firewall.allow_egress["restricted-vip"].allow).ports == tolist(["443"])
    )
    error_message = "Egress is not limited to Google's APIs."
  }

  assert {
    condition     = keys(google_compute_firewall.allow_egress) == ["restricted-vip"]
    error_message = "Other egress is allowed."
  }
}

run "the_names_of_googles_apis_resolve_to_the_restricted_vip" {
  command = plan

  assert {
    condition     = toset([for zone in google_dns_managed_zone.restricted_vip : zone.dns_name]) == toset(["googleapis.com.", "pkg.dev.", "gcr.io.", "run.app.", "cloudfunctions.net."])
    error_message = "A zone is missing."
  }

  assert {
    condition = alltrue([for zone in google_dns_managed_zone.restricted_vip :
      zone.visibility == "private" && toset([for network in zone.private_visibility_config[0].networks : network.network_url]) == toset(["projects/my-project-id/global/networks/closed-network"])
    ])
    error_message = "A zone is public, or of another network."
  }

  assert {
    condition = { for domain, alias in google_dns_record_set.alias : alias.name => one(alias.rrdatas) } == {
      "*.cloudfunctions.net." = "cloudfunctions.net."
      "*.gcr.io."             = "gcr.io."
      "*.googleapis.com."     = "restricted.googleapis.com."
      "*.pkg.dev."            = "pkg.dev."
      "*.run.app."            = "run.app."
    }
    error_message = "A name resolves to another address."
  }

  assert {
    condition = (
      google_dns_record_set.address["pkg.dev"].name == "pkg.dev." &&
      google_dns_record_set.address["pkg.dev"].rrdatas == tolist(["199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"]) &&
      google_dns_record_set.alias["pkg.dev"].name == "*.pkg.dev." &&
      google_dns_record_set.alias["pkg.dev"].rrdatas == tolist(["pkg.dev."])
    )
    error_message = "asia-northeast1-python.pkg.dev does not resolve to the restricted VIP."
  }

  assert {
    condition = (
      google_dns_record_set.address["googleapis.com"].name == "restricted.googleapis.com." &&
      google_dns_record_set.alias["googleapis.com"].rrdatas == tolist(["restricted.googleapis.com."])
    )
    error_message = "*.googleapis.com does not resolve to restricted.googleapis.com."
  }
}

run "egress_to_a_receiver_of_traps_can_be_allowed" {
  command = plan

  variables {
    network = { egress_allowances = { snmp = { ranges = ["10.20.0.5/32"], protocol = "udp", ports = ["162"] } } }
  }

  assert {
    condition = (
      google_compute_firewall.allow_egress["snmp"].destination_ranges == toset(["10.20.0.5/32"]) &&
      one(google_compute_firewall.allow_egress["snmp"].allow).protocol == "udp" &&
      one(google_compute_firewall.allow_egress["snmp"].allow).ports == tolist(["162"]) &&
      google_compute_firewall.allow_egress["snmp"].direction == "EGRESS"
    )
    error_message = "UDP 162 of the receiver stays closed."
  }
}

run "an_existing_network_can_be_closed" {
  command = plan

  variables {
    network = { create = false, name = "default", restricted_vip = true, deny_egress = true }
    peering = { keep_ranges = ["google-managed-services-default"] }
  }

  assert {
    condition     = length(google_compute_network.this) == 0 && length(google_dns_managed_zone.restricted_vip) == 5 && google_compute_firewall.deny_egress[0].network == "projects/my-project-id/global/networks/default"
    error_message = "The zones or the rule are missing."
  }

  assert {
    condition     = google_service_networking_connection.services[0].deletion_policy == "ABANDON" && google_service_networking_connection.services[0].update_on_creation_fail == true
    error_message = "The peering that others use would be destroyed with this platform, or could not be extended."
  }

  assert {
    condition     = google_service_networking_connection.services[0].reserved_peering_ranges == tolist(["google-managed-services-default", "closed-network-services"])
    error_message = "A range of the existing peering is removed."
  }
}

run "the_network_behind_the_peering_does_not_change_by_default" {
  command = plan

  assert {
    condition     = length(google_service_networking_vpc_service_controls.services) == 0
    error_message = "The producer's network would be changed."
  }
}

run "the_network_behind_the_peering_can_use_the_restricted_vip" {
  command = plan

  variables {
    network = { producer_restricted_vip = true }
  }

  assert {
    condition = (
      google_service_networking_vpc_service_controls.services[0].network == "closed-network" &&
      google_service_networking_vpc_service_controls.services[0].service == "servicenetworking.googleapis.com" &&
      google_service_networking_vpc_service_controls.services[0].enabled == true
    )
    error_message = "The switch is not set."
  }
}

run "a_second_region_adds_nothing_that_the_first_has" {
  command = plan

  variables {
    region                = "asia-northeast2"
    network               = { create = false, name = "closed-network", subnetwork = { ip_cidr_range = "10.8.1.0/24" } }
    peering               = { create = false }
    pool                  = { ip_cidr_range = "10.64.1.0/24" }
    build_service_account = { create = false }
    project_grants        = false
    perimeter             = { mode = "none" }
    upstreams             = { allow = true }
    functions             = { projects = { my-function-project = "210987654321" } }
  }

  assert {
    condition = (
      length(google_compute_network.this) == 0 &&
      length(google_compute_route.restricted_vip) == 0 &&
      length(google_compute_firewall.deny_egress) == 0 &&
      length(google_dns_managed_zone.restricted_vip) == 0 &&
      length(google_compute_global_address.services) == 0 &&
      length(google_service_networking_connection.services) == 0 &&
      length(google_service_account.build) == 0 &&
      length(google_project_iam_member.build_logs) == 0 &&
      length(google_project_iam_member.build_sources) == 0 &&
      length(google_project_iam_member.pool_user) == 0 &&
      length(google_project_iam_member.storage_triggers) == 0 &&
      length(google_access_context_manager_service_perimeter.this) == 0 &&
      length(google_access_context_manager_service_perimeter_resource.member) == 0 &&
      length(google_access_context_manager_service_perimeter_ingress_policy.rule) == 0
    )
    error_message = "A global resource is created twice."
  }

  assert {
    condition = (
      google_cloudbuild_worker_pool.this.location == "asia-northeast2" &&
      google_compute_subnetwork.functions[0].region == "asia-northeast2" &&
      google_artifact_registry_repository.python.location == "asia-northeast2" &&
      google_artifact_registry_repository_iam_member.build_reads_python["cb-builder@my-project-id.iam.gserviceaccount.com"].location == "asia-northeast2" &&
      google_artifact_registry_vpcsc_config.this[0].location == "asia-northeast2"
    )
    error_message = "The second region lacks a resource."
  }

  assert {
    condition     = output.platform.python_index_url == "https://asia-northeast2-python.pkg.dev/my-project-id/ar-buildpython/simple/"
    error_message = "Its functions would use the first region's repository."
  }
}

run "a_virtual_repository_prefers_the_private_one" {
  command = plan

  variables {
    repositories = { virtual = {} }
  }

  assert {
    condition = { for policy in google_artifact_registry_repository.virtual[0].virtual_repository_config[0].upstream_policies : policy.repository => policy.priority } == {
      "projects/my-project-id/locations/asia-northeast1/repositories/ar-privatepython" = 100
      "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"   = 50
    }
    error_message = "The public index can shadow a private package."
  }

  assert {
    condition = (
      google_artifact_registry_repository.private[0].mode == "STANDARD_REPOSITORY" &&
      google_artifact_registry_repository.virtual[0].mode == "VIRTUAL_REPOSITORY" &&
      google_artifact_registry_repository_iam_member.build_reads_python["cb-builder@my-project-id.iam.gserviceaccount.com"].repository == "ar-python"
    )
    error_message = "The build may not read the virtual repository."
  }

  assert {
    condition = (
      output.platform.python_repository == "projects/my-project-id/locations/asia-northeast1/repositories/ar-python" &&
      output.platform.python_index_url == "https://asia-northeast1-python.pkg.dev/my-project-id/ar-python/simple/"
    )
    error_message = "The index line would still name the remote repository."
  }
}

run "ci_in_the_pool_gets_its_images_from_a_remote_repository" {
  command = plan

  variables {
    repositories = { images = "ar-dockerhub" }
  }

  assert {
    condition = (
      google_artifact_registry_repository.images[0].repository_id == "ar-dockerhub" &&
      google_artifact_registry_repository.images[0].format == "DOCKER" &&
      google_artifact_registry_repository.images[0].mode == "REMOTE_REPOSITORY" &&
      google_artifact_registry_repository.images[0].remote_repository_config[0].docker_repository[0].public_repository == "DOCKER_HUB"
    )
    error_message = "There is no remote repository of Docker Hub."
  }

  assert {
    condition = (
      google_artifact_registry_repository_iam_member.build_reads_images["cb-builder@my-project-id.iam.gserviceaccount.com"].repository == "ar-dockerhub" &&
      google_artifact_registry_repository_iam_member.build_reads_images["cb-builder@my-project-id.iam.gserviceaccount.com"].role == "roles/artifactregistry.reader"
    )
    error_message = "The build service account may not read it."
  }
}

run "ci_has_an_account_that_reads_and_logs_only" {
  command = plan

  variables {
    repositories       = { images = "ar-dockerhub", virtual = {} }
    ci_service_account = {}
  }

  assert {
    condition = (
      google_service_account.ci[0].account_id == "cb-checks" &&
      google_service_account.ci[0].account_id != google_service_account.build[0].account_id
    )
    error_message = "CI has no account of its own."
  }

  assert {
    condition = { for grant in concat(
      values(google_artifact_registry_repository_iam_member.ci_reads_python),
      values(google_artifact_registry_repository_iam_member.ci_reads_images),
      ) : grant.repository => "${grant.role} ${grant.member}" } == {
      ar-python    = "roles/artifactregistry.reader serviceAccount:cb-checks@my-project-id.iam.gserviceaccount.com"
      ar-dockerhub = "roles/artifactregistry.reader serviceAccount:cb-checks@my-project-id.iam.gserviceaccount.com"
    }
    error_message = "CI cannot read its packages and images, or reads more."
  }

  assert {
    condition = [for grant in google_project_iam_member.ci_logs : "${grant.role} ${grant.member}"] == [
      "roles/logging.logWriter serviceAccount:cb-checks@my-project-id.iam.gserviceaccount.com"
    ]
    error_message = "CI cannot write its logs."
  }

  assert {
    condition = alltrue([for grant in concat(
      values(google_artifact_registry_repository_iam_member.build_reads_python),
      values(google_artifact_registry_repository_iam_member.build_writes_docker),
      google_project_iam_member.build_sources,
      google_project_iam_member.build_logs,
    ) : grant.member == "serviceAccount:cb-builder@my-project-id.iam.gserviceaccount.com"])
    error_message = "CI may do what a build does."
  }

  assert {
    condition = (
      google_access_context_manager_service_perimeter_ingress_policy.rule["CI"].ingress_from[0].identities == tolist(["serviceAccount:cb-checks@my-project-id.iam.gserviceaccount.com"]) &&
      [for each in google_access_context_manager_service_perimeter_ingress_policy.rule["CI"].ingress_to[0].operations : each.service_name] == ["artifactregistry.googleapis.com", "logging.googleapis.com"]
    )
    error_message = "The perimeter refuses CI, or lets it do more than read packages and write logs."
  }
}

run "a_second_region_uses_the_first_regions_account_of_ci" {
  command = plan

  variables {
    ci_service_account = { create = false }
    project_grants     = false
  }

  assert {
    condition = (
      length(google_service_account.ci) == 0 &&
      length(google_project_iam_member.ci_logs) == 0 &&
      keys(google_artifact_registry_repository_iam_member.ci_reads_python) == ["cb-checks@my-project-id.iam.gserviceaccount.com"]
    )
    error_message = "CI's account is created twice, or reads only one region's packages."
  }
}

run "by_default_ci_has_no_account" {
  command = plan

  assert {
    condition = (
      length(google_service_account.ci) == 0 &&
      length(google_project_iam_member.ci_logs) == 0 &&
      length(google_artifact_registry_repository_iam_member.ci_reads_python) == 0 &&
      length(google_artifact_registry_repository_iam_member.ci_reads_images) == 0 &&
      !contains(keys(google_access_context_manager_service_perimeter_ingress_policy.rule), "CI") &&
      keys(time_sleep.identities.triggers) == tolist(["build_service_account"])
    )
    error_message = "There is an account of CI that nobody asked for."
  }
}

run "by_default_there_is_no_repository_for_images" {
  command = plan

  assert {
    condition     = length(google_artifact_registry_repository.images) == 0 && length(google_artifact_registry_repository_iam_member.build_reads_images) == 0
    error_message = "There is a remote repository of Docker Hub."
  }
}

run "repositories_can_be_encrypted_with_a_key" {
  command = plan

  variables {
    repositories = { kms_key_name = "projects/keys/locations/asia-northeast1/keyRings/ring/cryptoKeys/key" }
  }

  assert {
    condition = (
      google_artifact_registry_repository.python.kms_key_name == "projects/keys/locations/asia-northeast1/keyRings/ring/cryptoKeys/key" &&
      google_artifact_registry_repository.docker.kms_key_name == "projects/keys/locations/asia-northeast1/keyRings/ring/cryptoKeys/key" &&
      google_kms_crypto_key_iam_member.repositories[0].member == "serviceAccount:service-123456789012@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    )
    error_message = "A repository has another key, or its agent may not use it."
  }
}

run "a_created_perimeter_is_named_after_the_project_and_is_in_the_given_policy" {
  command = plan

  assert {
    condition = (
      length(google_access_context_manager_access_policy.this) == 0 &&
      google_access_context_manager_service_perimeter.this[0].parent == "accessPolicies/123456789" &&
      google_access_context_manager_service_perimeter.this[0].name == "accessPolicies/123456789/servicePerimeters/closed_my_project_id" &&
      output.perimeter == "accessPolicies/123456789/servicePerimeters/closed_my_project_id"
    )
    error_message = "The perimeter has another name or policy."
  }

  assert {
    condition = (
      google_access_context_manager_service_perimeter_ingress_policy.rule["deployers"].ingress_from[0].identities == tolist(["user:taro@example.com"]) &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["deployers"].ingress_to[0].operations[0].service_name == "*" &&
      length(google_access_context_manager_service_perimeter_ingress_policy.rule["deployers"].ingress_to[0].operations[0].method_selectors) == 0
    )
    error_message = "The deployer is locked out, or the rule has selectors in addition to *."
  }

  assert {
    condition = google_access_context_manager_service_perimeter_ingress_policy.rule["service agents"].ingress_from[0].identities == tolist([
      "serviceAccount:service-123456789012@gcp-sa-cloudbuild.iam.gserviceaccount.com",
      "serviceAccount:service-123456789012@gcf-admin-robot.iam.gserviceaccount.com",
      "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com",
    ])
    error_message = "An agent that takes part in a build is not named."
  }

  assert {
    condition = { for rule in ["build service accounts", "service agents"] : rule => join(" ", [
      for operation in google_access_context_manager_service_perimeter_ingress_policy.rule[rule].ingress_to[0].operations : "${operation.service_name}:${operation.method_selectors[0].method}"
      ]) } == {
      "build service accounts" = "artifactregistry.googleapis.com:* logging.googleapis.com:* storage.googleapis.com:*"
      "service agents"         = "artifactregistry.googleapis.com:* cloudbuild.googleapis.com:* logging.googleapis.com:* run.googleapis.com:* storage.googleapis.com:*"
    }
    error_message = "A rule opens other services than a build needs."
  }
}

run "a_new_policy_can_be_limited_to_a_folder" {
  command = plan

  variables {
    access_policy = { organization_id = "987654321098", scope = "folders/111111111111" }
  }

  assert {
    condition = (
      google_access_context_manager_access_policy.this[0].scopes == tolist(["folders/111111111111"]) &&
      google_access_context_manager_access_policy.this[0].title == "closed functions of my-project-id"
    )
    error_message = "The policy is for the whole organisation."
  }
}

run "an_existing_perimeter_is_joined_and_not_created" {
  command = plan

  variables {
    perimeter = { mode = "join", name = "theirs", deployers = ["group:platform@example.com"] }
  }

  assert {
    condition = (
      length(google_access_context_manager_service_perimeter.this) == 0 &&
      google_access_context_manager_service_perimeter_resource.member["my-project-id"].perimeter_name == "accessPolicies/123456789/servicePerimeters/theirs" &&
      google_access_context_manager_service_perimeter_resource.member["my-project-id"].resource == "projects/123456789012" &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["build service accounts"].perimeter == "accessPolicies/123456789/servicePerimeters/theirs" &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["deployers"].title == "my-project-id: deployers"
    )
    error_message = "Membership or rules are missing from the perimeter that is joined."
  }

  assert {
    condition     = google_artifact_registry_vpcsc_config.this[0].vpcsc_policy == "ALLOW"
    error_message = "The switch is not set."
  }
}

run "a_dry_run_refuses_nothing_and_does_not_set_the_switch" {
  command = plan

  variables {
    perimeter = { enforcement = "dry-run", restricted_services = ["artifactregistry.googleapis.com", "storage.googleapis.com"], deployers = ["user:taro@example.com"] }
  }

  assert {
    condition = (
      google_access_context_manager_service_perimeter.this[0].use_explicit_dry_run_spec == true &&
      google_access_context_manager_service_perimeter.this[0].spec[0].restricted_services == toset(["artifactregistry.googleapis.com", "storage.googleapis.com"]) &&
      length(google_access_context_manager_service_perimeter.this[0].status) == 0 &&
      length(google_access_context_manager_service_perimeter_resource.member) == 0 &&
      length(google_access_context_manager_service_perimeter_ingress_policy.rule) == 0
    )
    error_message = "Something is enforced."
  }

  assert {
    condition = (
      google_access_context_manager_service_perimeter_dry_run_resource.member["my-project-id"].resource == "projects/123456789012" &&
      google_access_context_manager_service_perimeter_dry_run_ingress_policy.rule["build service accounts"].ingress_from[0].identities == tolist(["serviceAccount:cb-builder@my-project-id.iam.gserviceaccount.com"])
    )
    error_message = "The dry run lacks its member or its rule."
  }

  assert {
    condition = (
      google_access_context_manager_service_perimeter_dry_run_ingress_policy.rule["deployers"].ingress_to[0].operations[0].service_name == "*" &&
      length(google_access_context_manager_service_perimeter_dry_run_ingress_policy.rule["deployers"].ingress_to[0].operations[0].method_selectors) == 0
    )
    error_message = "The dry run's rule for deployers is missing, or has selectors in addition to *."
  }

  assert {
    condition     = length(google_artifact_registry_vpcsc_config.this) == 0 && strcontains(output.upstreams, "gcloud artifacts vpcsc-config allow --project=my-project-id --location=asia-northeast1")
    error_message = "The switch is set, or the output does not show how."
  }
}

run "without_a_perimeter_nothing_is_set_and_the_output_shows_who_sets_the_switch" {
  command = plan

  variables {
    perimeter     = { mode = "none" }
    access_policy = {}
  }

  assert {
    condition = (
      length(google_access_context_manager_access_policy.this) == 0 &&
      length(google_access_context_manager_service_perimeter.this) == 0 &&
      length(google_access_context_manager_service_perimeter_resource.member) == 0 &&
      length(google_access_context_manager_service_perimeter_ingress_policy.rule) == 0 &&
      length(google_artifact_registry_vpcsc_config.this) == 0 &&
      !contains(keys(google_project_service.this), "accesscontextmanager.googleapis.com")
    )
    error_message = "A perimeter or the switch is changed."
  }

  assert {
    condition     = output.perimeter == "" && strcontains(output.upstreams, "roles/accesscontextmanager.policyEditor")
    error_message = "The output does not show which role is needed."
  }
}

run "an_existing_build_account_gets_the_same_roles" {
  command = plan

  variables {
    build_service_account = { create = false, account_id = "their-builder" }
    functions             = { projects = { my-function-project = "210987654321" } }
  }

  assert {
    condition     = length(google_service_account.build) == 0
    error_message = "The account is created again."
  }

  assert {
    condition = toset([
      "${google_project_iam_member.build_logs[0].role} ${google_project_iam_member.build_logs[0].member}",
      "${google_project_iam_member.build_sources[0].role} ${google_project_iam_member.build_sources[0].member}",
      ]) == toset([
      "roles/logging.logWriter serviceAccount:their-builder@my-project-id.iam.gserviceaccount.com",
      "roles/storage.objectViewer serviceAccount:their-builder@my-project-id.iam.gserviceaccount.com",
    ])
    error_message = "The account can neither write logs nor read sources."
  }

  assert {
    condition = (
      keys(google_project_iam_member.pool_user) == ["my-function-project"] &&
      keys(google_artifact_registry_repository_iam_member.build_reads_python) == ["their-builder@my-project-id.iam.gserviceaccount.com"] &&
      keys(google_artifact_registry_repository_iam_member.build_writes_docker) == ["their-builder@my-project-id.iam.gserviceaccount.com"]
    )
    error_message = "The pool or a repository cannot be used."
  }
}

run "service_agents_get_their_roles_once_for_all_functions" {
  command = plan

  variables {
    functions = {
      projects = { my-function-project = "210987654321", another-project = "310987654321" }
      service_agents = {
        my-function-project = {
          storage_triggers = true
          alert_topics     = ["projects/my-function-project/topics/alerts"]
          kms_keys         = ["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/theirs"]
        }
        my-project-id = { kms_keys = ["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/ours"] }
      }
    }
  }

  assert {
    condition = toset([for grant in google_project_iam_member.storage_triggers : "${grant.project} ${grant.role} ${grant.member}"]) == toset([
      "my-function-project roles/eventarc.serviceAgent serviceAccount:service-210987654321@gcp-sa-eventarc.iam.gserviceaccount.com",
      "my-function-project roles/pubsub.publisher serviceAccount:service-210987654321@gs-project-accounts.iam.gserviceaccount.com",
      "my-project-id roles/eventarc.serviceAgent serviceAccount:service-123456789012@gcp-sa-eventarc.iam.gserviceaccount.com",
      "my-project-id roles/pubsub.publisher serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com",
    ])
    error_message = "Buckets must call functions of the platform's project and of the listed ones, and of no other."
  }

  assert {
    condition = [for grant in google_pubsub_topic_iam_member.alerts : "${grant.project}/${grant.topic} ${grant.role} ${grant.member}"] == [
      "my-function-project/alerts roles/pubsub.publisher serviceAccount:service-210987654321@gcp-sa-monitoring-notification.iam.gserviceaccount.com",
    ]
    error_message = "Cloud Monitoring must be allowed to publish to the topic."
  }

  assert {
    condition = {
      for key in ["ours", "theirs"] : key => toset([
        for grant in google_kms_crypto_key_iam_member.functions : grant.member if endswith(grant.crypto_key_id, "/${key}") && grant.role == "roles/cloudkms.cryptoKeyEncrypterDecrypter"
      ])
      } == {
      ours = toset([for agent in ["gcf-admin-robot", "gcp-sa-eventarc", "gcp-sa-pubsub", "gs-project-accounts", "serverless-robot-prod"] :
        "serviceAccount:service-123456789012@${agent}.iam.gserviceaccount.com"
      ])
      theirs = toset([for agent in ["gcf-admin-robot", "gcp-sa-artifactregistry", "gcp-sa-eventarc", "gcp-sa-pubsub", "gs-project-accounts", "serverless-robot-prod"] :
        "serviceAccount:service-210987654321@${agent}.iam.gserviceaccount.com"
      ])
    }
    error_message = "The agents that encrypt must be allowed to use the key; in another project images, too, are encrypted with it."
  }

  assert {
    condition = jsonencode(output.platform.service_agents) == jsonencode({
      my-function-project = {
        alert_topics     = ["projects/my-function-project/topics/alerts"]
        kms_keys         = ["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/theirs"]
        storage_triggers = true
      }
      my-project-id = {
        alert_topics     = []
        kms_keys         = ["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/ours"]
        storage_triggers = true
      }
    })
    error_message = "The hand-over does not list what is granted."
  }

  assert {
    condition     = output.platform.function_projects == tolist(["another-project", "my-function-project"])
    error_message = "The hand-over must list the projects of functions."
  }
}

run "functions_of_another_project_may_enter_the_perimeter_and_build_here" {
  command = plan

  variables {
    functions = {
      projects               = { my-function-project = "210987654321" }
      build_service_accounts = ["my-function-build@my-function-project.iam.gserviceaccount.com", "own-build@my-project-id.iam.gserviceaccount.com"]
    }
  }

  assert {
    condition = { for id, member in google_access_context_manager_service_perimeter_resource.member : id => member.resource } == {
      my-function-project = "projects/210987654321"
      my-project-id       = "projects/123456789012"
    }
    error_message = "The other project is not a member."
  }

  # The rule for the own project must not be replaced when a project comes or leaves.
  assert {
    condition = { for name, rule in google_access_context_manager_service_perimeter_ingress_policy.rule : name => rule.ingress_to[0].resources if startswith(name, "deployers") } == {
      "deployers"                        = tolist(["projects/123456789012"])
      "deployers in my-function-project" = tolist(["projects/210987654321"])
    }
    error_message = "The deployers have not one rule for each project."
  }

  assert {
    condition = google_access_context_manager_service_perimeter_ingress_policy.rule["build service accounts"].ingress_from[0].identities == tolist([
      "serviceAccount:cb-builder@my-project-id.iam.gserviceaccount.com",
      "serviceAccount:my-function-build@my-function-project.iam.gserviceaccount.com",
      "serviceAccount:own-build@my-project-id.iam.gserviceaccount.com",
    ])
    error_message = "No rule names a build service account."
  }

  assert {
    condition = (
      contains(google_access_context_manager_service_perimeter_ingress_policy.rule["service agents"].ingress_from[0].identities, "serviceAccount:service-210987654321@gcf-admin-robot.iam.gserviceaccount.com") &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["service agents"].ingress_to[0].resources == tolist(["projects/123456789012"])
    )
    error_message = "No rule names the other project's service agents."
  }

  # A rule of its own, so that it comes and goes without a change of the others.
  assert {
    condition = (
      google_access_context_manager_service_perimeter_ingress_policy.rule["builds in my-function-project"].ingress_to[0].resources == tolist(["projects/210987654321"]) &&
      google_access_context_manager_service_perimeter_ingress_policy.rule["builds in my-function-project"].ingress_from[0].identities == tolist([
        "serviceAccount:service-210987654321@gcp-sa-cloudbuild.iam.gserviceaccount.com",
        "serviceAccount:service-210987654321@gcf-admin-robot.iam.gserviceaccount.com",
        "serviceAccount:service-210987654321@serverless-robot-prod.iam.gserviceaccount.com",
        "serviceAccount:my-function-build@my-function-project.iam.gserviceaccount.com",
      ])
    )
    error_message = "The other project has no rule for its own builds."
  }

  assert {
    condition = (
      google_project_iam_member.pool_user["my-function-project"].role == "roles/cloudbuild.workerPoolUser" &&
      google_project_iam_member.pool_user["my-function-project"].member == "serviceAccount:service-210987654321@gcf-admin-robot.iam.gserviceaccount.com" &&
      google_compute_subnetwork_iam_member.run_uses_subnetwork["my-function-project"].member == "serviceAccount:service-210987654321@serverless-robot-prod.iam.gserviceaccount.com" &&
      google_compute_subnetwork_iam_member.run_uses_subnetwork["my-function-project"].role == "roles/compute.networkUser" &&
      google_compute_subnetwork_iam_member.run_uses_subnetwork["my-function-project"].subnetwork == "closed-functions"
    )
    error_message = "The other project may not use the pool or the subnetwork."
  }

  assert {
    condition     = keys(google_artifact_registry_repository_iam_member.build_writes_docker) == ["cb-builder@my-project-id.iam.gserviceaccount.com"]
    error_message = "A build of another project writes its images there: it must not be allowed to here."
  }

  assert {
    condition     = keys(google_artifact_registry_repository_iam_member.build_reads_python) == ["cb-builder@my-project-id.iam.gserviceaccount.com", "my-function-build@my-function-project.iam.gserviceaccount.com"]
    error_message = "A foreign build account lacks its grant, or one of this project's has two owners."
  }
}
