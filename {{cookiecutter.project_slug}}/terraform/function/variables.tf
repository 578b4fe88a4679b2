# Set in platform.auto.tfvars.json (the hand-over file) and settings.auto.tfvars.json (yours). The
# validations are needed: the providers refuse little before an apply.

# Every value is a name and nothing is read, so a plan needs no rights in the platform's project.
variable "platform" {
  description = "The platform that builds the function and in which it runs (the hand-over file)."
  type = object({
    project_id            = string
    region                = string
    network               = string               # projects/P/global/networks/N
    subnetwork            = string               # projects/P/regions/R/subnetworks/S, or ""
    worker_pool           = string               # projects/P/locations/R/workerPools/W
    docker_repository     = string               # projects/P/locations/R/repositories/ID
    python_repository     = string               # projects/P/locations/R/repositories/ID
    python_index_url      = string               # the same repository, as pip's index
    build_service_account = string               # e-mail
    reserved_ranges       = optional(string, "") # in the network, separated by commas
    # Destinations of functions besides Google's APIs; null: any. `make doctor` compares it.
    egress_allowances = optional(map(object({
      ranges   = list(string)
      protocol = string
      ports    = optional(list(string), [])
    })))
    # The projects in the platform's `functions`; null: not known, as in an older hand-over file.
    function_projects = optional(list(string))
    # What Google's service agents may do, by project ID.
    service_agents = optional(map(object({
      storage_triggers = optional(bool, false)
      alert_topics     = optional(list(string), [])
      kms_keys         = optional(list(string), [])
    })), {})
  })
  nullable = false

  validation {
    condition = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.platform.project_id))
    error_message = join(" ", [
      "platform.project_id is ${var.platform.project_id}, which is not a project ID (a project number is not",
      "accepted): 6 to 30 of a-z, 0-9 and hyphens, such as my-platform-project.",
    ])
  }
  validation {
    condition = can(regex(join("-", [
      "^(africa|asia|australia|europe|me|northamerica|southamerica|us)",
      "(north|south|east|west|central|northeast|northwest|southeast|southwest)[1-9][0-9]?$",
    ]), var.platform.region))
    error_message = join(" ", [
      "platform.region is ${var.platform.region}, but it must be a region, not a multi-region, such as",
      "asia-northeast1.",
    ])
  }
  validation {
    condition = can(regex("^projects/[^/]+/global/networks/[^/]+$", var.platform.network))
    error_message = join(" ", [
      "platform.network is ${var.platform.network}, but it must be a network's full name, such as",
      "projects/my-platform-project/global/networks/closed-network.",
    ])
  }
  validation {
    condition = (
      var.platform.subnetwork == "" ||
      can(regex("^projects/[^/]+/regions/${var.platform.region}/subnetworks/[^/]+$", var.platform.subnetwork))
    )
    error_message = join(" ", [
      "platform.subnetwork is ${var.platform.subnetwork}, but it must be a subnetwork in ${var.platform.region},",
      "such as projects/my-platform-project/regions/${var.platform.region}/subnetworks/functions, or \"\" if the",
      "platform has none.",
    ])
  }
  validation {
    condition = can(regex(
      "^projects/[^/]+/locations/${var.platform.region}/workerPools/[^/]+$", var.platform.worker_pool
    ))
    error_message = join(" ", [
      "platform.worker_pool is ${var.platform.worker_pool}, but it must be a worker pool in ${var.platform.region}",
      "(in another region the build does not find it), such as",
      "projects/my-platform-project/locations/${var.platform.region}/workerPools/cb-workerpool.",
    ])
  }
  validation {
    condition = can(regex(
      "^projects/[^/]+/locations/${var.platform.region}/repositories/[^/]+$", var.platform.docker_repository
    ))
    error_message = join(" ", [
      "platform.docker_repository is ${var.platform.docker_repository}, but it must be a repository in",
      "${var.platform.region}, such as",
      "projects/my-platform-project/locations/${var.platform.region}/repositories/ar-builddocker.",
    ])
  }
  validation {
    condition = can(regex(
      "^projects/[^/]+/locations/${var.platform.region}/repositories/[^/]+$", var.platform.python_repository
    ))
    error_message = join(" ", [
      "platform.python_repository is ${var.platform.python_repository}, but it must be a repository in",
      "${var.platform.region}, such as",
      "projects/my-platform-project/locations/${var.platform.region}/repositories/ar-buildpython.",
    ])
  }
  validation {
    condition = var.platform.python_index_url == try(format(
      "https://%[2]s-python.pkg.dev/%[1]s/%[3]s/simple/",
      regex("^projects/([^/]+)/locations/([^/]+)/repositories/([^/]+)$", var.platform.python_repository)...
    ), "")
    error_message = join(" ", [
      "platform.python_index_url is ${var.platform.python_index_url}, but it must be the index of",
      "platform.python_repository ${var.platform.python_repository}; that of",
      "projects/P/locations/R/repositories/ID is https://R-python.pkg.dev/P/ID/simple/ (with the last slash).",
    ])
  }
  validation {
    condition = can(regex("^[^@:]+@[a-z0-9.-]+\\.gserviceaccount\\.com$", var.platform.build_service_account))
    error_message = join(" ", [
      "platform.build_service_account is ${var.platform.build_service_account}, but it must be the e-mail of a",
      "service account, such as cb-builder@my-platform-project.iam.gserviceaccount.com.",
    ])
  }
}

variable "project_id" {
  description = "Project ID of the function, its service accounts and its trigger."
  type        = string
  nullable    = false

  validation {
    condition = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = join(" ", [
      "project_id is ${var.project_id}, which is not a project ID (a project number is not accepted): 6 to 30 of",
      "a-z, 0-9 and hyphens, such as my-project-id.",
    ])
  }
}

variable "function" {
  description = "The function: its name, its build, its instances and its environment."
  type = object({
    name        = string
    description = optional(string, "")
    labels      = optional(map(string), {})

    # Build
    runtime                   = optional(string, "python313")
    entry_point               = string
    source_dir                = optional(string, "../../function") # relative to this folder
    build_environment         = optional(map(string), {})
    own_build_service_account = optional(bool, false)
    automatic_update          = optional(bool, false)

    # Instances
    available_memory     = optional(string, "512Mi")
    available_cpu        = optional(string, "0.3333")
    timeout_seconds      = optional(number, 540)
    min_instances        = optional(number, 1)
    max_instances        = optional(number, 100)
    instance_concurrency = optional(number, 1) # concurrent requests
    ingress              = optional(string, "ALLOW_INTERNAL_ONLY")

    # Environment, and the roles of the runtime account
    environment = optional(map(string), {})
    # By variable; the secrets must be in the function's project.
    secret_environment = optional(map(object({
      secret  = string
      version = optional(string, "latest")
    })), {})
    # By the folder that contains the file.
    secret_volumes = optional(map(object({
      secret  = string
      version = optional(string, "latest")
      path    = string
    })), {})
    runtime_roles = optional(set(string), [])

    # Null: Google's keys, and no policy. The Docker repository must use the same key, and the
    # platform's `functions` must contain the key (make accounts).
    kms_key_name                = optional(string)
    binary_authorization_policy = optional(string)
  })
  nullable = false

  validation {
    condition = can(regex("^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$", var.function.name))
    error_message = join(" ", [
      "function.name is ${var.function.name}, but it must be 1 to 22 of a-z, 0-9 and hyphens, starting with a",
      "letter and not ending with a hyphen (a service account's ID, NAME-trigger, has at most 30), such as",
      "alert-to-snmp.",
    ])
  }
  validation {
    condition = length(var.function.labels) <= 60 && alltrue([
      for key, value in var.function.labels :
      can(regex("^\\p{Ll}[\\p{Ll}\\p{Lo}\\p{N}_-]{0,62}$", key)) &&
      can(regex("^[\\p{Ll}\\p{Lo}\\p{N}_-]{0,63}$", value))
    ])
    error_message = join(" ", [
      "function.labels must be at most 60 labels whose keys and values have at most 63 lower-case letters, digits,",
      "_ and -; a key starts with a letter, such as { team = \"network\" }.",
    ])
  }
  validation {
    condition = contains(["python311", "python312", "python313", "python314"], var.function.runtime)
    error_message = join(" ", [
      "function.runtime is ${var.function.runtime}, but it must be python311, python312, python313 or python314;",
      "older runtimes are deprecated.",
    ])
  }
  validation {
    condition = can(regex("^[A-Za-z_][A-Za-z0-9_]*$", var.function.entry_point))
    error_message = join(" ", [
      "function.entry_point is ${var.function.entry_point}, but it must be the name of a Python function in",
      "main.py, such as send_event.",
    ])
  }
  validation {
    condition = alltrue([
      for name in keys(var.function.build_environment) :
      can(regex(join("", [
        "^((GOOGLE|BP)_[A-Z0-9_]+|PIP_(DEFAULT_TIMEOUT|DISABLE_PIP_VERSION_CHECK|NO_COLOR|NO_INPUT|PROGRESS_BAR",
        "|QUIET|RESUME_RETRIES|RETRIES|ROOT_USER_ACTION|TIMEOUT|VERBOSE))$",
      ]), name)) && !contains(["GOOGLE_PYTHON_PACKAGE_MANAGER", "GOOGLE_VENDOR_PIP_DEPENDENCIES"], name)
    ])
    error_message = join(" ", [
      "function.build_environment sets ${join(", ", keys(var.function.build_environment))}, but a build must take",
      "packages with pip from the platform's index alone, so only GOOGLE_… (not GOOGLE_PYTHON_PACKAGE_MANAGER and",
      "GOOGLE_VENDOR_PIP_DEPENDENCIES), BP_… and those options of pip are allowed that cannot lead it elsewhere:",
      "PIP_DEFAULT_TIMEOUT, PIP_DISABLE_PIP_VERSION_CHECK, PIP_NO_COLOR, PIP_NO_INPUT, PIP_PROGRESS_BAR, PIP_QUIET,",
      "PIP_RESUME_RETRIES, PIP_RETRIES, PIP_ROOT_USER_ACTION, PIP_TIMEOUT, PIP_VERBOSE; such as { PIP_VERBOSE =",
      "\"2\" }.",
    ])
  }
  validation {
    condition = try(
      contains(["1", "2", "4", "6", "8"], var.function.available_cpu) ||
      tonumber(var.function.available_cpu) >= 0.08 && tonumber(var.function.available_cpu) < 1,
      false,
    )
    error_message = join(" ", [
      "function.available_cpu is ${var.function.available_cpu}, but it must be 0.08 to 1, or 2, 4, 6 or 8, such as",
      "\"1\".",
    ])
  }
  validation {
    condition = try(
      tonumber(regex("^([1-9][0-9]*)[GM]i$", var.function.available_memory)[0]) >= (
        endswith(var.function.available_memory, "Gi") ? 1 : 128
      ),
      false,
    )
    error_message = join(" ", [
      "function.available_memory is ${var.function.available_memory}, but it must be at least 128Mi, in Mi or Gi,",
      "such as 512Mi.",
    ])
  }
  validation {
    # The validations above refuse malformed values.
    condition = try(
      tonumber(trimsuffix(trimsuffix(var.function.available_memory, "Gi"), "Mi")) * (
        endswith(var.function.available_memory, "Gi") ? 1024 : 1
        ) <= (
        tonumber(var.function.available_cpu) >= 1 ? 4096 * tonumber(var.function.available_cpu) :
        tonumber(var.function.available_cpu) >= 0.5 ? 1024 : 512
      ),
      true,
    )
    error_message = join(" ", [
      "function.available_memory is ${var.function.available_memory}, which is more than function.available_cpu",
      "${var.function.available_cpu} allows: 512Mi with less than half a CPU, 1Gi with less than one, 4Gi for each",
      "whole CPU, such as 2Gi with \"1\".",
    ])
  }
  validation {
    condition = try(
      tonumber(trimsuffix(trimsuffix(var.function.available_memory, "Gi"), "Mi")) * (
        endswith(var.function.available_memory, "Gi") ? 1024 : 1
      ) >= lookup({ "4" = 2048, "6" = 4096, "8" = 4096 }, var.function.available_cpu, 0),
      true,
    )
    error_message = join(" ", [
      "function.available_memory is ${var.function.available_memory}, which is less than function.available_cpu",
      "${var.function.available_cpu} needs: 2Gi with four CPUs, 4Gi with six or eight, such as 4Gi.",
    ])
  }
  validation {
    condition = (
      var.function.timeout_seconds >= 1 && floor(var.function.timeout_seconds) == var.function.timeout_seconds &&
      var.function.timeout_seconds <= 3600
    )
    error_message = join(" ", [
      "function.timeout_seconds is ${var.function.timeout_seconds}, but it must be 1 to 3600, such as 540.",
    ])
  }
  validation {
    condition = (
      var.function.min_instances >= 0 && var.function.max_instances >= 1 && var.function.max_instances <= 1000 &&
      alltrue([for count in [var.function.min_instances, var.function.max_instances] : floor(count) == count]) &&
      var.function.min_instances <= var.function.max_instances
    )
    error_message = join(" ", [
      "function.min_instances is ${var.function.min_instances} and function.max_instances is",
      "${var.function.max_instances}, but they must be whole numbers with 0 <= min_instances <= max_instances and",
      "max_instances from 1 to 1000, such as 1 and 100.",
    ])
  }
  validation {
    condition = var.function.instance_concurrency >= 1 && var.function.instance_concurrency <= 1000
    error_message = join(" ", [
      "function.instance_concurrency is ${var.function.instance_concurrency}, but it must be 1 to 1000, such as 1.",
    ])
  }
  validation {
    condition = var.function.instance_concurrency <= 1 || try(tonumber(var.function.available_cpu) >= 1, false)
    error_message = join(" ", [
      "function.instance_concurrency is ${var.function.instance_concurrency}: more than one concurrent request",
      "needs a whole CPU. Set function.available_cpu, such as \"1\".",
    ])
  }
  validation {
    condition = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"], var.function.ingress)
    error_message = join(" ", [
      "function.ingress is ${var.function.ingress}, but in a closed network it must be ALLOW_INTERNAL_ONLY or,",
      "behind a load balancer, ALLOW_INTERNAL_AND_GCLB.",
    ])
  }
  validation {
    condition = alltrue([
      for name in concat(keys(var.function.environment), keys(var.function.secret_environment)) :
      can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !startswith(name, "X_GOOGLE_") &&
      !contains([
        "FUNCTION_SIGNATURE_TYPE", "FUNCTION_TARGET", "K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PORT"
      ], name)
    ])
    error_message = join(" ", [
      "function.environment and function.secret_environment must have valid variable names that the service does",
      "not reserve (FUNCTION_SIGNATURE_TYPE, FUNCTION_TARGET, K_CONFIGURATION, K_REVISION, K_SERVICE, PORT,",
      "X_GOOGLE_…), such as SNMP_RECEIVERS.",
    ])
  }
  validation {
    condition = alltrue([for value in values(var.function.environment) : value != null])
    error_message = join(" ", [
      "function.environment is not filled in:",
      "${join(", ", [for name, value in var.function.environment : name if value == null])} is null. Set a value,",
      "such as { SNMP_RECEIVERS = \"10.20.0.5:162\" }.",
    ])
  }
  validation {
    condition     = length(setintersection(keys(var.function.environment), keys(var.function.secret_environment))) == 0
    error_message = "function.environment and function.secret_environment must not set the same variable."
  }
  validation {
    condition = alltrue([
      for used in concat(values(var.function.secret_environment), values(var.function.secret_volumes)) :
      can(regex("^[A-Za-z0-9_-]{1,255}$", used.secret)) && can(regex("^(latest|[1-9][0-9]*)$", used.version))
    ])
    error_message = join(" ", [
      "In function.secret_environment and function.secret_volumes, secret must be a name of 1 to 255 letters,",
      "digits, _ and - (only the name, not projects/…), and version a number or latest, such as { secret =",
      "\"snmp-community\", version = \"3\" }.",
    ])
  }
  validation {
    condition = alltrue([
      for folder, used in var.function.secret_volumes :
      can(regex("^/[^/:]+(/[^/:]+)*$", folder)) && can(regex("^[^/:]+(/[^/:]+)*$", used.path))
    ])
    error_message = join(" ", [
      "function.secret_volumes must have an absolute folder as its key and a relative path, such as { \"/secrets\"",
      "= { secret = \"snmp-community\", path = \"community\" } }.",
    ])
  }
  validation {
    condition = alltrue([
      for role in var.function.runtime_roles :
      can(regex("^(roles|projects/[^/]+/roles|organizations/[0-9]+/roles)/[A-Za-z0-9_.]+$", role)) &&
      !contains([for role in ["admin", "editor", "owner", "reader", "viewer", "writer"] : "roles/${role}"], role)
    ])
    error_message = join(" ", [
      "function.runtime_roles must be roles, but not the basic roles owner, editor, viewer, admin, writer and",
      "reader, which allow far more than a function needs, such as [\"roles/errorreporting.writer\"].",
    ])
  }
  validation {
    condition = var.function.kms_key_name == null || can(regex(
      "^projects/[^/]+/locations/${var.platform.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.function.kms_key_name
    ))
    error_message = join(" ", [
      "function.kms_key_name must be a key in ${var.platform.region}, such as",
      "projects/my-keys-project/locations/${var.platform.region}/keyRings/functions/cryptoKeys/functions.",
    ])
  }
  validation {
    condition = var.function.binary_authorization_policy == null || can(regex(
      "^(default|projects/[^/]+/platforms/cloudRun/policies/[^/]+)$", var.function.binary_authorization_policy
    ))
    error_message = join(" ", [
      "function.binary_authorization_policy must be default (the project's policy) or a platform policy, such as",
      "projects/my-project-id/platforms/cloudRun/policies/signed.",
    ])
  }
}

variable "trigger" {
  description = "What calls the function, by `kind`; each other attribute belongs to the kinds in its comment."
  type = object({
    kind     = string
    invokers = optional(set(string), []) # http: user:…, group:… or serviceAccount:…
    # pubsub, alert: projects/P/topics/T; null: it is created. With kind alert the platform's
    # `functions` must contain the topic (make accounts).
    topic  = optional(string)
    bucket = optional(string) # storage: its name; null: it is created
    # pubsub, alert: the wait before another delivery grows from the first to the second
    minimum_backoff = optional(string, "10s")
    maximum_backoff = optional(string, "600s")
    # pubsub, alert: a message that the function does not accept becomes a dead letter after these
    # attempts, about two hours. Without dead letters it is delivered again for seven days.
    dead_letters          = optional(bool, true)
    max_delivery_attempts = optional(number, 20)
  })
  nullable = false

  validation {
    condition     = contains(["http", "pubsub", "alert", "storage"], var.trigger.kind)
    error_message = "trigger.kind is ${var.trigger.kind}, but it must be http, pubsub, alert or storage."
  }
  validation {
    condition = var.trigger.kind == "http" || var.function.timeout_seconds <= 540
    error_message = join(" ", [
      "function.timeout_seconds is ${var.function.timeout_seconds}, but with events it must be at most 540 (3600",
      "with trigger.kind http), such as 540.",
    ])
  }
  validation {
    condition = (
      (length(var.trigger.invokers) == 0 || var.trigger.kind == "http") &&
      (var.trigger.topic == null || contains(["pubsub", "alert"], var.trigger.kind)) &&
      (var.trigger.bucket == null || var.trigger.kind == "storage")
    )
    error_message = join(" ", [
      "trigger has an attribute of another kind than ${var.trigger.kind}: invokers belongs to http, topic to",
      "pubsub and alert, bucket to storage.",
    ])
  }
  validation {
    condition = alltrue([
      for member in var.trigger.invokers : can(regex("^(user|group|serviceAccount):[^@:]+@[^@:]+$", member))
    ])
    error_message = join(" ", [
      "Each of trigger.invokers must be an e-mail address with the prefix user:, group: or serviceAccount:",
      "(allUsers and allAuthenticatedUsers are not accepted), such as [\"group:operators@example.com\"].",
    ])
  }
  validation {
    condition = (
      var.trigger.topic == null ||
      can(regex("^projects/${var.project_id}/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", var.trigger.topic))
    )
    error_message = join(" ", [
      "trigger.topic must be a topic of the function's project, such as projects/${var.project_id}/topics/alerts.",
    ])
  }
  validation {
    condition     = var.trigger.bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.trigger.bucket))
    error_message = "trigger.bucket must be a bucket's name (without gs://), such as my-project-id-inbox."
  }
  validation {
    condition = try(
      (
        tonumber(trimsuffix(var.trigger.minimum_backoff, "s")) <=
        tonumber(trimsuffix(var.trigger.maximum_backoff, "s"))
      ) &&
      tonumber(trimsuffix(var.trigger.maximum_backoff, "s")) <= 600 &&
      alltrue([for wait in [var.trigger.minimum_backoff, var.trigger.maximum_backoff] : can(regex("^[0-9]+s$", wait))]),
      false,
    )
    error_message = join(" ", [
      "trigger.minimum_backoff and trigger.maximum_backoff must be 0s to 600s, and the first not longer than the",
      "second, such as 10s and 600s.",
    ])
  }
  validation {
    condition = (
      var.trigger.max_delivery_attempts >= 5 && var.trigger.max_delivery_attempts <= 100 &&
      floor(var.trigger.max_delivery_attempts) == var.trigger.max_delivery_attempts
    )
    error_message = join(" ", [
      "trigger.max_delivery_attempts is ${var.trigger.max_delivery_attempts}, but it must be a whole number from 5",
      "to 100, such as 20.",
    ])
  }
}

variable "egress" {
  description = "Exactly one of `direct` and `connector`; a connector is created, or an existing one is given by `id`."
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
    error_message = "egress must have exactly one of direct and connector, such as { direct = {} }."
  }
  validation {
    condition = var.egress.direct == null || var.platform.subnetwork != ""
    error_message = join(" ", [
      "egress is direct, but platform.subnetwork is empty, and direct egress needs a subnetwork. Ask the",
      "platform's owner for one, or use a connector, such as { connector = { name = \"functions\", ip_cidr_range =",
      "\"10.9.0.0/28\" } }.",
    ])
  }
  validation {
    condition = alltrue([
      for tag in try(var.egress.direct.tags, []) : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", tag))
    ])
    error_message = join(" ", [
      "Each of egress.direct.tags must be 1 to 63 of a-z, 0-9 and hyphens, starting with a letter, such as",
      "[\"functions\"].",
    ])
  }
  validation {
    condition = var.egress.connector == null || (
      try(var.egress.connector.id, null) == null
      ? try(var.egress.connector.name, null) != null && try(var.egress.connector.ip_cidr_range, null) != null
      : try(var.egress.connector.name, null) == null && try(var.egress.connector.ip_cidr_range, null) == null
    )
    error_message = join(" ", [
      "egress.connector must have either id (an existing connector) or name and ip_cidr_range (a new one), such as",
      "{ name = \"functions\", ip_cidr_range = \"10.9.0.0/28\" }.",
    ])
  }
  validation {
    condition = (
      try(var.egress.connector.id, null) == null ||
      can(regex("^projects/[^/]+/locations/${var.platform.region}/connectors/[^/]+$", var.egress.connector.id))
    )
    error_message = join(" ", [
      "egress.connector.id must be a connector in ${var.platform.region}, such as",
      "projects/my-project-id/locations/${var.platform.region}/connectors/functions.",
    ])
  }
  validation {
    condition = (
      try(var.egress.connector.name, null) == null ||
      can(regex("^[a-z][a-z0-9-]{0,23}[a-z0-9]$", var.egress.connector.name))
    )
    error_message = join(" ", [
      "egress.connector.name must be 2 to 25 of a-z, 0-9 and hyphens, starting with a letter and not ending with a",
      "hyphen, such as functions.",
    ])
  }
  validation {
    condition = (
      try(var.egress.connector.ip_cidr_range, null) == null ||
      try(cidrsubnet(var.egress.connector.ip_cidr_range, 0, 0) == var.egress.connector.ip_cidr_range, false) &&
      can(regex("^[0-9.]+/28$", var.egress.connector.ip_cidr_range))
    )
    error_message = join(" ", [
      "egress.connector.ip_cidr_range must be an IPv4 network address with the prefix /28, such as 10.9.0.0/28.",
    ])
  }
  validation {
    # A /28 overlaps a larger range only if it is inside it.
    condition = (
      try(var.egress.connector.ip_cidr_range, null) == null ||
      !can(regex("^(172\\.17|192\\.168\\.10)\\.", var.egress.connector.ip_cidr_range))
    )
    error_message = join(" ", [
      "egress.connector.ip_cidr_range must not be in 172.17.0.0/16 or 192.168.10.0/24, which Cloud Build's workers",
      "use. Choose another /28, such as 10.9.0.0/28.",
    ])
  }
  # Two ranges overlap when their addresses agree in the bits of the shorter prefix.
  validation {
    condition = try(var.egress.connector.ip_cidr_range, null) == null || !anytrue([
      for range in compact(split(",", var.platform.reserved_ranges)) : try(
        cidrhost("${split("/", var.egress.connector.ip_cidr_range)[0]}/${min(28, split("/", range)[1])}", 0) ==
        cidrhost("${split("/", range)[0]}/${min(28, split("/", range)[1])}", 0),
        false,
      )
    ])
    error_message = join(" ", [
      "egress.connector.ip_cidr_range overlaps a range of the platform's network",
      "(${var.platform.reserved_ranges}). Choose an unused /28, such as 10.9.0.0/28.",
    ])
  }
  validation {
    condition = var.egress.connector == null || try(
      var.egress.connector.min_instances >= 2 &&
      var.egress.connector.min_instances < var.egress.connector.max_instances &&
      var.egress.connector.max_instances <= 10,
      false,
    )
    error_message = join(" ", [
      "egress.connector must have 2 <= min_instances < max_instances <= 10, such as min_instances = 2,",
      "max_instances = 3.",
    ])
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
    error_message = join(" ", [
      "egress.connector would be created in a network of another project, where only the owner can reserve a",
      "range. Ask the owner for a connector and set its id, or use { direct = {} }.",
    ])
  }
}

variable "waits" {
  description = "How long to wait until Google Cloud has propagated a change."
  type = object({
    # A grant takes about two minutes; a function that is built earlier fails.
    iam = optional(string, "120s")
    # IAM does not know a new service agent at once.
    service_agents = optional(string, "180s")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for wait in values(var.waits) : can(regex("^[0-9]+[sm]$", wait))])
    error_message = "waits must be durations in seconds or minutes, such as { iam = \"120s\" }."
  }
}
