# One function and its trigger. What it shares with other functions (network, worker pool,
# repositories, perimeter) is the platform's and comes in through `var.platform`.

terraform {
  # Terraform from 1.11 on and OpenTofu from 1.10 on: they number on their own, and this one line
  # has to admit both.
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
