# The control plane as a job: lateen server, one instance.
#
#   nomad job run server.nomad.hcl
#   nomad alloc logs -stderr -job lateen-server | grep caPin      # what the other jobs want as -var ca_pin=…
#
# It reads Nomad's native services, and lets allocations join by their workload identity. What an allocation may be
# follows from the claims that Nomad signs: namespace and job.

variable "lateen" {
  description = "the program, on the clients"
  default     = "/usr/bin/lateen"
}

variable "driver" {
  description = "exec, or raw_exec where nothing else is there"
  default     = "exec"
}

variable "trust_domain" {
  description = "names every identity; cannot be changed later"
  default     = "cluster.local"
}

variable "audience" {
  description = "aud of the workload identities, the same in every job of the mesh"
  default     = "lateen.example"
}

variable "nomad_addr" {
  description = "Nomad's API, from the client that this runs on"
  default     = "http://127.0.0.1:4646"
}

job "lateen-server" {
  type = "service"

  group "server" {
    # The authority's key and the configuration are in the state directory. The sticky disk follows the job to its next
    # allocation on the same client. For earnest use a host volume, and keep backups of it.
    ephemeral_disk {
      sticky  = true
      migrate = true
      size    = 300
    }

    shutdown_delay = "5s"

    network {
      port "agents" {
        static = 15012
      }
      # These two listen on loopback; here they are kept free.
      port "admin" {
        static = 15015
      }
      port "health" {
        static = 15014
      }
    }

    service {
      name     = "lateen-server"
      port     = "agents"
      provider = "nomad"

      check {
        type     = "tcp"
        port     = "agents"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "server" {
      driver = var.driver

      config {
        command = var.lateen
        args    = ["server", "--state-dir", "${NOMAD_ALLOC_DIR}/data/lateen", "--run-dir", "${NOMAD_SECRETS_DIR}/run"]
      }

      env {
        LATEEN_SERVER_TRUST_DOMAIN                 = var.trust_domain
        LATEEN_SERVER_AGENTS_ADVERTISE             = "${NOMAD_ADDR_agents}"
        LATEEN_SERVER_NOMAD_ADDRESS                = var.nomad_addr
        LATEEN_SERVER_ATTEST_NOMAD_ADDRESS         = var.nomad_addr
        LATEEN_SERVER_ATTEST_NOMAD_AUDIENCE        = var.audience
        LATEEN_SERVER_ATTEST_NOMAD_NAMESPACE       = "{nomad_namespace}"
        LATEEN_SERVER_ATTEST_NOMAD_SERVICE_ACCOUNT = "{nomad_job_id}"
      }

      kill_timeout = "20s"

      resources {
        cpu    = 300
        memory = 512
      }
    }
  }
}
