# Everything that follows from the variables alone. Nothing here needs a provider, so a test can evaluate it without one and
# compare it with scripts/gcloud-cluster.

locals {
  region = replace(var.zones[0], "/-[a-z]$/", "")
  image  = "projects/${coalesce(var.image_project, var.project)}/global/images/family/${var.image_family}"

  # Addresses are known before anything is created, so cluster-nodes is complete in the first apply.
  nodes = { for i, zone in var.zones : "${var.name}-${i + 1}" => {
    zone    = zone
    address = cidrhost(var.subnet_cidr, 10 + i)
    role    = contains(var.witnesses, "${var.name}-${i + 1}") ? "witness" : null
  } }

  # a for over the list: a map has no order of its own, and the tenth would come before the second
  cluster_nodes = join(",", [for i, zone in var.zones : "${var.name}-${i + 1}=${cidrhost(var.subnet_cidr, 10 + i)}"])

  # Attributes that are null are left out.
  cluster_attributes = { for key, value in {
    cluster-name         = var.name
    cluster-nodes        = local.cluster_nodes
    cluster-pod-cidr     = var.pod_cidr
    cluster-service-cidr = var.service_cidr
    cluster-domain       = var.cluster_domain
    cluster-api-names    = length(var.api_names) > 0 ? join(",", var.api_names) : null
  } : key => value if value != null }

  access_attributes = merge(
    { block-project-ssh-keys = "true", enable-oslogin = var.os_login ? "true" : "false" },
    length(var.ssh_keys) > 0 ? { ssh-keys = join("\n", var.ssh_keys) } : {},
  )

  # A new network lets nothing in; this is all that is added.
  firewall = { for name, rule in {
    members = {
      tcp           = ["1053", "2379-2380", "6443", "10250"] # CoreDNS, etcd, API server, kubelet
      udp           = ["1053", "2378", "8472"]               # CoreDNS, roster, VXLAN
      icmp          = true                                   # path MTU
      source_tags   = [var.name]
      source_ranges = null
    }
    api = {
      tcp           = ["6443"]
      udp           = []
      icmp          = false
      source_tags   = null
      source_ranges = var.api_source_ranges
    }
    health = {
      tcp           = ["10248"] # kubelet: how it is, and nothing else
      udp           = []
      icmp          = false
      source_tags   = null
      source_ranges = ["35.191.0.0/16", "130.211.0.0/22"] # of Google's health checks
    }
    ssh = {
      tcp           = ["22"]
      udp           = []
      icmp          = false
      source_tags   = null
      source_ranges = var.ssh_source_ranges
    }
  } : name => rule if rule.source_ranges == null || try(length(rule.source_ranges) > 0, false) }
}
