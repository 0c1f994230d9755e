terraform {
  required_version = ">= 1.3"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.6" # random_bytes
    }
  }
}

provider "google" {
  project = var.project
  region  = local.region
}
