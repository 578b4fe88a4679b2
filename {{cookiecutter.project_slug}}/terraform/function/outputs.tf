output "function" {
  description = "What was made, by name."
  value = {
    project_id           = google_cloudfunctions2_function.this.project
    region               = google_cloudfunctions2_function.this.location
    name                 = google_cloudfunctions2_function.this.name
    url                  = local.url
    source               = "gs://${google_storage_bucket_object.source.bucket}/${google_storage_bucket_object.source.name}"
    service_accounts     = merge(local.emails, { build = local.build_account.email })
    topic                = local.topic
    dead_letters         = one(google_pubsub_subscription.dead_letters[*].name)
    notification_channel = one(google_monitoring_notification_channel.alert[*].name)
    bucket               = local.bucket
  }
}

output "platform_must_list" {
  description = "What the platform's owner adds to its variable `functions` before the first build; null when there is nothing."
  value = local.own_build_account ? {
    projects               = local.shared_platform ? { (var.project_id) = data.google_project.this.number } : {}
    build_service_accounts = [local.build_account.email]
  } : null
}
