# What is asked for, in platform.auto.tfvars.json (from the platform's owner) and
# settings.auto.tfvars.json (yours). Each validation says what is wrong and what would be right: the
# providers themselves refuse little before they are applied.

# Everything is a name and nothing is looked up, so planning needs no rights in the platform's project.
variable "platform" {
  description = "The platform this function is built on and runs in."
  type = object({
    project_id            = string
    region                = string
    network               = string               # projects/P/global/networks/N
    subnetwork            = string               # projects/P/regions/R/subnetworks/S, "" when there is none
    worker_pool           = string               # projects/P/locations/R/workerPools/W
    docker_repository     = string               # projects/P/locations/R/repositories/ID
    python_repository     = string               # projects/P/locations/R/repositories/ID
    python_index_url      = string               # the same repository, as pip names it
    build_service_account = string               # e-mail
    reserved_ranges       = optional(string, "") # of the network, separated by commas
    # Whom functions may send to besides Google's APIs; null: anybody. `make doctor` compares it.
    egress_allowances = optional(map(object({
      ranges   = list(string)
      protocol = string
      ports    = optional(list(string), [])
    })))
    # What Google's service agents of a project may do, by the project's id.
    service_agents = optional(map(object({
      storage_triggers = optional(bool, false)
      alert_topics     = optional(list(string), [])
      kms_keys         = optional(list(string), [])
    })), {})
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.platform.project_id))
    error_message = "platform.project_id is ${var.platform.project_id}, which is no project id (nor is a project number one): 6 to 30 of a-z, 0-9 and hyphens, starting with a letter; for example my-platform-project."
  }
  validation {
    condition     = can(regex("^(africa|asia|australia|europe|me|northamerica|southamerica|us)-(north|south|east|west|central|northeast|northwest|southeast|southwest)[1-9][0-9]?$", var.platform.region))
    error_message = "platform.region is ${var.platform.region}, which is no region (a worker pool has no multi-region either); for example asia-northeast1."
  }
  validation {
    condition     = can(regex("^projects/[^/]+/global/networks/[^/]+$", var.platform.network))
    error_message = "platform.network is ${var.platform.network}, which is no network; for example projects/my-platform-project/global/networks/closed-network."
  }
  validation {
    condition = (
      var.platform.subnetwork == "" ||
      can(regex("^projects/[^/]+/regions/${var.platform.region}/subnetworks/[^/]+$", var.platform.subnetwork))
    )
    error_message = "platform.subnetwork is ${var.platform.subnetwork}, which is no subnetwork in ${var.platform.region}; for example projects/my-platform-project/regions/${var.platform.region}/subnetworks/functions, or \"\" when the platform has none."
  }
  validation {
    condition     = can(regex("^projects/[^/]+/locations/${var.platform.region}/workerPools/[^/]+$", var.platform.worker_pool))
    error_message = "platform.worker_pool is ${var.platform.worker_pool}, which is no worker pool in ${var.platform.region} (in any other region the build ends with NotFound); for example projects/my-platform-project/locations/${var.platform.region}/workerPools/cb-workerpool."
  }
  validation {
    condition     = can(regex("^projects/[^/]+/locations/${var.platform.region}/repositories/[^/]+$", var.platform.docker_repository))
    error_message = "platform.docker_repository is ${var.platform.docker_repository}, which is no repository in ${var.platform.region}; for example projects/my-platform-project/locations/${var.platform.region}/repositories/ar-builddocker."
  }
  validation {
    condition     = can(regex("^projects/[^/]+/locations/${var.platform.region}/repositories/[^/]+$", var.platform.python_repository))
    error_message = "platform.python_repository is ${var.platform.python_repository}, which is no repository in ${var.platform.region}; for example projects/my-platform-project/locations/${var.platform.region}/repositories/ar-buildpython."
  }
  validation {
    condition = var.platform.python_index_url == try(format(
      "https://%[2]s-python.pkg.dev/%[1]s/%[3]s/simple/",
      regex("^projects/([^/]+)/locations/([^/]+)/repositories/([^/]+)$", var.platform.python_repository)...
    ), "")
    error_message = "platform.python_index_url is ${var.platform.python_index_url}, which is not the index of platform.python_repository ${var.platform.python_repository}; for projects/P/locations/R/repositories/ID it is https://R-python.pkg.dev/P/ID/simple/ (with the slash at the end)."
  }
  validation {
    condition     = can(regex("^[^@:]+@[a-z0-9.-]+\\.gserviceaccount\\.com$", var.platform.build_service_account))
    error_message = "platform.build_service_account is ${var.platform.build_service_account}, which is no service account's e-mail; for example cb-builder@my-platform-project.iam.gserviceaccount.com."
  }
}

variable "project_id" {
  description = "Project of the function, its accounts and its trigger."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is ${var.project_id}, which is no project id (nor is a project number one): 6 to 30 of a-z, 0-9 and hyphens, starting with a letter; for example my-project-id."
  }
}

variable "function" {
  description = "The function: what it is, what it is built from and what it runs with."
  type = object({
    name        = string
    description = optional(string, "")
    labels      = optional(map(string), {})

    # Build
    runtime                   = optional(string, "python313")
    entry_point               = string
    source_dir                = optional(string, "../../function") # seen from this folder
    build_environment         = optional(map(string), {})
    own_build_service_account = optional(bool, false)
    automatic_update          = optional(bool, false)

    # Instances
    available_memory     = optional(string, "512Mi")
    available_cpu        = optional(string, "0.3333")
    timeout_seconds      = optional(number, 540)
    min_instances        = optional(number, 1)
    max_instances        = optional(number, 100)
    instance_concurrency = optional(number, 1) # requests at a time
    ingress              = optional(string, "ALLOW_INTERNAL_ONLY")

    # What the code sees, and what its account may do
    environment = optional(map(string), {})
    # By variable; the secrets are in the function's project.
    secret_environment = optional(map(object({
      secret  = string
      version = optional(string, "latest")
    })), {})
    # By the folder in which it appears as a file.
    secret_volumes = optional(map(object({
      secret  = string
      version = optional(string, "latest")
      path    = string
    })), {})
    runtime_roles = optional(set(string), [])

    # Null: Google's keys, and no policy. The key must be the Docker repository's, too, and the
    # platform must list it (make accounts).
    kms_key_name                = optional(string)
    binary_authorization_policy = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$", var.function.name))
    error_message = "function.name is ${var.function.name}: it must have 1 to 22 of a-z, 0-9 and hyphens, starting with a letter and not ending with a hyphen, because a service account's id, NAME-trigger, has at most 30; for example alert-to-snmp."
  }
  validation {
    condition = length(var.function.labels) <= 60 && alltrue([
      for key, value in var.function.labels :
      can(regex("^\\p{Ll}[\\p{Ll}\\p{Lo}\\p{N}_-]{0,62}$", key)) && can(regex("^[\\p{Ll}\\p{Lo}\\p{N}_-]{0,63}$", value))
    ])
    error_message = "function.labels has a key or value with something else than lower-case letters, digits, _ and -, or of more than 63 characters, or a key that does not start with a letter, or more than 60 labels; for example { team = \"network\" }."
  }
  validation {
    condition     = contains(["python311", "python312", "python313", "python314"], var.function.runtime)
    error_message = "function.runtime is ${var.function.runtime}: it must be python311, python312, python313 or python314, because older ones are deprecated."
  }
  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_]*$", var.function.entry_point))
    error_message = "function.entry_point is ${var.function.entry_point}, which is no name of a Python function in main.py; for example send_event."
  }
  validation {
    condition = alltrue([
      for name in keys(var.function.build_environment) :
      can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) &&
      !contains(["GOOGLE_PYTHON_PACKAGE_MANAGER", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"], name)
    ])
    error_message = "function.build_environment must not set GOOGLE_PYTHON_PACKAGE_MANAGER, PIP_INDEX_URL or PIP_EXTRA_INDEX_URL (a closed build works with pip and the platform's index alone) nor a name that is no variable's; for example { PIP_VERBOSE = \"2\" }."
  }
  validation {
    condition = try(
      contains(["1", "2", "4", "6", "8"], var.function.available_cpu) ||
      tonumber(var.function.available_cpu) >= 0.08 && tonumber(var.function.available_cpu) < 1,
      false,
    )
    error_message = "function.available_cpu is ${var.function.available_cpu}: it must be 0.08 to 1, or 2, 4, 6 or 8; for example \"1\"."
  }
  validation {
    condition = try(
      tonumber(regex("^([1-9][0-9]*)[GM]i$", var.function.available_memory)[0]) >= (
        endswith(var.function.available_memory, "Gi") ? 1 : 128
      ),
      false,
    )
    error_message = "function.available_memory is ${var.function.available_memory}: it must be at least 128Mi, in Mi or Gi; for example 512Mi."
  }
  validation {
    # What is malformed is refused above.
    condition = try(
      tonumber(trimsuffix(trimsuffix(var.function.available_memory, "Gi"), "Mi")) * (
        endswith(var.function.available_memory, "Gi") ? 1024 : 1
        ) <= (
        tonumber(var.function.available_cpu) >= 1 ? 4096 * tonumber(var.function.available_cpu) :
        tonumber(var.function.available_cpu) >= 0.5 ? 1024 : 512
      ),
      true,
    )
    error_message = "function.available_memory is ${var.function.available_memory}, more than function.available_cpu ${var.function.available_cpu} allows: 512Mi with less than half a CPU, 1Gi with less than one, 4Gi for each whole one; for example 2Gi with \"1\"."
  }
  validation {
    condition = try(
      tonumber(trimsuffix(trimsuffix(var.function.available_memory, "Gi"), "Mi")) * (
        endswith(var.function.available_memory, "Gi") ? 1024 : 1
      ) >= lookup({ "4" = 2048, "6" = 4096, "8" = 4096 }, var.function.available_cpu, 0),
      true,
    )
    error_message = "function.available_memory is ${var.function.available_memory}, less than function.available_cpu ${var.function.available_cpu} needs: 2Gi with four CPUs, 4Gi with six or eight; for example 4Gi."
  }
  validation {
    condition = (
      var.function.timeout_seconds >= 1 && floor(var.function.timeout_seconds) == var.function.timeout_seconds &&
      var.function.timeout_seconds <= 3600
    )
    error_message = "function.timeout_seconds is ${var.function.timeout_seconds}: it must be 1 to 3600; for example 540."
  }
  validation {
    condition = (
      var.function.min_instances >= 0 && var.function.max_instances >= 1 && var.function.max_instances <= 1000 &&
      alltrue([for count in [var.function.min_instances, var.function.max_instances] : floor(count) == count]) &&
      var.function.min_instances <= var.function.max_instances
    )
    error_message = "function.min_instances is ${var.function.min_instances} and function.max_instances ${var.function.max_instances}: both must be whole numbers, the first 0 or more, the second 1 to 1000 and not less than the first; for example 1 and 100."
  }
  validation {
    condition     = var.function.instance_concurrency >= 1 && var.function.instance_concurrency <= 1000
    error_message = "function.instance_concurrency is ${var.function.instance_concurrency}: it must be 1 to 1000; for example 1."
  }
  validation {
    condition     = var.function.instance_concurrency <= 1 || try(tonumber(var.function.available_cpu) >= 1, false)
    error_message = "function.instance_concurrency is ${var.function.instance_concurrency}: more than one request at a time needs a whole CPU; set function.available_cpu, for example to \"1\"."
  }
  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"], var.function.ingress)
    error_message = "function.ingress is ${var.function.ingress}: in a closed network it must be ALLOW_INTERNAL_ONLY or, behind a load balancer, ALLOW_INTERNAL_AND_GCLB."
  }
  validation {
    condition = alltrue([
      for name in concat(keys(var.function.environment), keys(var.function.secret_environment)) :
      can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !startswith(name, "X_GOOGLE_") &&
      !contains(["FUNCTION_SIGNATURE_TYPE", "FUNCTION_TARGET", "K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PORT"], name)
    ])
    error_message = "function.environment or function.secret_environment has a name that is no variable's or that the service reserves (FUNCTION_SIGNATURE_TYPE, FUNCTION_TARGET, K_CONFIGURATION, K_REVISION, K_SERVICE, PORT, X_GOOGLE_…); for example SNMP_RECEIVERS."
  }
  validation {
    condition     = alltrue([for value in values(var.function.environment) : value != null])
    error_message = "function.environment has a blank: ${join(", ", [for name, value in var.function.environment : name if value == null])} is null. Fill it in; for example { SNMP_RECEIVERS = \"10.20.0.5:162\" }."
  }
  validation {
    condition     = length(setintersection(keys(var.function.environment), keys(var.function.secret_environment))) == 0
    error_message = "function.environment and function.secret_environment have a name in common: a variable has its value from one of them."
  }
  validation {
    condition = alltrue([
      for used in concat(values(var.function.secret_environment), values(var.function.secret_volumes)) :
      can(regex("^[A-Za-z0-9_-]{1,255}$", used.secret)) && can(regex("^(latest|[1-9][0-9]*)$", used.version))
    ])
    error_message = "function.secret_environment or function.secret_volumes has a secret that is no name of 1 to 255 letters, digits, _ and - (give the name alone, not projects/…), or a version that is neither a number nor latest; for example { secret = \"snmp-community\", version = \"3\" }."
  }
  validation {
    condition = alltrue([
      for folder, used in var.function.secret_volumes :
      can(regex("^/[^/:]+(/[^/:]+)*$", folder)) && can(regex("^[^/:]+(/[^/:]+)*$", used.path))
    ])
    error_message = "function.secret_volumes must have an absolute folder as its key and a relative path in it; for example { \"/secrets\" = { secret = \"snmp-community\", path = \"community\" } }."
  }
  validation {
    condition = alltrue([
      for role in var.function.runtime_roles :
      can(regex("^(roles|projects/[^/]+/roles|organizations/[0-9]+/roles)/[A-Za-z0-9_.]+$", role)) &&
      !contains(["roles/editor", "roles/owner", "roles/viewer"], role)
    ])
    error_message = "function.runtime_roles has something that is no role, or one of the basic roles owner, editor and viewer, which allow far more than a function needs; for example [\"roles/errorreporting.writer\"]."
  }
  validation {
    condition = var.function.kms_key_name == null || can(regex(
      "^projects/[^/]+/locations/${var.platform.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.function.kms_key_name
    ))
    error_message = "function.kms_key_name is no key in ${var.platform.region}; for example projects/my-keys-project/locations/${var.platform.region}/keyRings/functions/cryptoKeys/functions."
  }
  validation {
    condition = var.function.binary_authorization_policy == null || can(regex(
      "^(default|projects/[^/]+/platforms/cloudRun/policies/[^/]+)$", var.function.binary_authorization_policy
    ))
    error_message = "function.binary_authorization_policy must be default, for the project's policy, or a platform policy; for example projects/my-project-id/platforms/cloudRun/policies/signed."
  }
}

variable "trigger" {
  description = "What calls the function, by `kind`; every other attribute belongs to the kinds named beside it."
  type = object({
    kind     = string
    invokers = optional(set(string), []) # http: user:…, group:… or serviceAccount:…
    # pubsub, alert: projects/P/topics/T; null: it is created. Of kind alert the platform must list
    # it (make accounts).
    topic  = optional(string)
    bucket = optional(string) # storage: its name; null: it is created
    # pubsub, alert: the wait before a message is delivered again grows from one to the other
    minimum_backoff = optional(string, "10s")
    maximum_backoff = optional(string, "600s")
    # pubsub, alert: what becomes of a message that the function does not accept; with this many
    # attempts it is kept after about two hours. Without dead letters it is tried for seven days.
    dead_letters          = optional(bool, true)
    max_delivery_attempts = optional(number, 20)
  })
  nullable = false

  validation {
    condition     = contains(["http", "pubsub", "alert", "storage"], var.trigger.kind)
    error_message = "trigger.kind is ${var.trigger.kind}: it must be http, pubsub, alert or storage."
  }
  validation {
    condition     = var.trigger.kind == "http" || var.function.timeout_seconds <= 540
    error_message = "function.timeout_seconds is ${var.function.timeout_seconds}, but a function that is called with events has 540 at most (one with trigger.kind http 3600); for example 540."
  }
  validation {
    condition = (
      (length(var.trigger.invokers) == 0 || var.trigger.kind == "http") &&
      (var.trigger.topic == null || contains(["pubsub", "alert"], var.trigger.kind)) &&
      (var.trigger.bucket == null || var.trigger.kind == "storage")
    )
    error_message = "trigger has an attribute of another kind than ${var.trigger.kind}: invokers belongs to http, topic to pubsub and alert, bucket to storage."
  }
  validation {
    condition = alltrue([
      for member in var.trigger.invokers : can(regex("^(user|group|serviceAccount):[^@:]+@[^@:]+$", member))
    ])
    error_message = "trigger.invokers has one without user:, group: or serviceAccount: before an e-mail address; allUsers and allAuthenticatedUsers are nobody in particular. For example [\"group:operators@example.com\"]."
  }
  validation {
    condition = (
      var.trigger.topic == null ||
      can(regex("^projects/${var.project_id}/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", var.trigger.topic))
    )
    error_message = "trigger.topic is no topic of the function's own project; for example projects/${var.project_id}/topics/alerts."
  }
  validation {
    condition     = var.trigger.bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.trigger.bucket))
    error_message = "trigger.bucket is no bucket's name (without gs://); for example my-project-id-inbox."
  }
  validation {
    condition = try(
      tonumber(trimsuffix(var.trigger.minimum_backoff, "s")) <= tonumber(trimsuffix(var.trigger.maximum_backoff, "s")) &&
      tonumber(trimsuffix(var.trigger.maximum_backoff, "s")) <= 600 &&
      alltrue([for wait in [var.trigger.minimum_backoff, var.trigger.maximum_backoff] : can(regex("^[0-9]+s$", wait))]),
      false,
    )
    error_message = "trigger.minimum_backoff and trigger.maximum_backoff must be 0s to 600s, the first not more than the second; for example 10s and 600s."
  }
  validation {
    condition     = var.trigger.max_delivery_attempts >= 5 && var.trigger.max_delivery_attempts <= 100 && floor(var.trigger.max_delivery_attempts) == var.trigger.max_delivery_attempts
    error_message = "trigger.max_delivery_attempts is ${var.trigger.max_delivery_attempts}: it must be a whole number from 5 to 100; for example 20."
  }
}

variable "egress" {
  description = "Exactly one of `direct` and `connector`; a connector is created, or given by `id`."
  type = object({
    direct = optional(object({
      tags = optional(list(string), []) # network tags, for firewall rules
    }))
    connector = optional(object({
      id            = optional(string) # projects/P/locations/R/connectors/NAME
      name          = optional(string)
      ip_cidr_range = optional(string) # an unused /28
      min_instances = optional(number, 2)
      max_instances = optional(number, 3)
      machine_type  = optional(string, "e2-micro")
    }))
  })
  default  = { direct = {} }
  nullable = false

  validation {
    condition     = (var.egress.direct == null) != (var.egress.connector == null)
    error_message = "egress has both direct and connector, or neither: it must have exactly one; for example { direct = {} }."
  }
  validation {
    condition     = var.egress.direct == null || var.platform.subnetwork != ""
    error_message = "egress is direct, but platform.subnetwork is empty: direct egress takes its addresses from a subnetwork. Ask the platform's owner for one, or use a connector; for example { connector = { name = \"functions\", ip_cidr_range = \"10.9.0.0/28\" } }."
  }
  validation {
    condition = alltrue([
      for tag in try(var.egress.direct.tags, []) : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", tag))
    ])
    error_message = "egress.direct.tags has one that is no network tag: 1 to 63 of a-z, 0-9 and hyphens, starting with a letter; for example [\"functions\"]."
  }
  validation {
    condition = var.egress.connector == null || (
      try(var.egress.connector.id, null) == null
      ? try(var.egress.connector.name, null) != null && try(var.egress.connector.ip_cidr_range, null) != null
      : try(var.egress.connector.name, null) == null && try(var.egress.connector.ip_cidr_range, null) == null
    )
    error_message = "egress.connector must have either id, for one that exists, or name and ip_cidr_range, for one to be created; for example { name = \"functions\", ip_cidr_range = \"10.9.0.0/28\" }."
  }
  validation {
    condition = (
      try(var.egress.connector.id, null) == null ||
      can(regex("^projects/[^/]+/locations/${var.platform.region}/connectors/[^/]+$", var.egress.connector.id))
    )
    error_message = "egress.connector.id is no connector in ${var.platform.region}; for example projects/my-project-id/locations/${var.platform.region}/connectors/functions."
  }
  validation {
    condition = (
      try(var.egress.connector.name, null) == null ||
      can(regex("^[a-z][a-z0-9-]{0,23}[a-z0-9]$", var.egress.connector.name))
    )
    error_message = "egress.connector.name must have 2 to 25 of a-z, 0-9 and hyphens, starting with a letter and not ending with a hyphen; for example functions."
  }
  validation {
    condition = (
      try(var.egress.connector.ip_cidr_range, null) == null ||
      try(cidrsubnet(var.egress.connector.ip_cidr_range, 0, 0) == var.egress.connector.ip_cidr_range, false) &&
      can(regex("^[0-9.]+/28$", var.egress.connector.ip_cidr_range))
    )
    error_message = "egress.connector.ip_cidr_range must be an IPv4 range of exactly /28 that begins at its first address; for example 10.9.0.0/28."
  }
  validation {
    # A /28 overlaps a larger range only by lying in it.
    condition = (
      try(var.egress.connector.ip_cidr_range, null) == null ||
      !can(regex("^(172\\.17|192\\.168\\.10)\\.", var.egress.connector.ip_cidr_range))
    )
    error_message = "egress.connector.ip_cidr_range lies in 172.17.0.0/16 or 192.168.10.0/24, which Cloud Build's workers use for themselves; take another /28, for example 10.9.0.0/28."
  }
  # Two ranges overlap when their addresses agree in the bits of the shorter prefix.
  validation {
    condition = try(var.egress.connector.ip_cidr_range, null) == null || !anytrue([for taken in compact(split(",", var.platform.reserved_ranges)) : try(
      cidrhost(format("%s/%d", split("/", var.egress.connector.ip_cidr_range)[0], min(28, split("/", taken)[1])), 0) ==
      cidrhost(format("%s/%d", split("/", taken)[0], min(28, split("/", taken)[1])), 0),
    false)])
    error_message = "egress.connector.ip_cidr_range overlaps what the platform's network has already (${var.platform.reserved_ranges}): take an unused /28, for example 10.9.0.0/28."
  }
  validation {
    condition = var.egress.connector == null || try(
      var.egress.connector.min_instances >= 2 &&
      var.egress.connector.min_instances < var.egress.connector.max_instances &&
      var.egress.connector.max_instances <= 10,
      false,
    )
    error_message = "egress.connector must have min_instances of at least 2, more max_instances than that, and at most 10; for example min_instances = 2, max_instances = 3."
  }
  validation {
    condition = (
      var.egress.connector == null ||
      contains(["f1-micro", "e2-micro", "e2-standard-4"], try(var.egress.connector.machine_type, ""))
    )
    error_message = "egress.connector.machine_type must be f1-micro, e2-micro or e2-standard-4."
  }
  validation {
    condition = (
      try(var.egress.connector.name, null) == null ||
      try(split("/", var.platform.network)[1], "") == var.project_id
    )
    error_message = "egress.connector would be created in a network of another project, where only its owner can reserve a range. Ask the owner for a connector and give its id, or use { direct = {} }."
  }
}

variable "waits" {
  description = "How long to wait for what Google Cloud makes known with a delay."
  type = object({
    # A grant is in force everywhere after about two minutes; a function built earlier fails.
    iam = optional(string, "120s")
    # An agent that has just come into being is unknown to IAM for a while.
    service_agents = optional(string, "180s")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for wait in values(var.waits) : can(regex("^[0-9]+[sm]$", wait))])
    error_message = "waits must be durations in seconds or minutes; for example { iam = \"120s\" }."
  }
}
