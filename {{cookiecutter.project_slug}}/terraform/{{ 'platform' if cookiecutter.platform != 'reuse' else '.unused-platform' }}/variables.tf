# ------------------------------------------------------------------------------------- where

variable "project_id" {
  description = "Project ID of the platform: worker pool, repositories and build service account."
  type        = string

  validation {
    condition = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = join(" ", [
      "project_id is \"${var.project_id}\", but it must be a project ID (a project number is not accepted): 6 to",
      "30 of a-z, 0-9 and hyphens, such as my-project-id.",
    ])
  }
}

variable "region" {
  description = "Region of the worker pool, the repositories and the functions; a platform serves one region."
  type        = string

  validation {
    condition = can(regex(join("-", [
      "^(africa|asia|australia|europe|me|northamerica|southamerica|us)",
      "(north|south|east|west|central|northeast|northwest|southeast|southwest)[1-9][0-9]?$",
    ]), var.region))
    error_message = join(" ", [
      "region is \"${var.region}\", but it must be a region of Google Cloud, not a multi-region or a zone, such as",
      "asia-northeast1.",
    ])
  }
}

# ----------------------------------------------------------------------------------- network

variable "network" {
  description = <<-EOT
    The network with which the worker pool is peered and through which functions send.

    By default the platform's own network, without a route to the internet. With create = false an
    existing one in this project (such as default); then the deny rule and the private zones, which
    would affect its other users, are off unless set.

    subnetwork: for the functions' direct VPC egress; create = false if they use a connector.
    restricted_vip: private zones and the route for Google's APIs on 199.36.153.4/30.
    deny_egress: deny all egress except egress_allowances (name => destination), such as
      { snmp = { ranges = ["10.20.0.5/32"], protocol = "udp", ports = ["162"] } }.
    producer_restricted_vip: also use the restricted VIP in the network behind the peering, where the
      workers are. It affects every service peered with this network, and destroy leaves it on.
  EOT
  type = object({
    create = optional(bool, true)
    name   = optional(string, "closed-network")
    subnetwork = optional(object({
      create        = optional(bool, true)
      name          = optional(string, "closed-functions")
      ip_cidr_range = optional(string, "10.8.0.0/24")
    }), {})
    restricted_vip = optional(bool)
    deny_egress    = optional(bool)
    egress_allowances = optional(map(object({
      ranges   = list(string)
      protocol = string
      ports    = optional(list(string), [])
    })), {})
    producer_restricted_vip = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.network.name))
    error_message = join(" ", [
      "network.name is \"${var.network.name}\", but it must be a network's short name of at most 40 characters",
      "(names of rules and zones start with it), such as closed-network or default.",
    ])
  }

  validation {
    condition = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.network.subnetwork.name))
    error_message = join(" ", [
      "network.subnetwork.name is \"${var.network.subnetwork.name}\", but it must be 1 to 63 of a-z, 0-9 and",
      "hyphens, such as closed-functions.",
    ])
  }

  validation {
    condition = !var.network.subnetwork.create || (
      can(regex("^[0-9.]+/", var.network.subnetwork.ip_cidr_range)) &&
      try(
        cidrhost(var.network.subnetwork.ip_cidr_range, 0) == split("/", var.network.subnetwork.ip_cidr_range)[0], false
      ) &&
      try(tonumber(split("/", var.network.subnetwork.ip_cidr_range)[1]) <= 28, false)
    )
    error_message = join(" ", [
      "network.subnetwork.ip_cidr_range must be an IPv4 network address with a prefix of 28 or less, such as",
      "10.8.0.0/24 (not 10.8.0.1/24).",
    ])
  }

  validation {
    condition = alltrue(flatten([for allowance in values(var.network.egress_allowances) : [
      contains(["tcp", "udp", "icmp", "esp", "ah", "sctp", "all"], allowance.protocol),
      length(allowance.ranges) > 0,
      length(allowance.ports) == 0 || contains(["tcp", "udp", "sctp"], allowance.protocol),
      [for port in allowance.ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", port))],
      [for range in allowance.ranges : can(cidrhost(range, 0))],
      ]])) && alltrue([
      for name in keys(var.network.egress_allowances) :
      can(regex("^[a-z]([a-z0-9-]{0,14}[a-z0-9])?$", name)) && name != "restricted-vip"
    ])
    error_message = join(" ", [
      "Each of network.egress_allowances must have a name of at most 16 of a-z, 0-9 and hyphens (not",
      "restricted-vip, which exists), a protocol and CIDR ranges, and ports only with tcp, udp or sctp, such as",
      "snmp = { ranges = [\"10.20.0.5/32\"], protocol = \"udp\", ports = [\"162\"] }.",
    ])
  }

  validation {
    condition = length(var.network.egress_allowances) == 0 || coalesce(var.network.deny_egress, var.network.create)
    error_message = join(" ", [
      "network.egress_allowances have no effect without network.deny_egress: set network.deny_egress = true, or",
      "leave them out.",
    ])
  }
}

variable "peering" {
  description = <<-EOT
    Private services access, one peering per network: the range from which Cloud Build takes its
    workers' addresses. The default has room for 16 pools of 256 addresses.

    create = false: the network is already peered (a second region), and pool.ip_cidr_range is in one
      of its ranges.
    Another ip_cidr_range needs another name: the peering identifies a range by its name.
    keep_ranges: names of ranges that an existing peering has; the apply removes those not listed.
  EOT
  type = object({
    create        = optional(bool, true)
    name          = optional(string, "closed-network-services")
    ip_cidr_range = optional(string, "10.64.0.0/20")
    keep_ranges   = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      can(regex("^[0-9.]+/", var.peering.ip_cidr_range)) &&
      try(cidrhost(var.peering.ip_cidr_range, 0) == split("/", var.peering.ip_cidr_range)[0], false)
    )
    error_message = join(" ", [
      "peering.ip_cidr_range is \"${var.peering.ip_cidr_range}\", but it must be an IPv4 network address, such as",
      "10.64.0.0/20.",
    ])
  }

  validation {
    condition = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.peering.name))
    error_message = join(" ", [
      "peering.name is \"${var.peering.name}\", but it must be 1 to 63 of a-z, 0-9 and hyphens, such as",
      "closed-network-services.",
    ])
  }
}

# -------------------------------------------------------------------------------------- pool

variable "pool" {
  description = "The private worker pool, without external addresses. Another ip_cidr_range replaces it."
  type = object({
    name          = optional(string, "cb-workerpool")
    machine_type  = optional(string, "e2-medium")
    disk_size_gb  = optional(number, 100)
    ip_cidr_range = optional(string, "10.64.0.0/24")
  })
  default  = {}
  nullable = false

  validation {
    condition = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.pool.name))
    error_message = join(" ", [
      "pool.name is \"${var.pool.name}\", but it must be 1 to 63 of a-z, 0-9 and hyphens, such as cb-workerpool.",
    ])
  }

  validation {
    condition = can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.pool.machine_type))
    error_message = join(" ", [
      "pool.machine_type is \"${var.pool.machine_type}\", but it must be a machine type, such as e2-medium.",
    ])
  }

  validation {
    condition = (
      var.pool.disk_size_gb >= 100 && var.pool.disk_size_gb <= 1000 &&
      floor(var.pool.disk_size_gb) == var.pool.disk_size_gb
    )
    error_message = "pool.disk_size_gb is ${var.pool.disk_size_gb}, but it must be a whole number from 100 to 1000."
  }

  validation {
    condition = (
      can(regex("^[0-9.]+/", var.pool.ip_cidr_range)) &&
      try(cidrhost(var.pool.ip_cidr_range, 0) == split("/", var.pool.ip_cidr_range)[0], false)
    )
    error_message = join(" ", [
      "pool.ip_cidr_range is \"${var.pool.ip_cidr_range}\", but it must be an IPv4 network address, such as",
      "10.64.0.0/24 (not 10.64.0.1/24).",
    ])
  }

  validation {
    condition = try(tonumber(split("/", var.pool.ip_cidr_range)[1]) <= 29, false)
    error_message = join(" ", [
      "pool.ip_cidr_range is \"${var.pool.ip_cidr_range}\", but its prefix must be 29 or less: /24 has room for",
      "254 builds at once, /29 for 6.",
    ])
  }

  # Two ranges overlap when their addresses agree in the bits of the shorter prefix.
  validation {
    condition = !anytrue(flatten([
      for one in [split("/", var.pool.ip_cidr_range)] : [
        for other in [split("/", "172.17.0.0/16"), split("/", "192.168.10.0/24")] : try(
          cidrhost("${one[0]}/${min(one[1], other[1])}", 0) == cidrhost("${other[0]}/${min(one[1], other[1])}", 0),
          false,
        )
      ]
    ]))
    error_message = join(" ", [
      "pool.ip_cidr_range is \"${var.pool.ip_cidr_range}\", but it must not overlap 172.17.0.0/16 or",
      "192.168.10.0/24, which Docker uses in every worker, such as 10.64.0.0/24.",
    ])
  }

  validation {
    condition = !var.network.subnetwork.create || !anytrue(flatten([
      for one in [split("/", var.network.subnetwork.ip_cidr_range)] : [
        for range in concat([var.pool.ip_cidr_range], var.peering.create ? [var.peering.ip_cidr_range] : []) : [
          for other in [split("/", range)] : try(
            cidrhost("${one[0]}/${min(one[1], other[1])}", 0) == cidrhost("${other[0]}/${min(one[1], other[1])}", 0),
            false,
          )
        ]
      ]
    ]))
    error_message = join(" ", [
      "network.subnetwork.ip_cidr_range must not overlap pool.ip_cidr_range or peering.ip_cidr_range, such as",
      "10.8.0.0/24 and 10.64.0.0/20.",
    ])
  }

  validation {
    condition = !var.peering.create || alltrue(flatten([
      for inner in [split("/", var.pool.ip_cidr_range)] : [
        for outer in [split("/", var.peering.ip_cidr_range)] :
        try(cidrhost("${inner[0]}/${outer[1]}", 0) == outer[0] && tonumber(inner[1]) >= tonumber(outer[1]), false)
      ]
    ]))
    error_message = join(" ", [
      "pool.ip_cidr_range must be inside peering.ip_cidr_range, the reserved range, such as 10.64.0.0/24 in",
      "10.64.0.0/20.",
    ])
  }
}

variable "build_service_account" {
  description = <<-EOT
    The service account that builds run as. It belongs to the platform, so that the perimeter's
    ingress rule and the repository grants name it before the first build.

    create = false: it exists already (an account of the organisation, or a second region).
  EOT
  type = object({
    create     = optional(bool, true)
    account_id = optional(string, "cb-builder")
  })
  default  = {}
  nullable = false

  validation {
    condition = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.build_service_account.account_id))
    error_message = join(" ", [
      "build_service_account.account_id is \"${var.build_service_account.account_id}\", but it must be the part",
      "before the @: 6 to 30 of a-z, 0-9 and hyphens, such as cb-builder.",
    ])
  }
}

variable "ci_service_account" {
  description = <<-EOT
    The service account that checks changes in the pool: it reads the index and the images, writes
    logs, and may do nothing else. Code that nobody has reviewed runs as this account. null: none.

    create = false: it exists already (a second region).
  EOT
  type = object({
    create     = optional(bool, true)
    account_id = optional(string, "cb-checks")
  })
  default = null

  validation {
    condition = alltrue([
      for account in var.ci_service_account[*] :
      can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", account.account_id)) &&
      account.account_id != var.build_service_account.account_id
    ])
    error_message = join(" ", [
      "ci_service_account.account_id must be the part before the @, 6 to 30 of a-z, 0-9 and hyphens, and not that",
      "of build_service_account, which writes images, such as cb-checks.",
    ])
  }
}

variable "functions" {
  description = <<-EOT
    What functions need from the platform; `make accounts` prints it (output platform_must_list).

    projects: the numbers of their projects by project ID, if not the platform's own.
    build_service_accounts: the e-mails of their own build service accounts.
    service_agents: what Google's service agents of a project may do, by project ID. The platform
      grants it, because a destroyed function would revoke it for the others.
      storage_triggers: a bucket may call functions; always true in the platform's own project.
      alert_topics: existing topics to which Cloud Monitoring may publish.
      kms_keys: keys that encrypt functions.
  EOT
  type = object({
    projects               = optional(map(string), {})
    build_service_accounts = optional(list(string), [])
    service_agents = optional(map(object({
      storage_triggers = optional(bool, false)
      alert_topics     = optional(list(string), [])
      kms_keys         = optional(list(string), [])
    })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for id, number in var.functions.projects :
      can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", id)) && can(regex("^[1-9][0-9]{5,18}$", number))
    ])
    error_message = join(" ", [
      "functions.projects must map project IDs to numbers, such as { my-function-project = \"123456789012\" };",
      "`gcloud projects describe my-function-project` shows both.",
    ])
  }

  validation {
    condition = !contains(keys(var.functions.projects), var.project_id)
    error_message = join(" ", [
      "functions.projects must not contain the platform's own project, which is always a member: leave it out.",
    ])
  }

  validation {
    condition = alltrue([for account in var.functions.build_service_accounts :
      can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\\.iam\\.gserviceaccount\\.com$", account))
    ])
    error_message = join(" ", [
      "functions.build_service_accounts must be e-mails without a prefix, such as",
      "my-function-build@my-project-id.iam.gserviceaccount.com.",
    ])
  }

  validation {
    condition = alltrue([
      for id in keys(var.functions.service_agents) : id == var.project_id || contains(keys(var.functions.projects), id)
    ])
    error_message = join(" ", [
      "functions.service_agents must contain only ${var.project_id} and projects in functions.projects: add the",
      "number there, such as { my-function-project = \"123456789012\" }.",
    ])
  }

  validation {
    condition = alltrue(flatten([for id, may in var.functions.service_agents : [
      for topic in may.alert_topics : can(regex("^projects/${id}/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", topic))
    ]]))
    error_message = join(" ", [
      "In functions.service_agents, alert_topics must be full names of topics in the same project, such as {",
      "my-project-id = { alert_topics = [\"projects/my-project-id/topics/alerts\"] } }.",
    ])
  }

  validation {
    condition = alltrue(flatten([for may in values(var.functions.service_agents) : [
      for key in may.kms_keys :
      can(regex("^projects/[^/]+/locations/${var.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", key))
    ]]))
    error_message = join(" ", [
      "In functions.service_agents, kms_keys must be full names of keys in ${var.region}, such as",
      "projects/my-keys-project/locations/${var.region}/keyRings/functions/cryptoKeys/functions.",
    ])
  }
}

variable "project_grants" {
  description = <<-EOT
    Whether this stack makes the grants for a whole project: those of the build service account, of
    other projects' service agents on the pool, and of Google's service agents for storage triggers.
    false in a second region: the first region's platform makes them for both, and destroying the
    second must not revoke them.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

# ------------------------------------------------------------------------------ repositories

variable "repositories" {
  description = <<-EOT
    The repositories that builds read and write.

    virtual: set it ({}) to put a virtual repository in front of a private one and the remote one.
      Then a package of the private one is never requested from the public index (dependency
      confusion), and the index line names the virtual repository.
    images: name of a remote repository of Docker Hub, such as ar-dockerhub, for CI that runs in the
      pool, which reaches no other registry. The build service account and that of CI may read it.
  EOT
  type = object({
    python = optional(string, "ar-buildpython")
    docker = optional(string, "ar-builddocker")
    images = optional(string)
    virtual = optional(object({
      name    = optional(string, "ar-python")
      private = optional(string, "ar-privatepython")
    }))
    cleanup_policy_dry_run = optional(bool, true)
    vulnerability_scanning = optional(string, "INHERITED")
    kms_key_name           = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for name in compact([
      var.repositories.python, var.repositories.docker, var.repositories.images,
      try(var.repositories.virtual.name, null), try(var.repositories.virtual.private, null),
    ]) : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "Each name in repositories must be 1 to 63 of a-z, 0-9 and hyphens, such as ar-buildpython."
  }

  validation {
    condition = length(distinct(compact([
      var.repositories.python, var.repositories.docker, var.repositories.images,
      try(var.repositories.virtual.name, null), try(var.repositories.virtual.private, null),
      ]))) == length(compact([
      var.repositories.python, var.repositories.docker, var.repositories.images,
      try(var.repositories.virtual.name, null), try(var.repositories.virtual.private, null),
    ]))
    error_message = join(" ", [
      "The names in repositories must differ, because a repository has one format, such as python =",
      "\"ar-buildpython\" and docker = \"ar-builddocker\".",
    ])
  }

  validation {
    condition = var.repositories.kms_key_name == null || can(regex(
      "^projects/[^/]+/locations/${var.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.repositories.kms_key_name
    ))
    error_message = join(" ", [
      "repositories.kms_key_name must be a key in ${var.region}, such as",
      "projects/my-keys-project/locations/${var.region}/keyRings/build/cryptoKeys/repositories.",
    ])
  }

  validation {
    condition = contains(["INHERITED", "DISABLED"], var.repositories.vulnerability_scanning)
    error_message = join(" ", [
      "repositories.vulnerability_scanning is \"${var.repositories.vulnerability_scanning}\", but it must be",
      "INHERITED or DISABLED.",
    ])
  }
}

# --------------------------------------------------------------------------------- perimeter

variable "perimeter" {
  description = <<-EOT
    The service perimeter around the platform's project and the projects of functions.

    mode: create: a new one; join: the existing one given by name; none: no perimeter.
    enforcement: enforced, or dry-run, which only logs what it would refuse.
    restricted_services: only for create. Artifact Registry is the minimum. Recommended, once the
      deployers are listed: also cloudbuild, cloudfunctions, run, storage, containerregistry, logging,
      pubsub, eventarc, secretmanager, cloudkms and monitoring, each with .googleapis.com.
    deployers: who calls the restricted services from outside, first of all the account that applies
      this, which would lock itself out; [] if it applies from inside.
  EOT
  type = object({
    mode                = optional(string, "create")
    enforcement         = optional(string, "enforced")
    name                = optional(string, "")
    restricted_services = optional(list(string), ["artifactregistry.googleapis.com"])
    deployers           = optional(list(string))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["create", "join", "none"], var.perimeter.mode)
    error_message = "perimeter.mode is \"${var.perimeter.mode}\", but it must be create, join or none."
  }

  validation {
    condition     = contains(["enforced", "dry-run"], var.perimeter.enforcement)
    error_message = "perimeter.enforcement is \"${var.perimeter.enforcement}\", but it must be enforced or dry-run."
  }

  validation {
    condition = can(regex("^([A-Za-z][A-Za-z0-9_]{0,49})?$", var.perimeter.name))
    error_message = join(" ", [
      "perimeter.name is \"${var.perimeter.name}\", but it must be 1 to 50 letters, digits and underscores,",
      "starting with a letter and without hyphens, such as closed_build.",
    ])
  }

  validation {
    condition = var.perimeter.mode != "join" || var.perimeter.name != ""
    error_message = join(" ", [
      "perimeter.mode is join, so perimeter.name must be set, such as closed_build. `gcloud access-context-manager",
      "perimeters list --policy=POLICY` lists the names.",
    ])
  }

  validation {
    condition = length(var.perimeter.restricted_services) > 0 && alltrue([
      for service in var.perimeter.restricted_services : can(regex("^[a-z][a-z0-9-]*\\.googleapis\\.com$", service))
    ])
    error_message = join(" ", [
      "perimeter.restricted_services must be one or more full names of services, such as",
      "artifactregistry.googleapis.com.",
    ])
  }

  validation {
    condition = (
      var.perimeter.mode != "create" ||
      contains(var.perimeter.restricted_services, "artifactregistry.googleapis.com")
    )
    error_message = join(" ", [
      "perimeter.restricted_services must contain artifactregistry.googleapis.com, because the perimeter protects",
      "the repositories.",
    ])
  }

  validation {
    condition = length(coalesce(var.perimeter.deployers, [])) > 0 || !anytrue([
      for service in ["accesscontextmanager", "cloudresourcemanager", "iam", "serviceusage"] :
      contains(var.perimeter.restricted_services, "${service}.googleapis.com")
    ])
    error_message = join(" ", [
      "perimeter.restricted_services contains a service that the next terraform apply calls (accesscontextmanager,",
      "cloudresourcemanager, iam or serviceusage). List who applies in perimeter.deployers, such as",
      "[\"user:taro@example.com\"], or leave that service out.",
    ])
  }

  validation {
    condition = (
      var.perimeter.mode == "none" || var.perimeter.enforcement == "dry-run" || var.perimeter.deployers != null
    )
    error_message = join(" ", [
      "perimeter.deployers is not set, and the perimeter would lock out whoever applies this. List who calls from",
      "outside, such as [\"user:taro@example.com\"] (`gcloud config get account` shows yours), or set [] if you",
      "apply from inside.",
    ])
  }

  validation {
    condition = alltrue([
      for deployer in coalesce(var.perimeter.deployers, []) :
      can(regex("^(user|group|serviceAccount):[^@\\s:]+@[^@\\s]+\\.[^@\\s]+$", deployer))
    ])
    error_message = join(" ", [
      "Each of perimeter.deployers must be an e-mail with a prefix, such as user:taro@example.com,",
      "group:platform@example.com or serviceAccount:deploy@my-project-id.iam.gserviceaccount.com.",
    ])
  }

  validation {
    condition = (
      var.perimeter.mode != "create" || var.access_policy.id != "" || var.access_policy.organization_id != ""
    )
    error_message = join(" ", [
      "perimeter.mode is create, so set access_policy.id (an existing policy, such as \"123456789\") or",
      "access_policy.organization_id (a new policy). `gcloud access-context-manager policies list",
      "--organization=NUMBER` lists existing ones.",
    ])
  }

  validation {
    condition = var.perimeter.mode != "join" || var.access_policy.id != ""
    error_message = join(" ", [
      "perimeter.mode is join, so access_policy.id must be the number of the perimeter's policy, such as",
      "\"123456789\".",
    ])
  }
}

variable "access_policy" {
  description = <<-EOT
    The perimeter's access policy: an existing one by its number (id), or a new one in an organisation
    (organization_id), for all of it or for one folder or project (scope). An organisation has one
    policy without a scope: `gcloud access-context-manager policies list --organization=NUMBER` lists it.
  EOT
  type = object({
    id              = optional(string, "")
    organization_id = optional(string, "")
    scope           = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition = can(regex("^[0-9]*$", var.access_policy.id))
    error_message = join(" ", [
      "access_policy.id is \"${var.access_policy.id}\", but it must be the policy's number (digits only), such as",
      "123456789.",
    ])
  }

  validation {
    condition = can(regex("^[0-9]*$", var.access_policy.organization_id))
    error_message = join(" ", [
      "access_policy.organization_id is \"${var.access_policy.organization_id}\", but it must be the",
      "organisation's number (digits only), such as 987654321098.",
    ])
  }

  validation {
    condition = can(regex("^((folders|projects)/[1-9][0-9]*)?$", var.access_policy.scope))
    error_message = join(" ", [
      "access_policy.scope is \"${var.access_policy.scope}\", but it must be one folder or project by number, such",
      "as folders/123456789012, or empty for the whole organisation.",
    ])
  }

  validation {
    condition     = var.access_policy.scope == "" || var.access_policy.id == ""
    error_message = "access_policy.scope is only for a new policy. Set either access_policy.scope or access_policy.id."
  }
}

# -------------------------------------------------------------------------------- the switch

variable "upstreams" {
  description = <<-EOT
    allow: whether the stack sets the switch of this project and region to ALLOW (`gcloud artifacts
    vpcsc-config allow`). By default true in an enforced perimeter of mode create or join.
    With mode none set allow = true if the project is in a perimeter that is managed elsewhere, such
    as by another region's platform.
  EOT
  type = object({
    allow = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      !coalesce(var.upstreams.allow, false) || var.perimeter.mode == "none" || var.perimeter.enforcement == "enforced"
    )
    error_message = join(" ", [
      "upstreams.allow is true, but a dry-run perimeter refuses nothing yet. Leave upstreams.allow out, and set",
      "perimeter.enforcement = \"enforced\" once the log of the dry run is clean.",
    ])
  }
}

# ------------------------------------------------------------------------------------- waits

variable "waits" {
  description = <<-EOT
    How long to wait until Google Cloud has propagated a change.

    peering: until Cloud Build sees a new peering; a pool created at once fails.
    iam: until new accounts and grants are propagated.
    perimeter: until membership and rules are enforced; measured from 1 to 40 minutes, with changing
      results, so a build can still be refused after the wait.
  EOT
  type = object({
    peering   = optional(string, "60s")
    iam       = optional(string, "120s")
    perimeter = optional(string, "300s")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for wait in values(var.waits) : can(regex("^[0-9]+[smh]$", wait))])
    error_message = "Each of waits must be a duration, such as 300s or 5m."
  }
}
