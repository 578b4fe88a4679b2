# With function.kms_key_name everything that holds code, configuration or messages is encrypted with
# that key. Images are encrypted by the Docker repository: its key is the platform's to set.

locals {
  has_key = var.function.kms_key_name != null

  key_users = toset(concat(
    ["cloudfunctions", "run", "storage"],
    local.has_topic ? ["pubsub"] : [],
    local.has_bucket ? ["eventarc"] : [],
  ))
}

resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = local.has_key ? local.key_users : toset([])

  crypto_key_id = var.function.kms_key_name
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${local.agents[each.key]}"

  depends_on = [time_sleep.service_agents]
}

# What is encrypted depends on this.
resource "time_sleep" "kms" {
  count = local.has_key ? 1 : 0

  create_duration = var.waits.iam
  triggers = {
    key   = var.function.kms_key_name
    users = join(" ", [for grant in google_kms_crypto_key_iam_member.agents : grant.member])
  }
}
