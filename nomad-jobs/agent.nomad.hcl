# Node mode: one agent on every client, which serves all allocations of its node whose service says lateen.inject=true.
# Those jobs need nothing but the tag, with bridge or host networking.
#
# A node's agent speaks for many jobs, so it joins as a host, and not by a workload identity, which is one job's. Either
# each client joins once,
#
#   client# lateen join --no-start --state-dir /var/lib/lateen/agent lateen1.…
#   nomad job run agent.nomad.hcl
#
# or it proves itself by what the fleet has given it (docs/attestation.md), as with the host's own certificate:
#
#   nomad job run -var servers=mesh.example:15012 -var ca_pin=… -var join_method=x509-pop \
#     -var certificate=/etc/host/cert.pem -var key=/etc/host/key.pem agent.nomad.hcl
#
# Its identity is in the client's state directory: it joins once, and comes back by itself.

variable "lateen" {
  description = "the program, on the clients"
  default     = "/usr/bin/lateen"
}

variable "state_dir" {
  description = "on the clients; outlives the allocation"
  default     = "/var/lib/lateen/agent"
}

variable "run_dir" {
  description = "on the clients, for sockets"
  default     = "/run/lateen/agent"
}

variable "nomad_addr" {
  description = "the Nomad client of the same host"
  default     = "http://127.0.0.1:4646"
}

variable "servers" {
  description = "of the mesh, with commas between them; empty: those that its token named"
  default     = ""
}

variable "trust_domain" {
  description = "for a join without a token"
  default     = ""
}

variable "ca_pin" {
  description = "for a join without a token; the server logs it when it is ready"
  default     = ""
}

variable "join_method" {
  description = "x509-pop, ssh-pop, aws-iid, gcp-iit or azure-imds; empty: joined by a token"
  default     = ""
}

variable "certificate" {
  description = "for x509-pop and ssh-pop"
  default     = ""
}

variable "key" {
  description = "for x509-pop and ssh-pop"
  default     = ""
}

job "lateen-agent" {
  type = "system"

  # One node after the other.
  update {
    max_parallel = 1
    stagger      = "10s"
  }

  group "agent" {
    network {
      port "status" {
        static = 15020
      }
    }

    task "agent" {
      # It binds addresses of the host and looks at the ports of other processes, which no isolation lets it do.
      driver = "raw_exec"

      config {
        command = var.lateen
        args    = ["agent", "--state-dir", var.state_dir, "--run-dir", var.run_dir]
      }

      # What is empty counts as not said.
      env {
        LATEEN_AGENT_DISCOVERY_KIND          = "nomad"
        LATEEN_AGENT_DISCOVERY_NOMAD_ADDRESS = var.nomad_addr
        LATEEN_AGENT_SERVERS                 = var.servers
        LATEEN_AGENT_JOIN_METHOD             = var.join_method
        LATEEN_AGENT_JOIN_TRUST_DOMAIN       = var.trust_domain
        LATEEN_AGENT_JOIN_CA_PIN             = var.ca_pin
        LATEEN_AGENT_JOIN_CERTIFICATE        = var.certificate
        LATEEN_AGENT_JOIN_KEY                = var.key
      }

      kill_timeout = "30s"

      resources {
        cpu    = 300
        memory = 256
      }
    }
  }
}
