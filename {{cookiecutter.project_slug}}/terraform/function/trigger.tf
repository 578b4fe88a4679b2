# What calls the function. Every caller is listed; allUsers is refused.
#
#   http     the listed invokers
#   pubsub   a topic, with our own push subscription
#   alert    the same, and a notification channel of Cloud Monitoring that publishes to the topic
#   storage  objects that are finalized in a bucket, with an Eventarc trigger

locals {
  has_topic        = contains(["pubsub", "alert"], var.trigger.kind)
  has_dead_letters = local.has_topic && var.trigger.dead_letters
  has_bucket       = var.trigger.kind == "storage"
  owns_alerts      = var.trigger.kind == "alert" && var.trigger.topic == null

  topic = local.has_topic ? coalesce(var.trigger.topic, "projects/${var.project_id}/topics/${var.function.name}") : null
  bucket = one(concat(
    google_storage_bucket.bucket[*].name,
    data.google_storage_bucket.given[*].name,
  ))

  # The deterministic address of the function's Cloud Run service: known before the service exists.
  url = "https://${var.function.name}-${data.google_project.this.number}.${var.platform.region}.run.app"

  # How long messages are kept. Subscriptions never expire, even without messages for a month.
  retention = "604800s"
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = local.has_topic || local.has_bucket ? toset(["trigger"]) : var.trigger.invokers

  project  = var.project_id
  location = var.platform.region
  # The Cloud Run service has the function's name.
  name   = google_cloudfunctions2_function.this.name
  role   = "roles/run.invoker"
  member = each.key == "trigger" ? "serviceAccount:${local.emails["trigger"]}" : each.key

  # A resource that is replaced under the same name loses its grants; so replace them, here and below.
  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this.id]
  }
}

# ---- pubsub, alert ----

resource "google_pubsub_topic" "topic" {
  count = local.has_topic && var.trigger.topic == null ? 1 : 0

  project      = var.project_id
  name         = var.function.name
  labels       = var.function.labels
  kms_key_name = var.function.kms_key_name

  depends_on = [google_project_service.this]
}

# Not an Eventarc trigger: Eventarc creates its own subscription, to which dead letters cannot be
# added. functions-framework turns a pushed message into the same CloudEvent.
resource "google_pubsub_subscription" "push" {
  count = local.has_topic ? 1 : 0

  project = var.project_id
  name    = var.function.name
  topic   = local.topic
  labels  = var.function.labels

  ack_deadline_seconds       = 600 # longer than any function may run
  message_retention_duration = local.retention
  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = local.url
    oidc_token {
      service_account_email = local.emails["trigger"]
      audience              = local.url
    }
  }

  retry_policy {
    minimum_backoff = var.trigger.minimum_backoff
    maximum_backoff = var.trigger.maximum_backoff
  }

  dynamic "dead_letter_policy" {
    for_each = google_pubsub_topic.dead_letters
    content {
      dead_letter_topic     = "projects/${dead_letter_policy.value.project}/topics/${dead_letter_policy.value.name}"
      max_delivery_attempts = var.trigger.max_delivery_attempts
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.invokers,
    google_service_account_iam_member.token_creator,
    google_pubsub_topic.topic,
    google_pubsub_topic_iam_member.dead_letters,
    google_pubsub_subscription.dead_letters,
  ]
}

# Pub/Sub signs in as the trigger account; projects from before April 2021 need this.
resource "google_service_account_iam_member" "token_creator" {
  count = local.has_topic ? 1 : 0

  service_account_id = "projects/${var.project_id}/serviceAccounts/${local.emails["trigger"]}"
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = "serviceAccount:${local.agents["pubsub"]}"

  depends_on = [time_sleep.service_agents]
}

resource "google_pubsub_topic" "dead_letters" {
  count = local.has_dead_letters ? 1 : 0

  project      = var.project_id
  name         = "${var.function.name}-dead-letters"
  labels       = var.function.labels
  kms_key_name = var.function.kms_key_name

  depends_on = [google_project_service.this]
}

# Without a subscription they would be lost.
resource "google_pubsub_subscription" "dead_letters" {
  count = local.has_dead_letters ? 1 : 0

  project = var.project_id
  name    = "${var.function.name}-dead-letters"
  topic   = "projects/${google_pubsub_topic.dead_letters[0].project}/topics/${google_pubsub_topic.dead_letters[0].name}"
  labels  = var.function.labels

  message_retention_duration = local.retention
  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub moves a message by publishing it there and acknowledging it here.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  count = local.has_dead_letters ? 1 : 0

  project = var.project_id
  topic   = google_pubsub_topic.dead_letters[0].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${local.agents["pubsub"]}"

  depends_on = [time_sleep.service_agents]
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  count = local.has_dead_letters ? 1 : 0

  project      = var.project_id
  subscription = google_pubsub_subscription.push[0].name
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:${local.agents["pubsub"]}"

  lifecycle {
    replace_triggered_by = [google_pubsub_subscription.push[0].id]
  }

  depends_on = [time_sleep.service_agents]
}

# ---- alert ----

resource "google_monitoring_notification_channel" "alert" {
  count = var.trigger.kind == "alert" ? 1 : 0

  project      = var.project_id
  type         = "pubsub"
  display_name = var.function.name
  user_labels  = var.function.labels
  labels = {
    topic = local.topic
  }

  depends_on = [google_project_service.this, google_pubsub_topic.topic]
}

# Cloud Monitoring creates its service agent with the project's first channel of this type.
resource "time_sleep" "monitoring_agent" {
  count = local.owns_alerts ? 1 : 0

  create_duration = var.waits.service_agents
  triggers        = { project = var.project_id }

  depends_on = [google_monitoring_notification_channel.alert]
}

# On an existing topic other functions may need the same grant, so the platform makes it.
resource "google_pubsub_topic_iam_member" "notifications" {
  count = local.owns_alerts ? 1 : 0

  project = var.project_id
  topic   = google_pubsub_topic.topic[0].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${local.agents["monitoring"]}"

  depends_on = [time_sleep.monitoring_agent]
}

# ---- storage ----

resource "google_storage_bucket" "bucket" {
  count = local.has_bucket && var.trigger.bucket == null ? 1 : 0

  project                     = var.project_id
  name                        = "${var.project_id}-${var.function.name}-inbox"
  location                    = var.platform.region
  labels                      = var.function.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # Its objects belong to somebody, so it is destroyed only when it is empty.
  force_destroy = false

  dynamic "encryption" {
    for_each = local.has_key ? [var.function.kms_key_name] : []
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this]
}

data "google_storage_bucket" "given" {
  count = local.has_bucket && var.trigger.bucket != null ? 1 : 0

  name = var.trigger.bucket

  lifecycle {
    postcondition {
      condition = lower(self.location) == var.platform.region
      error_message = join(" ", [
        "trigger.bucket ${self.name} is in ${lower(self.location)}, the function in ${var.platform.region}: a",
        "trigger and its bucket must be in the same region. Use a bucket in ${var.platform.region}, or leave",
        "trigger.bucket out to create one.",
      ])
    }
    postcondition {
      condition = tostring(self.project_number) == data.google_project.this.number
      error_message = join(" ", [
        "trigger.bucket ${self.name} is in another project than the function. Use a bucket of ${var.project_id},",
        "or leave trigger.bucket out to create one.",
      ])
    }
  }
}

resource "terraform_data" "bucket" {
  input = one(google_storage_bucket.bucket[*].id)
}

resource "google_storage_bucket_iam_member" "runtime" {
  count = local.has_bucket ? 1 : 0

  bucket = local.bucket
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${local.emails["runtime"]}"

  lifecycle {
    replace_triggered_by = [terraform_data.bucket]
  }
}

# The trigger account receives the events that Cloud Storage's service agent publishes and Eventarc's
# sets up; the platform grants those two their roles.
resource "google_project_iam_member" "event_receiver" {
  count = local.has_bucket ? 1 : 0

  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = "serviceAccount:${local.emails["trigger"]}"
}
