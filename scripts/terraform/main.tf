# A cluster of instances of one baked image. See README.md.

data "google_compute_image" "node" {
  family  = var.image_family
  project = coalesce(var.image_project, var.project)
}

# The state holds it: keep the state where only administrators of the cluster can read it.
resource "random_bytes" "secret" {
  count  = var.cluster_secret == null ? 1 : 0
  length = 32
}

locals {
  secret = sensitive(var.cluster_secret != null ? var.cluster_secret : one(random_bytes.secret[*].base64))
}

resource "google_compute_network" "cluster" {
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "cluster" {
  name                     = var.name
  network                  = google_compute_network.cluster.id
  region                   = local.region
  ip_cidr_range            = var.subnet_cidr
  private_ip_google_access = true
}

resource "google_compute_firewall" "cluster" {
  for_each = local.firewall

  name          = "${var.name}-${each.key}"
  network       = google_compute_network.cluster.id
  direction     = "INGRESS"
  source_tags   = each.value.source_tags
  source_ranges = each.value.source_ranges
  target_tags   = [var.name]

  dynamic "allow" {
    for_each = { for protocol in ["tcp", "udp"] : protocol => each.value[protocol] if length(each.value[protocol]) > 0 }
    content {
      protocol = allow.key
      ports    = allow.value
    }
  }

  dynamic "allow" {
    for_each = each.value.icmp ? ["icmp"] : []
    content {
      protocol = "icmp"
    }
  }
}

# Reserved separately from the instances, so that a replacement gets the same address.
resource "google_compute_address" "internal" {
  for_each = local.nodes

  name         = each.key
  region       = local.region
  address_type = "INTERNAL"
  address      = each.value.address
  subnetwork   = google_compute_subnetwork.cluster.id
}

resource "google_compute_address" "external" {
  for_each = var.external_addresses ? local.nodes : {}

  name   = "${each.key}-external"
  region = local.region
}

# Asked by Google's own checkers, of each node about itself: kubelet answers without the API server and without etcd, so a
# cluster without a majority has healthy nodes, and none is recreated for it.
resource "google_compute_health_check" "node" {
  name                = var.name
  check_interval_sec  = 30
  timeout_sec         = 10
  healthy_threshold   = 1
  unhealthy_threshold = 10

  http_health_check {
    port         = 10248
    request_path = "/healthz"
  }
}

# What all nodes have in common. A changed one is made before the old one goes; nodes take it when they are replaced.
resource "google_compute_instance_template" "node" {
  name_prefix  = "${var.name}-"
  machine_type = var.machine_type
  tags         = [var.name]

  # a pod may reach another node's own address from its pod address: the answer comes back through the tunnel
  can_ip_forward = true

  disk {
    boot         = true
    auto_delete  = true
    source_image = local.image # the family, so that a node boots the head of the moment at which it is made
    disk_type    = var.disk_type
    disk_size_gb = var.disk_size
  }

  network_interface {
    subnetwork = google_compute_subnetwork.cluster.id

    dynamic "access_config" {
      for_each = var.external_addresses ? [1] : []
      content {}
    }
  }

  shielded_instance_config {
    enable_secure_boot          = var.secure_boot
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  # No service_account block: a node calls none of Google's APIs, so it gets no account, and its pods cannot get one.

  lifecycle {
    create_before_destroy = true
  }
}

# etcd's data, which outlives its node: a group recreates a node that has stopped, two at a time if two have.
resource "google_compute_disk" "etcd" {
  for_each = local.nodes

  name = "${each.key}-etcd"
  zone = each.value.zone
  type = var.etcd_disk_type
  size = var.etcd_disk_size

  lifecycle {
    prevent_destroy = true # see README.md, "What cannot be deleted"
  }
}

# One group a node: a group of a whole region must allow as many nodes to be away at once as it has zones.
resource "google_compute_instance_group_manager" "node" {
  for_each = local.nodes

  name               = each.key
  base_instance_name = each.key
  zone               = each.value.zone

  version {
    instance_template = google_compute_instance_template.node.self_link
  }

  # A witness has no kubelet. It is recreated when its machine stops, not when its system hangs.
  dynamic "auto_healing_policies" {
    for_each = each.value.role == null ? [1] : []
    content {
      health_check      = google_compute_health_check.node.id
      initial_delay_sec = 900 # a first boot, with time to spare
    }
  }

  # Nothing happens to a node by itself when the template changes: scripts/roll takes one after the other.
  update_policy {
    type                           = "OPPORTUNISTIC"
    minimal_action                 = "REPLACE"
    most_disruptive_allowed_action = "REPLACE"
    replacement_method             = "RECREATE" # the same name and address
    max_surge_fixed                = 0
    max_unavailable_fixed          = 1
  }

  lifecycle {
    prevent_destroy = true
  }
}

# The node itself, and what stays with its name. Changed attributes reach it while it runs.
resource "google_compute_per_instance_config" "node" {
  for_each = local.nodes

  name                             = each.key
  zone                             = each.value.zone
  instance_group_manager           = google_compute_instance_group_manager.node[each.key].name
  minimal_action                   = "NONE"
  most_disruptive_allowed_action   = "REFRESH" # never a restart
  remove_instance_on_destroy       = true
  remove_instance_state_on_destroy = true

  preserved_state {
    metadata = merge(
      local.access_attributes,
      local.cluster_attributes,
      { cluster-secret = local.secret },
      each.value.role != null ? { cluster-role = each.value.role } : {},
    )

    disk {
      device_name = "etcd"
      source      = google_compute_disk.etcd[each.key].id
      delete_rule = "NEVER"
    }

    internal_ip {
      interface_name = "nic0"
      auto_delete    = "NEVER"
      ip_address {
        address = google_compute_address.internal[each.key].self_link
      }
    }

    dynamic "external_ip" {
      for_each = var.external_addresses ? [google_compute_address.external[each.key].self_link] : []
      content {
        interface_name = "nic0"
        auto_delete    = "NEVER"
        ip_address {
          address = external_ip.value
        }
      }
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}
