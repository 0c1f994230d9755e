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

resource "google_compute_instance" "node" {
  for_each = local.nodes

  name         = each.key
  zone         = each.value.zone
  machine_type = var.machine_type
  tags         = [var.name]

  # a pod may reach another node's own address from its pod address: the answer comes back through the tunnel
  can_ip_forward            = true
  allow_stopping_for_update = true

  boot_disk {
    initialize_params {
      image = data.google_compute_image.node.self_link
      type  = var.disk_type
      size  = var.disk_size
    }
  }

  network_interface {
    subnetwork = google_compute_subnetwork.cluster.id
    network_ip = google_compute_address.internal[each.key].address

    dynamic "access_config" {
      for_each = var.external_addresses ? [google_compute_address.external[each.key].address] : []
      content {
        nat_ip = access_config.value
      }
    }
  }

  shielded_instance_config {
    enable_secure_boot          = var.secure_boot
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  # No service_account block: a node calls none of Google's APIs, so it gets no account, and its pods cannot get one.

  metadata = merge(
    local.access_attributes,
    local.cluster_attributes,
    { cluster-secret = local.secret },
    each.value.role != null ? { cluster-role = each.value.role } : {},
  )

  # A new image in the family must not replace all nodes at once; `terraform apply -replace` does it one by one.
  lifecycle {
    ignore_changes = [boot_disk[0].initialize_params[0].image]
  }
}
