# The function's source in a bucket: exactly what the worker pool builds.

locals {
  source_dir = "${path.module}/${var.function.source_dir}"

  # Tests, caches and dotfiles are not part of the function.
  source_files = [
    for file in sort(fileset(local.source_dir, "**")) : file
    if length(regexall("(^|/)(\\.|__pycache__/|tests?/|test_[^/]*$|conftest\\.py$)|\\.py[cod]$", file)) == 0
  ]
  # Only by content, so that an unchanged function is not built again.
  source_hash = substr(sha256(join("\n", [
    for file in local.source_files : "${file} ${filesha256("${local.source_dir}/${file}")}"
  ])), 0, 16)

  # A failed condition prints these values, so they must not be the whole lock file.
  requirements      = try(file("${local.source_dir}/requirements.txt"), "")
  requirements_line = split("\n", local.requirements)[0]
  has_framework     = can(regex("(?m)^functions-framework\\b", local.requirements))
}

data "archive_file" "source" {
  type       = "zip"
  source_dir = local.source_dir
  excludes   = setsubtract(fileset(local.source_dir, "**"), local.source_files)
  # One per environment, because two may be deployed at once.
  output_path = "${path.module}/.terraform/${terraform.workspace}-${var.function.name}.zip"
  # Otherwise the bytes depend on the umask of the checkout.
  output_file_mode = "0644"

  lifecycle {
    precondition {
      condition = fileexists("${local.source_dir}/main.py")
      error_message = join(" ", [
        "There is no main.py in ${local.source_dir}: the build takes the function from this file. Set",
        "function.source_dir to its folder, such as ../../function.",
      ])
    }
    precondition {
      condition = local.requirements_line == "--index-url ${var.platform.python_index_url}"
      error_message = join(" ", [
        "The first line of ${local.source_dir}/requirements.txt is not --index-url",
        "${var.platform.python_index_url}, the only index that the build can reach. Run `make lock` (with ENV=NAME",
        "if you deploy an environment).",
      ])
    }
    precondition {
      condition = local.has_framework
      error_message = join(" ", [
        "functions-framework is not in ${local.source_dir}/requirements.txt: the build would install it itself,",
        "from the public index, which it cannot reach. Add it to requirements.in and run `make lock`.",
      ])
    }
  }
}

resource "google_storage_bucket" "source" {
  project                     = var.project_id
  name                        = "${var.project_id}-${var.function.name}-source"
  location                    = var.platform.region
  labels                      = var.function.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # This repository can upload everything in it again, and a bucket with old versions could not be
  # destroyed otherwise.
  force_destroy = true

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }

  dynamic "encryption" {
    for_each = local.has_key ? [var.function.kms_key_name] : []
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "${var.function.name}-${local.source_hash}.zip"
  source = data.archive_file.source.output_path

  lifecycle {
    replace_triggered_by = [google_storage_bucket.source.id] # a new bucket is empty
  }
}
