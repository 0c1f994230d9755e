output "nodes" {
  description = "Zone and addresses of each node."
  value = { for name, node in local.nodes : name => {
    zone     = node.zone
    internal = node.address
    external = var.external_addresses ? google_compute_address.external[name].address : null
  } }
}

output "cluster_nodes" {
  description = "The attribute, in the order that counts."
  value       = local.cluster_nodes
}

output "image" {
  description = "What a node that is made now would boot."
  value       = data.google_compute_image.node.name
}
