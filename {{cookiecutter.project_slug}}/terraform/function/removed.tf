# Grants that several functions need. They were in this stack and are the platform's now: forgotten
# here, because a destroyed one would be gone for the other functions, too.

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
