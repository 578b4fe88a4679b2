# Each trigger, type of egress and option, compared with what it replaces.

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
    service_agents = {
      my-project-id = {
        storage_triggers = true
        alert_topics     = ["projects/my-project-id/topics/alerts"]
        kms_keys         = ["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"]
      }
      other-project = {
        storage_triggers = true
        kms_keys         = ["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"]
      }
    }
  }
  function = { name = "moded", entry_point = "handle", source_dir = "tests/sources/good" }
  trigger  = { kind = "http" }
  egress   = { direct = {} }
  waits    = {}
}

# ---- triggers ----

run "a_request_needs_no_account_topic_or_bucket" {
  command = plan

  assert {
    condition     = keys(google_service_account.this) == ["runtime"]
    error_message = "Only the runtime account must be created."
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.invokers) == 0
    error_message = "Nobody must be allowed to call a function without invokers."
  }
  assert {
    condition = (
      length(google_pubsub_topic.topic) + length(google_pubsub_topic.dead_letters) + length(google_pubsub_subscription.push) +
      length(google_monitoring_notification_channel.alert) + length(google_storage_bucket.bucket) +
      length(google_project_service_identity.agents) + length(time_sleep.service_agents) == 0
    )
    error_message = "A request needs none of what events need."
  }
  assert {
    condition     = local.apis == toset(["artifactregistry", "cloudbuild", "cloudfunctions", "iam", "logging", "run", "storage"])
    error_message = "A request needs no more APIs than the function itself."
  }
}

run "listed_invokers_may_send_requests" {
  command = plan
  variables {
    trigger = { kind = "http", invokers = ["user:a@example.com", "group:b@example.com"] }
  }

  assert {
    condition     = toset([for grant in google_cloud_run_v2_service_iam_member.invokers : grant.member]) == toset(["user:a@example.com", "group:b@example.com"])
    error_message = "Exactly the listed invokers must be allowed to call."
  }
}

run "a_message_needs_no_notification_channel" {
  command = plan
  variables {
    trigger = { kind = "pubsub" }
  }

  assert {
    condition     = google_pubsub_topic.topic[0].name == "moded"
    error_message = "A topic must be created."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].topic == "projects/my-project-id/topics/moded"
    error_message = "The subscription must be to it."
  }
  assert {
    condition     = length(google_monitoring_notification_channel.alert) + length(google_pubsub_topic_iam_member.notifications) == 0
    error_message = "Cloud Monitoring has nothing to do with messages."
  }
}

run "an_existing_topic_is_used_and_no_topic_is_created" {
  command = plan
  variables {
    trigger = { kind = "alert", topic = "projects/my-project-id/topics/alerts" }
  }

  assert {
    condition     = length(google_pubsub_topic.topic) == 0
    error_message = "No second topic must be created."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].topic == "projects/my-project-id/topics/alerts"
    error_message = "The subscription must be to the existing topic."
  }
  assert {
    condition     = google_monitoring_notification_channel.alert[0].labels == tomap({ topic = "projects/my-project-id/topics/alerts" })
    error_message = "Cloud Monitoring must publish to the existing topic."
  }
  assert {
    condition     = length(google_pubsub_topic_iam_member.notifications) == 0
    error_message = "What other functions also need on the existing topic must be granted by the platform."
  }
  assert {
    condition = jsonencode(output.platform_must_list) == jsonencode({
      service_agents = { my-project-id = {
        alert_topics     = ["projects/my-project-id/topics/alerts"]
        kms_keys         = []
        storage_triggers = false
      } }
    })
    error_message = "The output must list the topic for the platform."
  }
}

run "a_topic_that_the_platform_does_not_list_is_refused" {
  command = plan
  variables {
    trigger = { kind = "alert", topic = "projects/my-project-id/topics/unlisted" }
  }
  expect_failures = [google_cloudfunctions2_function.this]
}

run "a_message_from_an_existing_topic_needs_nothing_from_the_platform" {
  command = plan
  variables {
    trigger = { kind = "pubsub", topic = "projects/my-project-id/topics/unlisted" }
  }
  assert {
    condition     = output.platform_must_list == null
    error_message = "Nobody but its publishers must be allowed to publish to the topic."
  }
}

run "without_dead_letters_a_message_is_delivered_again_until_it_expires" {
  command = plan
  variables {
    trigger = { kind = "pubsub", dead_letters = false, minimum_backoff = "30s", maximum_backoff = "60s" }
  }

  assert {
    condition     = length(google_pubsub_subscription.push[0].dead_letter_policy) == 0
    error_message = "There must be no limit to the attempts."
  }
  assert {
    condition = (
      length(google_pubsub_topic.dead_letters) + length(google_pubsub_subscription.dead_letters) +
      length(google_pubsub_topic_iam_member.dead_letters) + length(google_pubsub_subscription_iam_member.dead_letters) == 0
    )
    error_message = "No resource for dead letters must be created."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].retry_policy[0].minimum_backoff == "30s" && google_pubsub_subscription.push[0].retry_policy[0].maximum_backoff == "60s"
    error_message = "The wait before another attempt must be the one in the settings."
  }
}

run "a_storage_trigger_uses_eventarc_and_a_new_bucket" {
  command = plan
  variables {
    trigger = { kind = "storage" }
  }

  assert {
    condition     = google_storage_bucket.bucket[0].name == "my-project-id-moded-inbox" && upper(google_storage_bucket.bucket[0].location) == "ASIA-NORTHEAST1"
    error_message = "A bucket must be created in the function's region."
  }
  assert {
    condition     = google_storage_bucket.bucket[0].force_destroy == false
    error_message = "The objects of the bucket must not be destroyed with it."
  }
  assert {
    condition = {
      for name in ["event_type", "trigger_region", "retry_policy", "service_account_email"] : name => google_cloudfunctions2_function.this.event_trigger[0][name]
      } == {
      event_type            = "google.cloud.storage.object.v1.finalized"
      trigger_region        = "asia-northeast1"
      retry_policy          = "RETRY_POLICY_RETRY"
      service_account_email = "moded-trigger@my-project-id.iam.gserviceaccount.com"
    }
    error_message = "The trigger must retry what is finalized in the region, as the trigger account."
  }
  assert {
    condition     = [for filter in google_cloudfunctions2_function.this.event_trigger[0].event_filters : "${filter.attribute}=${filter.value}"] == ["bucket=my-project-id-moded-inbox"]
    error_message = "The trigger must be for that bucket alone."
  }
  assert {
    condition     = google_project_iam_member.event_receiver[0].role == "roles/eventarc.eventReceiver" && google_project_iam_member.event_receiver[0].member == "serviceAccount:moded-trigger@my-project-id.iam.gserviceaccount.com"
    error_message = "The trigger account must be allowed to receive events."
  }
  assert {
    condition     = output.platform_must_list == null
    error_message = "The platform grants what Google's service agents need in its own project without being asked."
  }
  assert {
    condition     = google_storage_bucket_iam_member.runtime[0].bucket == "my-project-id-moded-inbox" && google_storage_bucket_iam_member.runtime[0].role == "roles/storage.objectViewer" && google_storage_bucket_iam_member.runtime[0].member == "serviceAccount:moded-runtime@my-project-id.iam.gserviceaccount.com"
    error_message = "The runtime account must be allowed to read the bucket."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.invokers["trigger"].member == "serviceAccount:moded-trigger@my-project-id.iam.gserviceaccount.com"
    error_message = "The trigger account must be allowed to call the function."
  }
  assert {
    condition     = length(google_pubsub_subscription.push) + length(google_service_account_iam_member.token_creator) == 0
    error_message = "Eventarc creates its own subscription."
  }
}

run "a_storage_trigger_that_the_platform_does_not_allow_is_refused" {
  command = plan
  variables {
    project_id = "third-project"
    trigger    = { kind = "storage" }
  }
  expect_failures = [google_cloudfunctions2_function.this]
}

run "a_storage_trigger_in_another_project_is_listed_for_the_platform" {
  command = plan
  variables {
    project_id = "other-project"
    trigger    = { kind = "storage" }
  }
  assert {
    condition     = jsonencode(output.platform_must_list.service_agents) == jsonencode({ other-project = { alert_topics = [], kms_keys = [], storage_triggers = true } })
    error_message = "The output must list for the platform that a bucket calls functions there."
  }
}

run "an_existing_bucket_is_used_and_no_bucket_is_created" {
  command = plan
  variables {
    trigger = { kind = "storage", bucket = "given" }
  }
  override_data {
    target = data.google_storage_bucket.given
    values = { location = "ASIA-NORTHEAST1", project_number = 123456789012 }
  }

  assert {
    condition     = length(google_storage_bucket.bucket) == 0
    error_message = "No second bucket must be created."
  }
  assert {
    condition     = [for filter in google_cloudfunctions2_function.this.event_trigger[0].event_filters : filter.value] == ["given"]
    error_message = "The trigger must be for the existing bucket."
  }
  assert {
    condition     = google_storage_bucket_iam_member.runtime[0].bucket == "given"
    error_message = "The runtime account must be allowed to read the existing bucket."
  }
}

# ---- egress ----

run "direct_egress_sends_everything_through_the_platforms_subnetwork" {
  command = plan
  variables {
    egress = { direct = { tags = ["functions"] } }
  }

  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC"
    error_message = "All requests must leave through the network."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].direct_vpc_network_interface[0].network == "closed-network" && google_cloudfunctions2_function.this.service_config[0].direct_vpc_network_interface[0].subnetwork == "functions"
    error_message = "The network must be the platform's."
  }
  assert {
    condition     = tolist(google_cloudfunctions2_function.this.service_config[0].direct_vpc_network_interface[0].tags) == tolist(["functions"])
    error_message = "The tags must be those in the settings."
  }
  assert {
    condition     = length(google_vpc_access_connector.this) == 0 && google_cloudfunctions2_function.this.service_config[0].vpc_connector == null && google_cloudfunctions2_function.this.service_config[0].vpc_connector_egress_settings == null
    error_message = "There must be no connector."
  }
}

run "an_existing_connector_is_used_and_no_connector_is_created" {
  command = plan
  variables {
    egress = { connector = { id = "projects/network-project/locations/asia-northeast1/connectors/shared" } }
  }

  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].vpc_connector == "projects/network-project/locations/asia-northeast1/connectors/shared"
    error_message = "The existing connector must be used."
  }
  assert {
    condition     = length(google_vpc_access_connector.this) == 0
    error_message = "No second connector must be created."
  }
}

# ---- accounts and projects ----

run "an_own_build_account_has_four_roles_and_is_listed_for_the_platform" {
  command = plan
  variables {
    function = { name = "moded", entry_point = "handle", source_dir = "tests/sources/good", own_build_service_account = true }
  }

  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].service_account == "projects/my-project-id/serviceAccounts/moded-build@my-project-id.iam.gserviceaccount.com"
    error_message = "The build must run as the own account."
  }
  assert {
    condition = { for grant in google_artifact_registry_repository_iam_member.build : "${grant.project}/${grant.location}/${grant.repository}" => "${grant.role} ${grant.member}" } == {
      "my-project-id/asia-northeast1/ar-buildpython" = "roles/artifactregistry.reader serviceAccount:moded-build@my-project-id.iam.gserviceaccount.com"
      "my-project-id/asia-northeast1/ar-builddocker" = "roles/artifactregistry.writer serviceAccount:moded-build@my-project-id.iam.gserviceaccount.com"
    }
    error_message = "The build account must read packages and write images."
  }
  assert {
    condition     = google_project_iam_member.build_logs[0].role == "roles/logging.logWriter" && google_project_iam_member.build_logs[0].member == "serviceAccount:moded-build@my-project-id.iam.gserviceaccount.com"
    error_message = "The build account must write logs."
  }
  assert {
    condition     = google_project_iam_member.build_sources[0].role == "roles/storage.objectViewer" && google_project_iam_member.build_sources[0].member == "serviceAccount:moded-build@my-project-id.iam.gserviceaccount.com"
    error_message = "The build account must read sources."
  }
  assert {
    condition     = google_project_iam_member.build_sources[0].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-uploads-\") || resource.name.startsWith(\"projects/_/buckets/run-sources-\")"
    error_message = "The build account must read nothing but sources."
  }
  assert {
    condition = jsonencode(output.platform_must_list) == jsonencode({
      build_service_accounts = ["moded-build@my-project-id.iam.gserviceaccount.com"]
    })
    error_message = "The output must list the own build account for the perimeter."
  }
}

run "a_project_that_the_platform_lists_is_accepted" {
  command = plan
  variables {
    project_id = "other-project"
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/closed-functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
      function_projects     = ["other-project"]
    }
    trigger = { kind = "http" }
  }

  assert {
    condition     = google_cloudfunctions2_function.this.project == "other-project"
    error_message = "A project that the platform lists must be accepted."
  }
}

run "a_project_that_the_platform_does_not_list_is_refused" {
  command = plan
  variables {
    project_id = "other-project"
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/closed-functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
      function_projects     = []
    }
    trigger = { kind = "http" }
  }

  expect_failures = [google_cloudfunctions2_function.this]
}

run "a_function_in_another_project_than_the_platform_builds_as_its_own_account" {
  command = plan
  variables {
    project_id = "other-project"
    function   = { name = "moded", entry_point = "handle", source_dir = "tests/sources/good" }
  }

  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].direct_vpc_network_interface[0].network == "projects/my-project-id/global/networks/closed-network" && google_cloudfunctions2_function.this.service_config[0].direct_vpc_network_interface[0].subnetwork == "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
    error_message = "A network of another project must be named by its whole path."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].service_account == "projects/other-project/serviceAccounts/moded-build@other-project.iam.gserviceaccount.com"
    error_message = "The build must run as an account of the function's project."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].worker_pool == "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
    error_message = "The build must run in the platform's pool."
  }
  assert {
    condition     = toset([for api in google_project_service.this : api.project]) == toset(["other-project"])
    error_message = "The APIs must be enabled in the function's project."
  }
  assert {
    condition = {
      for grant in google_artifact_registry_repository_iam_member.build : "${grant.project}/${grant.location}/${grant.repository}" => "${grant.role} ${grant.member}"
      } == {
      "other-project/asia-northeast1/moded" = "roles/artifactregistry.writer serviceAccount:moded-build@other-project.iam.gserviceaccount.com"
    }
    error_message = "The build account must write images in its own project, and nothing must be granted in the platform's."
  }
  assert {
    condition = (
      google_artifact_registry_repository.docker[0].project == "other-project" &&
      google_artifact_registry_repository.docker[0].location == "asia-northeast1" &&
      google_artifact_registry_repository.docker[0].repository_id == "moded" &&
      google_artifact_registry_repository.docker[0].format == "DOCKER" &&
      google_cloudfunctions2_function.this.build_config[0].docker_repository == "projects/other-project/locations/asia-northeast1/repositories/moded"
    )
    error_message = "The API takes no Docker repository of another project than the function's."
  }
  assert {
    condition = jsonencode(output.platform_must_list) == jsonencode({
      build_service_accounts = ["moded-build@other-project.iam.gserviceaccount.com"]
      projects               = { other-project = "123456789012" }
    })
    error_message = "The output must list the project and its build account for the platform."
  }
}

run "a_second_function_has_its_own_names" {
  command = plan
  variables {
    function = { name = "second", entry_point = "handle", source_dir = "tests/sources/good" }
    trigger  = { kind = "pubsub" }
  }

  assert {
    condition = [
      google_cloudfunctions2_function.this.name, google_service_account.this["runtime"].account_id, google_service_account.this["trigger"].account_id,
      google_storage_bucket.source.name, google_pubsub_topic.topic[0].name, google_pubsub_topic.dead_letters[0].name,
    ] == ["second", "second-runtime", "second-trigger", "my-project-id-second-source", "second", "second-dead-letters"]
    error_message = "Two functions of a project must not share a name."
  }
}

# ---- options ----

run "secrets_are_given_to_the_runtime_account_one_by_one" {
  command = plan
  variables {
    function = {
      name               = "moded", entry_point = "handle", source_dir = "tests/sources/good"
      secret_environment = { SNMP_COMMUNITY = { secret = "community", version = "3" } }
      secret_volumes     = { "/secrets" = { secret = "users", path = "users.json" } }
    }
  }

  assert {
    condition = {
      for name in ["key", "project_id", "secret", "version"] : name => google_cloudfunctions2_function.this.service_config[0].secret_environment_variables[0][name]
    } == { key = "SNMP_COMMUNITY", project_id = "my-project-id", secret = "community", version = "3" }
    error_message = "The secret must be a variable."
  }
  assert {
    condition = {
      for name in ["mount_path", "project_id", "secret"] : name => google_cloudfunctions2_function.this.service_config[0].secret_volumes[0][name]
    } == { mount_path = "/secrets", project_id = "my-project-id", secret = "users" }
    error_message = "The secret must be a volume."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].secret_volumes[0].versions[0].path == "users.json" && google_cloudfunctions2_function.this.service_config[0].secret_volumes[0].versions[0].version == "latest"
    error_message = "The newest version must be a file of the volume."
  }
  assert {
    condition = { for grant in google_secret_manager_secret_iam_member.runtime : "${grant.project}/${grant.secret_id}" => "${grant.role} ${grant.member}" } == {
      "my-project-id/community" = "roles/secretmanager.secretAccessor serviceAccount:moded-runtime@my-project-id.iam.gserviceaccount.com"
      "my-project-id/users"     = "roles/secretmanager.secretAccessor serviceAccount:moded-runtime@my-project-id.iam.gserviceaccount.com"
    }
    error_message = "The runtime account must read these secrets and no other."
  }
}

run "a_key_encrypts_function_source_and_messages" {
  command = plan
  variables {
    function = {
      name         = "moded", entry_point = "handle", source_dir = "tests/sources/good"
      kms_key_name = "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"
    }
    trigger = { kind = "pubsub" }
  }

  assert {
    condition = toset([
      google_cloudfunctions2_function.this.kms_key_name, google_storage_bucket.source.encryption[0].default_kms_key_name,
      google_pubsub_topic.topic[0].kms_key_name, google_pubsub_topic.dead_letters[0].kms_key_name,
    ]) == toset(["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"])
    error_message = "Everything must be encrypted with the key."
  }
  assert {
    condition = jsonencode(output.platform_must_list) == jsonencode({
      service_agents = { my-project-id = {
        alert_topics     = []
        kms_keys         = ["projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"]
        storage_triggers = false
      } }
    })
    error_message = "The output must list the key for the platform."
  }
}

run "a_key_that_the_platform_does_not_list_is_refused" {
  command = plan
  variables {
    function = {
      name         = "moded", entry_point = "handle", source_dir = "tests/sources/good"
      kms_key_name = "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/unlisted"
    }
  }
  expect_failures = [google_cloudfunctions2_function.this]
}

run "a_key_encrypts_the_new_docker_repository" {
  command = plan
  variables {
    project_id = "other-project"
    function = {
      name         = "moded", entry_point = "handle", source_dir = "tests/sources/good"
      kms_key_name = "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"
    }
  }
  assert {
    condition     = google_artifact_registry_repository.docker[0].kms_key_name == "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"
    error_message = "Images must be encrypted with the key."
  }
  assert {
    condition     = toset(keys(google_project_service_identity.agents)) == toset(["artifactregistry", "cloudbuild", "cloudfunctions", "eventarc", "pubsub", "run"])
    error_message = "The platform would let an agent use the key that does not exist."
  }
}

run "a_key_encrypts_the_new_bucket" {
  command = plan
  variables {
    function = {
      name         = "moded", entry_point = "handle", source_dir = "tests/sources/good"
      kms_key_name = "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"
    }
    trigger = { kind = "storage" }
  }

  assert {
    condition     = google_storage_bucket.bucket[0].encryption[0].default_kms_key_name == "projects/my-keys-project/locations/asia-northeast1/keyRings/r/cryptoKeys/k"
    error_message = "The bucket must be encrypted with the key."
  }
}

run "the_settings_reach_the_function" {
  command = plan
  variables {
    function = {
      name                        = "moded", entry_point = "handle", source_dir = "tests/sources/good"
      labels                      = { team = "network" }
      build_environment           = { PIP_VERBOSE = "2" }
      environment                 = { LOG_EXECUTION_ID = "false" }
      automatic_update            = true
      available_memory            = "2Gi"
      available_cpu               = "1"
      instance_concurrency        = 80
      timeout_seconds             = 3600
      ingress                     = "ALLOW_INTERNAL_AND_GCLB"
      binary_authorization_policy = "default"
    }
  }

  assert {
    condition     = google_cloudfunctions2_function.this.labels == tomap({ team = "network" }) && google_storage_bucket.source.labels == tomap({ team = "network" })
    error_message = "Every resource must have the labels."
  }
  assert {
    condition = google_cloudfunctions2_function.this.build_config[0].environment_variables == tomap({
      GOOGLE_PYTHON_PACKAGE_MANAGER = "pip"
      PIP_INDEX_URL                 = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
      PIP_VERBOSE                   = "2"
    })
    error_message = "The build's variables must be ours and those in the settings."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].environment_variables == tomap({ LOG_EXECUTION_ID = "false" })
    error_message = "A setting must override a default."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.build_config[0].automatic_update_policy) == 1
    error_message = "The runtime must be updated if the settings say so."
  }
  assert {
    condition = {
      for name in ["available_memory", "available_cpu", "max_instance_request_concurrency", "timeout_seconds", "ingress_settings", "binary_authorization_policy"] :
      name => tostring(google_cloudfunctions2_function.this.service_config[0][name])
      } == {
      available_memory = "2Gi", available_cpu = "1", max_instance_request_concurrency = "80", timeout_seconds = "3600"
      ingress_settings = "ALLOW_INTERNAL_AND_GCLB", binary_authorization_policy = "default"
    }
    error_message = "The instances must be those in the settings."
  }
  assert {
    condition     = google_project_service.this["binaryauthorization"].service == "binaryauthorization.googleapis.com"
    error_message = "A policy needs its API."
  }
}

# ---- waits ----

run "the_function_waits_for_its_accounts_and_roles" {
  command = plan
  variables {
    function = { name = "moded", entry_point = "handle", source_dir = "tests/sources/good", own_build_service_account = true }
    waits    = { iam = "1s" }
  }

  assert {
    condition     = time_sleep.iam.create_duration == "1s"
    error_message = "The wait must be the one in the settings."
  }
  assert {
    condition = time_sleep.iam.triggers == tomap({
      accounts     = "moded-build@my-project-id.iam.gserviceaccount.com moded-runtime@my-project-id.iam.gserviceaccount.com"
      bucket       = ""
      repositories = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      roles        = ""
      secrets      = ""
    })
    error_message = "Another account or role must mean another wait."
  }
}

# ---- source and existing bucket ----

run "a_source_without_main_py_is_refused" {
  command = plan
  variables {
    function = { name = "moded", entry_point = "handle", source_dir = "tests/sources/without-main" }
  }
  expect_failures = [data.archive_file.source]
}

run "a_source_without_functions_framework_is_refused" {
  command = plan
  variables {
    function = { name = "moded", entry_point = "handle", source_dir = "tests/sources/without-framework" }
  }
  expect_failures = [data.archive_file.source]
}

run "a_source_with_another_index_than_the_platforms_is_refused" {
  command = plan
  variables {
    platform = {
      project_id            = "my-project-id"
      region                = "asia-northeast1"
      network               = "projects/my-project-id/global/networks/closed-network"
      subnetwork            = "projects/my-project-id/regions/asia-northeast1/subnetworks/functions"
      worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
      docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
      python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/other"
      python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/other/simple/"
      build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
    }
  }
  expect_failures = [data.archive_file.source]
}

run "a_bucket_in_another_location_is_refused" {
  command = plan
  variables {
    trigger = { kind = "storage", bucket = "given" }
  }
  override_data {
    target = data.google_storage_bucket.given
    values = { location = "US", project_number = 123456789012 }
  }
  expect_failures = [data.google_storage_bucket.given]
}

run "a_bucket_of_another_project_is_refused" {
  command = plan
  variables {
    trigger = { kind = "storage", bucket = "given" }
  }
  override_data {
    target = data.google_storage_bucket.given
    values = { location = "ASIA-NORTHEAST1", project_number = 210987654321 }
  }
  expect_failures = [data.google_storage_bucket.given]
}

run "the_buckets_of_a_storage_function_are_not_public" {
  command = plan
  variables {
    trigger = { kind = "storage" }
  }
  assert {
    condition = alltrue([for bucket in [google_storage_bucket.source, google_storage_bucket.bucket[0]] :
      bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access == true
    ])
    error_message = "A bucket could be opened to the public."
  }
  assert {
    condition     = google_storage_bucket.bucket[0].force_destroy == false && google_storage_bucket.source.force_destroy == true
    error_message = "What somebody stored would be destroyed, or the source's old versions would not."
  }
  assert {
    condition     = one(one(google_storage_bucket.source.lifecycle_rule).condition).days_since_noncurrent_time == 30 && one(one(google_storage_bucket.source.lifecycle_rule).action).type == "Delete"
    error_message = "Something else than old versions of the source is deleted."
  }
}

run "pubsub_signs_in_as_the_trigger_account_and_messages_are_kept" {
  command = plan
  variables {
    trigger = { kind = "pubsub" }
  }
  assert {
    condition     = google_service_account_iam_member.token_creator[0].role == "roles/iam.serviceAccountTokenCreator" && google_service_account_iam_member.token_creator[0].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "In an old project Pub/Sub could not sign in."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].message_retention_duration == "604800s" && google_pubsub_subscription.dead_letters[0].message_retention_duration == "604800s"
    error_message = "Messages are not kept for seven days."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].all_traffic_on_latest_revision == true
    error_message = "A new revision would get no traffic."
  }
}

run "service_agents_of_another_project_exist_before_the_platform_grants_them_roles" {
  command = plan
  variables {
    project_id = "other-project"
    trigger    = { kind = "http" }
  }
  assert {
    condition     = toset(keys(google_project_service_identity.agents)) == toset(["cloudbuild", "cloudfunctions", "run"])
    error_message = "The platform would name an agent that does not exist."
  }
}
