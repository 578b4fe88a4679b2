# ------------------------------------------------------------------------------------- where

variable "project_id" {
  description = "Project that owns the worker pool, the repositories and the build service account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is \"${var.project_id}\", but it must be a project's id, not its number or name: 6 to 30 of a-z, 0-9 and hyphens, such as my-project-id."
  }
}

variable "region" {
  description = "Region of the pool, the repositories and the functions; one platform serves one region."
  type        = string

  validation {
    condition     = can(regex("^(africa|asia|australia|europe|me|northamerica|southamerica|us)-(north|south|east|west|central|northeast|northwest|southeast|southwest)[1-9][0-9]?$", var.region))
    error_message = "region is \"${var.region}\", but it must be a region of Google Cloud, such as asia-northeast1; a multi-region or a zone is not one."
  }
}

# ----------------------------------------------------------------------------------- network

variable "network" {
  description = <<-EOT
    The network that the pool is peered to and that functions send through.

    By default a network of the platform's own, without a route to the internet. With create = false
    an existing one in this project (such as default): what would hit everybody on it, the deny rule
    and the private zones, is then left out unless asked for.

    subnetwork: for the functions' direct VPC egress; create = false when they use a connector.
    restricted_vip: private zones and the route for Google's APIs on 199.36.153.4/30.
    deny_egress: refuse all other egress but egress_allowances (name => who may be reached), such as
      { snmp = { ranges = ["10.20.0.5/32"], protocol = "udp", ports = ["162"] } }.
    producer_restricted_vip: also force the network behind the peering, where the workers are, onto
      the restricted VIP. It acts on every service peered to this network, and destroy leaves it on.
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
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.network.name))
    error_message = "network.name is \"${var.network.name}\", but it must be a network's short name of at most 40 characters (names of rules and zones begin with it), such as closed-network or default."
  }

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.network.subnetwork.name))
    error_message = "network.subnetwork.name is \"${var.network.subnetwork.name}\", but it must be 1 to 63 of a-z, 0-9 and hyphens, such as closed-functions."
  }

  validation {
    condition = !var.network.subnetwork.create || (
      can(regex("^[0-9.]+/", var.network.subnetwork.ip_cidr_range)) &&
      try(cidrhost(var.network.subnetwork.ip_cidr_range, 0) == split("/", var.network.subnetwork.ip_cidr_range)[0], false) &&
      try(tonumber(split("/", var.network.subnetwork.ip_cidr_range)[1]) <= 28, false)
    )
    error_message = "network.subnetwork.ip_cidr_range must be an IPv4 network address with a prefix of 28 or less, such as 10.8.0.0/24 (10.8.0.1/24 is a host's)."
  }

  validation {
    condition = alltrue(flatten([for allowance in values(var.network.egress_allowances) : [
      contains(["tcp", "udp", "icmp", "esp", "ah", "sctp", "all"], allowance.protocol),
      length(allowance.ranges) > 0,
      length(allowance.ports) == 0 || contains(["tcp", "udp", "sctp"], allowance.protocol),
      [for port in allowance.ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", port))],
      [for range in allowance.ranges : can(cidrhost(range, 0))],
    ]])) && alltrue([for name in keys(var.network.egress_allowances) : can(regex("^[a-z]([a-z0-9-]{0,14}[a-z0-9])?$", name)) && name != "restricted-vip"])
    error_message = "Each of network.egress_allowances needs a name of at most 16 of a-z, 0-9 and hyphens (not restricted-vip, which is there), a protocol and CIDR ranges, and ports only with tcp, udp or sctp, such as snmp = { ranges = [\"10.20.0.5/32\"], protocol = \"udp\", ports = [\"162\"] }."
  }

  validation {
    condition     = length(var.network.egress_allowances) == 0 || coalesce(var.network.deny_egress, var.network.create)
    error_message = "network.egress_allowances only mean something where all other egress is denied: set network.deny_egress = true, or leave them out."
  }
}

variable "peering" {
  description = <<-EOT
    Private services access, one per network: the range that Cloud Build takes its workers' addresses
    from. The default holds 16 pools of 256 addresses.

    create = false: the network has its connection already (a second region), and pool.ip_cidr_range
      lies in a range of it.
    Another ip_cidr_range needs another name: the connection knows a range by its name.
    keep_ranges: names of ranges that an existing connection has already; what is not listed here is
      dropped from it.
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
    condition     = can(regex("^[0-9.]+/", var.peering.ip_cidr_range)) && try(cidrhost(var.peering.ip_cidr_range, 0) == split("/", var.peering.ip_cidr_range)[0], false)
    error_message = "peering.ip_cidr_range is \"${var.peering.ip_cidr_range}\", but it must be an IPv4 network address, such as 10.64.0.0/20."
  }

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.peering.name))
    error_message = "peering.name is \"${var.peering.name}\", but it must be 1 to 63 of a-z, 0-9 and hyphens, such as closed-network-services."
  }
}

# -------------------------------------------------------------------------------------- pool

variable "pool" {
  description = "The private worker pool, without external addresses. A changed ip_cidr_range replaces it."
  type = object({
    name          = optional(string, "cb-workerpool")
    machine_type  = optional(string, "e2-medium")
    disk_size_gb  = optional(number, 100)
    ip_cidr_range = optional(string, "10.64.0.0/24")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.pool.name))
    error_message = "pool.name is \"${var.pool.name}\", but it must be 1 to 63 of a-z, 0-9 and hyphens, such as cb-workerpool."
  }

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.pool.machine_type))
    error_message = "pool.machine_type is \"${var.pool.machine_type}\", but it must be a machine type, such as e2-medium."
  }

  validation {
    condition     = var.pool.disk_size_gb >= 100 && var.pool.disk_size_gb <= 1000 && floor(var.pool.disk_size_gb) == var.pool.disk_size_gb
    error_message = "pool.disk_size_gb is ${var.pool.disk_size_gb}, but it must be a whole number from 100 to 1000."
  }

  validation {
    condition     = can(regex("^[0-9.]+/", var.pool.ip_cidr_range)) && try(cidrhost(var.pool.ip_cidr_range, 0) == split("/", var.pool.ip_cidr_range)[0], false)
    error_message = "pool.ip_cidr_range is \"${var.pool.ip_cidr_range}\", but it must be an IPv4 network address, such as 10.64.0.0/24 (10.64.0.1/24 is a host's)."
  }

  validation {
    condition     = try(tonumber(split("/", var.pool.ip_cidr_range)[1]) <= 29, false)
    error_message = "pool.ip_cidr_range is \"${var.pool.ip_cidr_range}\", but its prefix must be 29 or less; /24 has room for 254 builds at once, /29 for 6."
  }

  # Two ranges overlap when their addresses agree in the bits of the shorter prefix.
  validation {
    condition = !anytrue([for taken in ["172.17.0.0/16", "192.168.10.0/24"] : try(
      cidrhost(format("%s/%d", split("/", taken)[0], min(split("/", taken)[1], split("/", var.pool.ip_cidr_range)[1])), 0) ==
      cidrhost(format("%s/%d", split("/", var.pool.ip_cidr_range)[0], min(split("/", taken)[1], split("/", var.pool.ip_cidr_range)[1])), 0),
    false)])
    error_message = "pool.ip_cidr_range is \"${var.pool.ip_cidr_range}\", which overlaps 172.17.0.0/16 or 192.168.10.0/24: Docker uses both inside every worker. Take another, such as 10.64.0.0/24."
  }

  validation {
    condition = !var.network.subnetwork.create || !anytrue([for taken in compact([var.pool.ip_cidr_range, var.peering.create ? var.peering.ip_cidr_range : ""]) : try(
      cidrhost(format("%s/%d", split("/", var.network.subnetwork.ip_cidr_range)[0], min(split("/", var.network.subnetwork.ip_cidr_range)[1], split("/", taken)[1])), 0) ==
      cidrhost(format("%s/%d", split("/", taken)[0], min(split("/", var.network.subnetwork.ip_cidr_range)[1], split("/", taken)[1])), 0),
    false)])
    error_message = "network.subnetwork.ip_cidr_range overlaps pool.ip_cidr_range or peering.ip_cidr_range: give each a range of its own, such as 10.8.0.0/24 and 10.64.0.0/20."
  }

  validation {
    condition = !var.peering.create || try(
      cidrhost(format("%s/%d", split("/", var.pool.ip_cidr_range)[0], split("/", var.peering.ip_cidr_range)[1]), 0) == split("/", var.peering.ip_cidr_range)[0] &&
      tonumber(split("/", var.pool.ip_cidr_range)[1]) >= tonumber(split("/", var.peering.ip_cidr_range)[1]),
    false)
    error_message = "pool.ip_cidr_range must lie in peering.ip_cidr_range, which is what the connection reserves: 10.64.0.0/24 lies in 10.64.0.0/20."
  }
}

variable "build_service_account" {
  description = <<-EOT
    The account that builds run as. It belongs to the platform, so that the perimeter's ingress rule
    and the repository grants name it before the first function is built.

    create = false: it exists already (an account of the organisation's, or a second region).
  EOT
  type = object({
    create     = optional(bool, true)
    account_id = optional(string, "cb-builder")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.build_service_account.account_id))
    error_message = "build_service_account.account_id is \"${var.build_service_account.account_id}\", but it must be the part before the @: 6 to 30 of a-z, 0-9 and hyphens, such as cb-builder."
  }
}

variable "functions" {
  description = <<-EOT
    What functions need from the platform, as their output platform_must_list shows it (`make
    accounts` prints it): of those outside the platform's own project the numbers of their projects by
    id; the e-mails of build accounts of their own; and what Google's service agents of a project may
    do, which no function grants because the others would lose it with that one.

    service_agents, by the project's id:
      storage_triggers: a bucket may call its functions; always so in the platform's own project.
      alert_topics: topics that exist already and that Cloud Monitoring may publish to.
      kms_keys: keys that functions are encrypted with.
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
    error_message = "functions.projects maps ids to numbers, such as { my-function-project = \"123456789012\" }; `gcloud projects describe my-function-project` shows both."
  }

  validation {
    condition     = !contains(keys(var.functions.projects), var.project_id)
    error_message = "functions.projects lists the platform's own project, which is a member anyway: leave it out."
  }

  validation {
    condition = alltrue([for account in var.functions.build_service_accounts :
      can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\\.iam\\.gserviceaccount\\.com$", account))
    ])
    error_message = "functions.build_service_accounts holds e-mails without a prefix, such as my-function-build@my-project-id.iam.gserviceaccount.com."
  }

  validation {
    condition     = length(setsubtract(keys(var.functions.service_agents), concat([var.project_id], keys(var.functions.projects)))) == 0
    error_message = "functions.service_agents has a project that is neither ${var.project_id} nor in functions.projects: list its number there, such as { my-function-project = \"123456789012\" }."
  }

  validation {
    condition = alltrue(flatten([for id, may in var.functions.service_agents : [
      for topic in may.alert_topics : can(regex("^projects/${id}/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", topic))
    ]]))
    error_message = "functions.service_agents lists alert_topics in full and of the same project, such as { my-project-id = { alert_topics = [\"projects/my-project-id/topics/alerts\"] } }."
  }

  validation {
    condition = alltrue(flatten([for may in values(var.functions.service_agents) : [
      for key in may.kms_keys : can(regex("^projects/[^/]+/locations/${var.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", key))
    ]]))
    error_message = "functions.service_agents lists kms_keys in full and in ${var.region}, such as projects/my-keys-project/locations/${var.region}/keyRings/functions/cryptoKeys/functions."
  }
}

variable "project_grants" {
  description = <<-EOT
    Whether this stack makes the grants that hold for a whole project: the build account's, those of
    other projects' agents on the pool, and those of Google's service agents for storage triggers.
    false in a second region: the first region's platform makes them for both, and what is destroyed
    here must not take them away there.
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
      A name that the private one has is then never looked for on the public index (dependency
      confusion), and requirements.txt points at the virtual repository.
    images: name of a Docker remote repository in front of Docker Hub, such as ar-dockerhub, for CI
      that runs in the pool, which reaches no other registry. The build account may read it.
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
    error_message = "The names in repositories must differ: one repository holds one format, such as python = \"ar-buildpython\" and docker = \"ar-builddocker\"."
  }

  validation {
    condition     = var.repositories.kms_key_name == null || can(regex("^projects/[^/]+/locations/${var.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.repositories.kms_key_name))
    error_message = "repositories.kms_key_name must be a key in ${var.region}, such as projects/my-keys-project/locations/${var.region}/keyRings/build/cryptoKeys/repositories."
  }

  validation {
    condition     = contains(["INHERITED", "DISABLED"], var.repositories.vulnerability_scanning)
    error_message = "repositories.vulnerability_scanning is \"${var.repositories.vulnerability_scanning}\", but it must be INHERITED or DISABLED."
  }
}

# --------------------------------------------------------------------------------- perimeter

variable "perimeter" {
  description = <<-EOT
    The service perimeter around the platform's project and the projects of functions.

    mode: create one; join one that someone else owns (name says which); none: touch no perimeter.
    enforcement: enforced, or dry-run, which logs what would be refused.
    restricted_services: only for create. Artifact Registry is the least that makes the upstream
      switch necessary. Recommended, once the deployers are listed: also cloudbuild, cloudfunctions,
      run, storage, containerregistry, logging, pubsub, eventarc, secretmanager, cloudkms and
      monitoring, each with .googleapis.com.
    deployers: who calls the restricted services from outside, first of all the account that applies
      this, which would lock itself out; [] says that it applies from inside.
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
    condition     = can(regex("^([A-Za-z][A-Za-z0-9_]{0,49})?$", var.perimeter.name))
    error_message = "perimeter.name is \"${var.perimeter.name}\", but it must be 1 to 50 letters, digits and underscores, starting with a letter and without hyphens, such as closed_build."
  }

  validation {
    condition     = var.perimeter.mode != "join" || var.perimeter.name != ""
    error_message = "perimeter.mode is join, so perimeter.name must say which: `gcloud access-context-manager perimeters list --policy=POLICY` shows the names, such as closed_build."
  }

  validation {
    condition     = length(var.perimeter.restricted_services) > 0 && alltrue([for service in var.perimeter.restricted_services : can(regex("^[a-z][a-z0-9-]*\\.googleapis\\.com$", service))])
    error_message = "perimeter.restricted_services must be one or more services in full, such as artifactregistry.googleapis.com."
  }

  validation {
    condition     = var.perimeter.mode != "create" || contains(var.perimeter.restricted_services, "artifactregistry.googleapis.com")
    error_message = "perimeter.restricted_services must contain artifactregistry.googleapis.com: the perimeter is there to protect the repositories."
  }

  validation {
    condition = length(coalesce(var.perimeter.deployers, [])) > 0 || length(setintersection(var.perimeter.restricted_services, [
      "accesscontextmanager.googleapis.com", "cloudresourcemanager.googleapis.com", "iam.googleapis.com", "serviceusage.googleapis.com",
    ])) == 0
    error_message = "perimeter.restricted_services holds a service that the next terraform apply itself calls (accesscontextmanager, cloudresourcemanager, iam or serviceusage): list who applies in perimeter.deployers, such as [\"user:taro@example.com\"], or leave it out."
  }

  validation {
    condition     = var.perimeter.mode == "none" || var.perimeter.enforcement == "dry-run" || var.perimeter.deployers != null
    error_message = "perimeter.deployers is not set: the perimeter would lock out whoever applies this. List who calls it from outside, such as [\"user:taro@example.com\"] (`gcloud config get account` shows yours), or say [] when you apply from inside."
  }

  validation {
    condition     = alltrue([for deployer in coalesce(var.perimeter.deployers, []) : can(regex("^(user|group|serviceAccount):[^@\\s:]+@[^@\\s]+\\.[^@\\s]+$", deployer))])
    error_message = "Each of perimeter.deployers needs a prefix, such as user:taro@example.com, group:platform@example.com or serviceAccount:deploy@my-project-id.iam.gserviceaccount.com."
  }

  validation {
    condition     = var.perimeter.mode != "create" || var.access_policy.id != "" || var.access_policy.organization_id != ""
    error_message = "perimeter.mode is create, so set access_policy.id (an existing policy, such as \"123456789\") or access_policy.organization_id (make a new one). `gcloud access-context-manager policies list --organization=NUMBER` shows what exists."
  }

  validation {
    condition     = var.perimeter.mode != "join" || var.access_policy.id != ""
    error_message = "perimeter.mode is join, so access_policy.id must be the number of the policy that holds the perimeter, such as \"123456789\"."
  }
}

variable "access_policy" {
  description = <<-EOT
    The access policy that holds the perimeter: an existing one by its number (id), or a new one in
    an organisation (organization_id), for the whole of it or for one folder or project (scope). An
    organisation has one policy without a scope: `gcloud access-context-manager policies list
    --organization=NUMBER` shows it.
  EOT
  type = object({
    id              = optional(string, "")
    organization_id = optional(string, "")
    scope           = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[0-9]*$", var.access_policy.id))
    error_message = "access_policy.id is \"${var.access_policy.id}\", but it must be the policy's number alone, such as 123456789."
  }

  validation {
    condition     = can(regex("^[0-9]*$", var.access_policy.organization_id))
    error_message = "access_policy.organization_id is \"${var.access_policy.organization_id}\", but it must be the organisation's number alone, such as 987654321098."
  }

  validation {
    condition     = can(regex("^((folders|projects)/[1-9][0-9]*)?$", var.access_policy.scope))
    error_message = "access_policy.scope is \"${var.access_policy.scope}\", but it must be one folder or project by number, such as folders/123456789012, or empty for the whole organisation."
  }

  validation {
    condition     = var.access_policy.scope == "" || var.access_policy.id == ""
    error_message = "access_policy.scope is for a new policy; the one with access_policy.id has its scope already. Set one of the two."
  }
}

# --------------------------------------------------------------------------------- upstreams

variable "upstreams" {
  description = <<-EOT
    Whether the remote repositories of this project and region may ask their upstreams (`gcloud
    artifacts vpcsc-config allow`). By default yes behind an enforced perimeter of mode create or
    join. With mode none say allow = true when the project is in a perimeter that is managed
    elsewhere, or that another region's platform made.
  EOT
  type = object({
    allow = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition     = coalesce(var.upstreams.allow, false) == false || var.perimeter.mode == "none" || var.perimeter.enforcement == "enforced"
    error_message = "upstreams.allow is true, but a dry-run perimeter refuses nothing yet: leave upstreams.allow out, and set perimeter.enforcement = \"enforced\" when the dry run's log is clean."
  }
}

# ------------------------------------------------------------------------------------- waits

variable "waits" {
  description = <<-EOT
    How long to wait for what answers "done" before it is.

    peering: until Cloud Build sees a new connection; a pool made at once fails.
    iam: until new accounts and grants are known everywhere.
    perimeter: until membership and rules act; measured from 1 to 40 minutes, results alternating, so
      a build can still be refused after it.
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
