# The perimeter resource contains only the restricted services. Members and rules are separate
# resources, in our own perimeter and in another's: each stack adds its own and keeps the others'.

locals {
  creates_perimeter = var.perimeter.mode == "create"
  enforced          = var.perimeter.enforcement == "enforced"

  access_policy = (
    var.access_policy.id != "" ? var.access_policy.id : one(google_access_context_manager_access_policy.this[*].name)
  )
  # Perimeter names have no hyphens.
  perimeter_name = coalesce(var.perimeter.name, "closed_${replace(var.project_id, "-", "_")}")
  perimeter = (
    local.creates_perimeter ? google_access_context_manager_service_perimeter.this[0].name :
    var.perimeter.mode != "join" ? "" :
    "accessPolicies/${local.access_policy}/servicePerimeters/${local.perimeter_name}"
  )

  # Membership and rules need project numbers.
  members = { for id, number in local.project_numbers : id => "projects/${number}" }

  deployers = coalesce(var.perimeter.deployers, [])

  # Rule => who may call which services of which project. Titles contain the project ID, because only
  # its title and content identify a rule. Each other project has rules of its own: when it is listed
  # or taken out, no other rule changes, and its rules go before it leaves the perimeter.
  build_services = [
    "artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "logging.googleapis.com",
    "run.googleapis.com", "storage.googleapis.com",
  ]
  build_agents = { for id, agents in local.service_agent_members : id => [
    for agent in ["cloudbuild", "cloudfunctions", "run"] : agents[agent]
  ] }
  rules = merge(
    {
      "build service accounts" = {
        project    = var.project_id
        identities = [for account in local.build_service_accounts : "serviceAccount:${account}"]
        services   = ["artifactregistry.googleapis.com", "logging.googleapis.com", "storage.googleapis.com"]
      }
      "service agents" = {
        project    = var.project_id
        identities = flatten(values(local.build_agents))
        services   = local.build_services
      }
    },
    { for id in keys(var.functions.projects) : "builds in ${id}" => {
      project = id
      identities = concat(local.build_agents[id], [
        for account in local.build_service_accounts : "serviceAccount:${account}" if endswith(account, "@${id}.iam.gserviceaccount.com")
      ])
      services = local.build_services
    } },
    { for id in keys(local.members) : id == var.project_id ? "deployers" : "deployers in ${id}" => {
      project    = id
      identities = local.deployers
      services   = ["*"]
    } if length(local.deployers) > 0 },
    { for account in local.ci_service_accounts : "CI" => {
      project    = var.project_id
      identities = ["serviceAccount:${account}"]
      services   = ["artifactregistry.googleapis.com", "logging.googleapis.com"]
    } },
  )
}

resource "google_access_context_manager_access_policy" "this" {
  count = local.creates_perimeter && var.access_policy.id == "" ? 1 : 0

  parent = "organizations/${var.access_policy.organization_id}"
  title  = var.access_policy.scope == "" ? "default policy" : "closed functions of ${var.project_id}"
  scopes = var.access_policy.scope == "" ? null : [var.access_policy.scope]

  # An organisation has one, which may contain perimeters of others.
  deletion_policy = "ABANDON"

  depends_on = [google_project_service.this]
}

resource "google_access_context_manager_service_perimeter" "this" {
  count = local.creates_perimeter ? 1 : 0

  parent                    = "accessPolicies/${local.access_policy}"
  name                      = "accessPolicies/${local.access_policy}/servicePerimeters/${local.perimeter_name}"
  title                     = local.perimeter_name
  description               = "Protects the repositories that functions are built from."
  perimeter_type            = "PERIMETER_TYPE_REGULAR"
  use_explicit_dry_run_spec = local.enforced ? null : true

  dynamic "status" {
    for_each = local.enforced ? [1] : []
    content {
      restricted_services = var.perimeter.restricted_services
    }
  }

  dynamic "spec" {
    for_each = local.enforced ? [] : [1]
    content {
      restricted_services = var.perimeter.restricted_services
    }
  }

  lifecycle {
    # Otherwise each apply would remove what the resources below, and other stacks, have added.
    ignore_changes = [
      status[0].resources, status[0].ingress_policies, status[0].egress_policies, status[0].access_levels,
      spec[0].resources, spec[0].ingress_policies, spec[0].egress_policies, spec[0].access_levels,
    ]
  }

  depends_on = [google_project_service.this]
}

# The last step: from here until the rules are enforced, calls from outside to restricted services are refused.
resource "google_access_context_manager_service_perimeter_resource" "member" {
  for_each = var.perimeter.mode != "none" && local.enforced ? local.members : {}

  perimeter_name = local.perimeter
  resource       = each.value

  depends_on = [
    google_artifact_registry_repository.docker,
    google_artifact_registry_repository.python,
    google_artifact_registry_repository.virtual,
    google_cloudbuild_worker_pool.this,
    google_compute_subnetwork.functions,
    time_sleep.grants,
  ]
}

resource "google_access_context_manager_service_perimeter_dry_run_resource" "member" {
  for_each = var.perimeter.mode != "none" && !local.enforced ? local.members : {}

  perimeter_name = local.perimeter
  resource       = each.value

  depends_on = [
    google_artifact_registry_repository.docker,
    google_artifact_registry_repository.python,
    google_artifact_registry_repository.virtual,
    google_cloudbuild_worker_pool.this,
    google_compute_subnetwork.functions,
    time_sleep.grants,
  ]
}

resource "google_access_context_manager_service_perimeter_ingress_policy" "rule" {
  for_each = var.perimeter.mode != "none" && local.enforced ? local.rules : {}

  perimeter = local.perimeter
  title     = "${var.project_id}: ${each.key}"

  ingress_from {
    identities = each.value.identities
    sources {
      access_level = "*"
    }
  }

  ingress_to {
    resources = [local.members[each.value.project]]

    dynamic "operations" {
      for_each = each.value.services
      content {
        service_name = operations.value
        dynamic "method_selectors" {
          for_each = operations.value == "*" ? [] : ["*"] # "*" already includes every method
          content {
            method = method_selectors.value
          }
        }
      }
    }
  }

  # A rule may name only members, and identities that exist.
  depends_on = [google_access_context_manager_service_perimeter_resource.member, time_sleep.identities]
}

resource "google_access_context_manager_service_perimeter_dry_run_ingress_policy" "rule" {
  for_each = var.perimeter.mode != "none" && !local.enforced ? local.rules : {}

  perimeter = local.perimeter
  title     = "${var.project_id}: ${each.key}"

  ingress_from {
    identities = each.value.identities
    sources {
      access_level = "*"
    }
  }

  ingress_to {
    resources = [local.members[each.value.project]]

    dynamic "operations" {
      for_each = each.value.services
      content {
        service_name = operations.value
        dynamic "method_selectors" {
          for_each = operations.value == "*" ? [] : ["*"]
          content {
            method = method_selectors.value
          }
        }
      }
    }
  }

  depends_on = [google_access_context_manager_service_perimeter_dry_run_resource.member, time_sleep.identities]
}
