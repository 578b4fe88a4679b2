# Grants of Google's service agents. They serve every function of a project, so they are made here,
# once: a destroyed function does not revoke them for the others.

locals {
  project_numbers = merge({ (var.project_id) = data.google_project.this.number }, var.functions.projects)

  # For the hand-over file. A bucket may always call the functions of the platform's own project.
  service_agents = merge(var.functions.service_agents, {
    (var.project_id) = {
      storage_triggers = true
      alert_topics     = try(var.functions.service_agents[var.project_id].alert_topics, [])
      kms_keys         = try(var.functions.service_agents[var.project_id].kms_keys, [])
    }
  })

  # Project => agent => member.
  service_agent_members = { for id, number in local.project_numbers : id => {
    for agent, domain in {
      artifactregistry = "gcp-sa-artifactregistry"
      cloudbuild       = "gcp-sa-cloudbuild"
      cloudfunctions   = "gcf-admin-robot"
      eventarc         = "gcp-sa-eventarc"
      monitoring       = "gcp-sa-monitoring-notification"
      pubsub           = "gcp-sa-pubsub"
      run              = "serverless-robot-prod"
      storage          = "gs-project-accounts"
    } : agent => "serviceAccount:service-${number}@${domain}.iam.gserviceaccount.com"
  } }

  # The agents that store code, configuration or messages. Images are in the platform's Docker
  # repository, which has its own key, or in another project in the function's.
  key_users = { for id in keys(local.project_numbers) : id => concat(
    ["cloudfunctions", "eventarc", "pubsub", "run", "storage"],
    id == var.project_id ? [] : ["artifactregistry"],
  ) }
}

# Cloud Storage's service agent publishes a bucket's events, and Eventarc's sets up their delivery.
resource "google_project_iam_member" "storage_triggers" {
  for_each = var.project_grants ? merge([for id, may in local.service_agents : {
    "${id} eventarc" = {
      project = id, role = "roles/eventarc.serviceAgent", member = local.service_agent_members[id].eventarc
    }
    "${id} storage" = {
      project = id, role = "roles/pubsub.publisher", member = local.service_agent_members[id].storage
    }
  } if may.storage_triggers]...) : {}

  project = each.value.project
  role    = each.value.role
  member  = each.value.member

  depends_on = [time_sleep.identities]
}

resource "google_pubsub_topic_iam_member" "alerts" {
  for_each = merge([for id, may in local.service_agents : { for topic in may.alert_topics : topic => id }]...)

  project = each.value
  topic   = basename(each.key)
  role    = "roles/pubsub.publisher"
  member  = local.service_agent_members[each.value].monitoring

  depends_on = [time_sleep.identities]
}

resource "google_kms_crypto_key_iam_member" "functions" {
  for_each = merge([for id, may in local.service_agents : { for use in setproduct(may.kms_keys, local.key_users[id]) :
    "${id} ${use[1]} ${use[0]}" => { key = use[0], member = local.service_agent_members[id][use[1]] }
  }]...)

  crypto_key_id = each.value.key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value.member

  depends_on = [time_sleep.identities]
}
