# The reference deployment, value by value: a function that turns alerts into SNMP traps, built in a
# private worker pool without internet and kept inside its network.

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
    network               = "projects/my-project-id/global/networks/default"
    subnetwork            = ""
    worker_pool           = "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
    docker_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
    python_repository     = "projects/my-project-id/locations/asia-northeast1/repositories/ar-buildpython"
    python_index_url      = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
    build_service_account = "cb-builder@my-project-id.iam.gserviceaccount.com"
  }
  function = {
    name          = "crf-sendtoevent"
    description   = "Sends alerts on as SNMP traps."
    runtime       = "python312"
    entry_point   = "send_event"
    source_dir    = "tests/sources/good"
    environment   = { SNMP_RECEIVERS = "10.0.0.9:162" }
    runtime_roles = ["roles/errorreporting.writer"]
  }
  trigger = { kind = "alert" }
  egress  = { connector = { name = "crf-connector", ip_cidr_range = "10.9.0.0/28" } }
  waits   = {}
}

run "the_build_is_the_reference_deployments" {
  command = plan

  assert {
    condition     = google_cloudfunctions2_function.this.name == "crf-sendtoevent"
    error_message = "The function must have its name."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.project == "my-project-id"
    error_message = "The function must be in its own project."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.location == "asia-northeast1"
    error_message = "The function must be in the platform's region."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].runtime == "python312"
    error_message = "The runtime must be the one in the settings."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].entry_point == "send_event"
    error_message = "The entry point must be the one in the settings."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].worker_pool == "projects/my-project-id/locations/asia-northeast1/workerPools/cb-workerpool"
    error_message = "The build must run in the platform's pool."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].docker_repository == "projects/my-project-id/locations/asia-northeast1/repositories/ar-builddocker"
    error_message = "The image must go to the platform's repository."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].service_account == "projects/my-project-id/serviceAccounts/cb-builder@my-project-id.iam.gserviceaccount.com"
    error_message = "The build must run as the platform's build account."
  }
  assert {
    condition = google_cloudfunctions2_function.this.build_config[0].environment_variables == tomap({
      GOOGLE_PYTHON_PACKAGE_MANAGER = "pip"
      PIP_INDEX_URL                 = "https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
    })
    error_message = "The build must use pip and the platform's index."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].source[0].storage_source[0].bucket == "my-project-id-crf-sendtoevent-source"
    error_message = "The source must come from the function's source bucket."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.build_config[0].source[0].storage_source[0].object == google_storage_bucket_object.source.name
    error_message = "The source must be the object that is uploaded."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.build_config[0].automatic_update_policy) == 0
    error_message = "No update policy must be set by default."
  }
}

run "the_instances_are_the_reference_deployments" {
  command = plan

  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].service_account_email == "crf-sendtoevent-runtime@my-project-id.iam.gserviceaccount.com"
    error_message = "The function must run as its own account."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].available_memory == "512Mi"
    error_message = "Memory must be 512Mi."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].available_cpu == "0.3333"
    error_message = "The CPU must be the share that comes with 512Mi."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].timeout_seconds == 540
    error_message = "The timeout must be 540 seconds."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].min_instance_count == 1
    error_message = "There must be at least 1 instance."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].max_instance_count == 100
    error_message = "There must be at most 100 instances."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].max_instance_request_concurrency == 1
    error_message = "An instance must take one request at a time."
  }
  assert {
    condition = google_cloudfunctions2_function.this.service_config[0].environment_variables == tomap({
      LOG_EXECUTION_ID = "true"
      SNMP_RECEIVERS   = "10.0.0.9:162"
    })
    error_message = "The environment must be LOG_EXECUTION_ID and the settings."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "Only internal requests must come in."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].vpc_connector == "projects/my-project-id/locations/asia-northeast1/connectors/crf-connector"
    error_message = "Requests must leave through the connector."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].vpc_connector_egress_settings == "ALL_TRAFFIC"
    error_message = "All requests must leave through the connector."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.service_config[0].direct_vpc_network_interface) == 0
    error_message = "There must be no second egress."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.event_trigger) == 0
    error_message = "An alert must come through our own subscription, not through Eventarc."
  }
}

run "the_connector_is_small_and_in_the_platforms_network" {
  command = plan

  assert {
    condition = {
      for name in ["project", "region", "name", "network", "ip_cidr_range", "min_instances", "max_instances", "machine_type"] :
      name => tostring(google_vpc_access_connector.this[0][name])
      } == {
      project       = "my-project-id", region = "asia-northeast1", name = "crf-connector", network = "default"
      ip_cidr_range = "10.9.0.0/28", min_instances = "2", max_instances = "3", machine_type = "e2-micro"
    }
    error_message = "The connector must be the one in the settings."
  }
}

run "the_source_is_a_zip_in_a_closed_bucket_named_by_its_content" {
  command = plan

  assert {
    condition     = google_storage_bucket.source.name == "my-project-id-crf-sendtoevent-source"
    error_message = "The bucket's name must begin with the project, because it is worldwide."
  }
  assert {
    condition     = upper(google_storage_bucket.source.location) == "ASIA-NORTHEAST1"
    error_message = "The bucket must be in the platform's region."
  }
  assert {
    condition     = google_storage_bucket.source.uniform_bucket_level_access == true
    error_message = "Access must be uniform."
  }
  assert {
    condition     = google_storage_bucket.source.public_access_prevention == "enforced"
    error_message = "Public access must be prevented."
  }
  assert {
    condition     = google_storage_bucket.source.versioning[0].enabled == true
    error_message = "Versions must be kept."
  }
  assert {
    condition     = google_storage_bucket.source.force_destroy == true
    error_message = "Destroying must work although versions are kept."
  }
  assert {
    condition     = google_storage_bucket_object.source.name == "crf-sendtoevent-2e8d8d011e4f2a16.zip"
    error_message = "The object must be named by its content."
  }
  assert {
    condition     = data.archive_file.source.type == "zip"
    error_message = "The source must be a zip."
  }
  assert {
    condition     = data.archive_file.source.excludes == toset(["test_main.py"])
    error_message = "Tests must not be uploaded."
  }
}

run "an_alert_is_published_pushed_and_never_lost" {
  command = plan

  assert {
    condition     = google_monitoring_notification_channel.alert[0].type == "pubsub"
    error_message = "Cloud Monitoring must publish to Pub/Sub."
  }
  assert {
    condition     = google_monitoring_notification_channel.alert[0].labels == tomap({ topic = "projects/my-project-id/topics/crf-sendtoevent" })
    error_message = "Cloud Monitoring must publish to the function's topic."
  }
  assert {
    condition = {
      topic = google_pubsub_topic_iam_member.notifications[0].topic, role = google_pubsub_topic_iam_member.notifications[0].role, member = google_pubsub_topic_iam_member.notifications[0].member
      } == {
      topic = "crf-sendtoevent", role = "roles/pubsub.publisher", member = "serviceAccount:service-123456789012@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
    }
    error_message = "Cloud Monitoring's agent must be allowed to publish to the topic."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].topic == "projects/my-project-id/topics/crf-sendtoevent"
    error_message = "The subscription must be to the function's topic."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].push_config[0].push_endpoint == "https://crf-sendtoevent-123456789012.asia-northeast1.run.app"
    error_message = "Messages must be pushed to the function."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].push_config[0].oidc_token[0].audience == "https://crf-sendtoevent-123456789012.asia-northeast1.run.app"
    error_message = "The token must be for the function."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].push_config[0].oidc_token[0].service_account_email == "crf-sendtoevent-trigger@my-project-id.iam.gserviceaccount.com"
    error_message = "Messages must be pushed as the trigger account."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].ack_deadline_seconds == 600
    error_message = "Pub/Sub must wait longer than the function may run."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].message_retention_duration == "604800s"
    error_message = "Messages must be kept for seven days."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].expiration_policy[0].ttl == ""
    error_message = "The subscription must never expire."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].retry_policy[0].minimum_backoff == "10s" && google_pubsub_subscription.push[0].retry_policy[0].maximum_backoff == "600s"
    error_message = "The wait before another attempt must grow from 10 seconds to 10 minutes."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].dead_letter_policy[0].dead_letter_topic == "projects/my-project-id/topics/crf-sendtoevent-dead-letters"
    error_message = "What is not accepted must go to the dead letters."
  }
  assert {
    condition     = google_pubsub_subscription.push[0].dead_letter_policy[0].max_delivery_attempts == 20
    error_message = "There must be 20 attempts."
  }
  assert {
    condition     = google_pubsub_subscription.dead_letters[0].topic == "projects/my-project-id/topics/crf-sendtoevent-dead-letters"
    error_message = "Dead letters must be kept by a subscription."
  }
  assert {
    condition     = google_pubsub_subscription.dead_letters[0].expiration_policy[0].ttl == ""
    error_message = "The dead letters' subscription must never expire."
  }
  assert {
    condition     = google_pubsub_topic_iam_member.dead_letters[0].topic == "crf-sendtoevent-dead-letters" && google_pubsub_topic_iam_member.dead_letters[0].role == "roles/pubsub.publisher" && google_pubsub_topic_iam_member.dead_letters[0].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent must be allowed to publish dead letters."
  }
  assert {
    condition     = google_pubsub_subscription_iam_member.dead_letters[0].subscription == "crf-sendtoevent" && google_pubsub_subscription_iam_member.dead_letters[0].role == "roles/pubsub.subscriber" && google_pubsub_subscription_iam_member.dead_letters[0].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent must be allowed to acknowledge what it moved."
  }
}

run "nobody_has_more_than_is_needed" {
  command = plan

  assert {
    condition     = toset([for account in google_service_account.this : account.account_id]) == toset(["crf-sendtoevent-runtime", "crf-sendtoevent-trigger"])
    error_message = "There must be one account that runs and one that calls, and the platform's must build."
  }
  assert {
    condition = { for key, grant in google_cloud_run_v2_service_iam_member.invokers : grant.member => "${grant.role} on ${grant.location}/${grant.name}" } == {
      "serviceAccount:crf-sendtoevent-trigger@my-project-id.iam.gserviceaccount.com" = "roles/run.invoker on asia-northeast1/crf-sendtoevent"
    }
    error_message = "Only the trigger account must be allowed to call the function."
  }
  assert {
    condition = { for grant in google_project_iam_member.runtime : grant.role => grant.member } == {
      "roles/errorreporting.writer" = "serviceAccount:crf-sendtoevent-runtime@my-project-id.iam.gserviceaccount.com"
    }
    error_message = "The runtime account must have the roles in the settings and no other."
  }
  assert {
    condition     = length(google_project_iam_member.build_logs) + length(google_project_iam_member.build_sources) + length(google_artifact_registry_repository_iam_member.build) == 0
    error_message = "The platform's build account has its roles from the platform."
  }
  assert {
    condition     = google_service_account_iam_member.token_creator[0].service_account_id == "projects/my-project-id/serviceAccounts/crf-sendtoevent-trigger@my-project-id.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent must be allowed to sign in as the trigger account."
  }
  assert {
    condition = local.apis == toset([
      "artifactregistry", "cloudbuild", "clouderrorreporting", "cloudfunctions", "iam", "logging", "monitoring", "pubsub", "run", "storage", "vpcaccess"
    ]) && alltrue([for api in google_project_service.this : api.disable_on_destroy == false])
    error_message = "The APIs must be those that an alert, its role and a connector need, and stay on for others."
  }
  assert {
    condition     = toset([for agent in google_project_service_identity.agents : agent.service]) == toset(["pubsub.googleapis.com"])
    error_message = "Only Pub/Sub's agent is needed."
  }
  assert {
    condition     = output.platform_must_list == null
    error_message = "The platform has nothing to list."
  }
}

run "the_description_is_the_one_in_the_settings" {
  command = plan
  assert {
    condition     = google_cloudfunctions2_function.this.description == "Sends alerts on as SNMP traps."
    error_message = "The description is lost."
  }
}
