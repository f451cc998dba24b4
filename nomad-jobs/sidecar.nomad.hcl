# A job with a sidecar of its own: the task "lateen" makes the allocation one of the mesh, the task "lateen-ready" lets
# the application begin when it is. `lateen nomad inject` and `lateen nomad admission` write these two for you.
#
#   nomad job run -var ca_pin=… -var servers=mesh.example:15012 sidecar.nomad.hcl
#
# docs/nomad.md says what `lateen agent sidecar` takes, docs/nomad-inject.md what is injected.

variable "lateen" {
  description = "the program, on the clients"
  default     = "/usr/bin/lateen"
}

variable "driver" {
  description = "exec, or raw_exec where nothing else is there"
  default     = "exec"
}

variable "servers" {
  description = "of the mesh, with commas between them"
  default     = "127.0.0.1:15012"
}

variable "trust_domain" {
  default = "cluster.local"
}

variable "audience" {
  description = "as attest.nomad.audience of the server"
  default     = "lateen.example"
}

variable "ca_pin" {
  description = "the server logs it when it is ready"
}

job "hello" {
  type = "service"

  group "hello" {
    # Callers learn that it goes before anything of it ends.
    shutdown_delay = "5s"

    network {
      # Where the application listens, on loopback.
      port "http" {}
      # Where its proxy takes the calls of others.
      port "lateen_http" {
        to = -1
      }
    }

    service {
      name     = "hello"
      port     = "http"
      provider = "nomad"
      tags     = ["lateen.port=8080", "lateen.protocol=http", "lateen.version=v1"]

      # The application is on loopback: what others reach is its proxy.
      check {
        type     = "tcp"
        port     = "lateen_http"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "lateen" {
      lifecycle {
        hook    = "prestart"
        sidecar = true
      }
      driver = var.driver
      identity {
        name        = "lateen"
        aud         = [var.audience]
        file        = true
        ttl         = "1h"
        change_mode = "noop"
      }
      config {
        command = var.lateen
        args    = ["agent", "sidecar", "--service", "hello=http lateen.port=8080 lateen.protocol=http lateen.version=v1"]
      }
      env {
        LATEEN_AGENT_SERVERS           = var.servers
        LATEEN_AGENT_JOIN_TRUST_DOMAIN = var.trust_domain
        LATEEN_AGENT_JOIN_CA_PIN       = var.ca_pin
      }
      # Longer than it drains.
      kill_timeout = "20s"
      resources {
        cpu    = 200
        memory = 256
        # Keys and the last good configuration are in the secrets directory.
        secrets = 16
      }
    }

    task "lateen-ready" {
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
      driver = var.driver
      config {
        command = var.lateen
        args    = ["wait", "--ready"]
      }
      resources {
        cpu    = 50
        memory = 96
      }
    }

    task "hello" {
      driver = var.driver
      config {
        command = "/usr/bin/python3"
        args    = ["-m", "http.server", "--bind", "127.0.0.1", "${NOMAD_PORT_http}"]
      }
      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
