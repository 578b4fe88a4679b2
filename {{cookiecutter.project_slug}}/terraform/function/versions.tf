# One function and its trigger. What it shares with other functions (network, worker pool,
# repositories, perimeter) belongs to the platform: see `var.platform`.

terraform {
  # Tested from Terraform 1.11 and OpenTofu 1.10; this line must accept both.
  required_version = ">= 1.10"

  # Every resource names its project and its region, so no provider needs a block here.
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45"
    }
    # Only for google_project_service_identity, which the google provider does not have.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 7.45"
    }
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.8"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }
}
