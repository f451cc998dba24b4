# bookinfo's details. Each service is a job of its own, since a job's name is its identity: ns/default/sa/details.
# The tag asks for the mesh: run it in node mode, through `lateen nomad admission`, or by hand:
#
#   nomad job run -output details.nomad.hcl | lateen nomad inject - | nomad job run -json -

variable "node" {
  description = "Node.js, on the clients"
  default     = "/usr/bin/node"
}

variable "bookinfo" {
  description = "main.ts of examples/bookinfo, on the clients"
  default     = "/usr/share/doc/lateen/examples/bookinfo/main.ts"
}

variable "driver" {
  description = "exec, or raw_exec where nothing else is there"
  default     = "exec"
}

job "details" {
  type = "service"

  group "v1" {
    shutdown_delay = "5s"

    network {
      port "http" {}
    }

    service {
      name     = "details"
      port     = "http"
      provider = "nomad"
      tags = [
        "lateen.inject=true",
        "lateen.port=9080",
        "lateen.protocol=http",
        "lateen.version=v1",
      ]
    }

    task "details" {
      driver = var.driver
      config {
        command = var.node
        args = [
          var.bookinfo,
          "--service=details",
          "--version=v1",
          "--port=${NOMAD_PORT_http}",
        ]
      }
      resources {
        cpu    = 50
        memory = 128
      }
    }
  }
}
