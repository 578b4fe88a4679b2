output "function" {
  description = "The names of what was created."
  value = {
    project_id           = var.project_id
    region               = var.platform.region
    name                 = var.function.name
    url                  = local.url
    source               = "gs://${google_storage_bucket.source.name}/${google_storage_bucket_object.source.name}"
    service_accounts     = merge(local.emails, { build = local.build_account.email })
    topic                = local.topic == null ? null : basename(local.topic)
    dead_letters         = one(google_pubsub_subscription.dead_letters[*].name)
    notification_channel = one(google_monitoring_notification_channel.alert[*].name)
    bucket               = local.bucket
  }
}

locals {
  # A bucket may call functions of the platform's own project without being listed.
  lists_service_agents = (
    local.has_key || length(local.service_agents_must.alert_topics) > 0 || local.shared_platform && local.has_bucket
  )

  platform_must_list = merge(
    local.shared_platform ? { projects = { (var.project_id) = data.google_project.this.number } } : {},
    local.own_build_account ? { build_service_accounts = [local.build_account.email] } : {},
    local.lists_service_agents ? { service_agents = { (var.project_id) = local.service_agents_must } } : {},
  )
}

output "platform_must_list" {
  description = "What the platform's owner adds to the variable `functions` before the first build; null if nothing."
  value       = length(local.platform_must_list) == 0 ? null : local.platform_must_list
}
