variable "project" {
  description = "The project that the cluster lives in."
  type        = string
}

variable "name" {
  description = "The cluster's name. Instances are NAME-1, NAME-2, ..., and the network and its tag bear it too."
  type        = string
  default     = "bake"
  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$", var.name))
    error_message = "Lower-case letters, digits and dashes, at most 52, a letter first."
  }
}

variable "zones" {
  description = "A zone for each node, all of one region. The order counts: append at the end, never insert."
  type        = list(string)
  default     = ["us-central1-a", "us-central1-b", "us-central1-c"]
  validation {
    condition     = length(var.zones) >= 1 && length(var.zones) <= 9
    error_message = "One to nine nodes; etcd wants an odd number."
  }
  validation {
    condition     = length(distinct([for zone in var.zones : replace(zone, "/-[a-z]$/", "")])) == 1
    error_message = "All zones must be of one region."
  }
}

variable "witnesses" {
  description = "Nodes that are members of etcd and nothing else, for a tiny machine: [\"bake-3\"]."
  type        = list(string)
  default     = []
}

variable "image_family" {
  description = "The family of the baked image."
  type        = string
  default     = "bake-node"
}

variable "image_project" {
  description = "The project of the image; null: var.project."
  type        = string
  default     = null
}

variable "machine_type" {
  type    = string
  default = "e2-small"
}

variable "disk_type" {
  description = "pd-balanced or pd-standard, of the disk that a node boots from."
  type        = string
  default     = "pd-balanced"
}

variable "disk_size" {
  description = "GB, at least what the image has; null: the image's size."
  type        = number
  default     = null
}

variable "etcd_disk_size" {
  description = "GB of each node's disk for etcd's data. It can grow, never shrink."
  type        = number
  default     = 10
}

variable "etcd_disk_type" {
  description = "pd-balanced or pd-ssd: etcd waits for it at every write. It cannot be changed."
  type        = string
  default     = "pd-balanced"
}

variable "subnet_cidr" {
  description = "The nodes' addresses, from the tenth on."
  type        = string
  default     = "10.10.0.0/24"
}

variable "external_addresses" {
  description = "A static external address for each node. Without one a node reaches Google's services only, unless the network has a NAT."
  type        = bool
  default     = false
}

variable "api_source_ranges" {
  description = "Who may reach the API server from outside of the cluster. Nobody."
  type        = list(string)
  default     = []
}

variable "ssh_source_ranges" {
  description = "Who may reach port 22. The default is the range of Google's Identity-Aware Proxy."
  type        = list(string)
  default     = ["35.235.240.0/20"]
}

variable "ssh_keys" {
  description = "Lines \"USER:KEY\". CoreOS and Flatcar know the user core."
  type        = list(string)
  default     = []
}

variable "os_login" {
  description = "Accounts by OS Login instead of ssh_keys: only where the base has its agent."
  type        = bool
  default     = false
}

variable "secure_boot" {
  description = "Only where the base's loader is signed by a key that UEFI of GCE knows."
  type        = bool
  default     = false
}

variable "cluster_secret" {
  description = "Base64 of 32 random bytes, as `bake metadata --secret-out` makes them; null: one is made here."
  type        = string
  default     = null
  sensitive   = true
}

variable "pod_cidr" {
  type    = string
  default = null
}

variable "service_cidr" {
  type    = string
  default = null
}

variable "cluster_domain" {
  type    = string
  default = null
}

variable "api_names" {
  description = "More DNS names and addresses that the API server's certificate is to hold, at most 8."
  type        = list(string)
  default     = []
}
