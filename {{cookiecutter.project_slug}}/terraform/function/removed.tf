# Grants that several functions need moved from this stack to the platform. Remove them from the state
# only: destroying them would take them from the other functions.

removed {
  from = google_kms_crypto_key_iam_member.agents
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_member.storage_trigger
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_topic_iam_member.alert
  lifecycle {
    destroy = false
  }
}
