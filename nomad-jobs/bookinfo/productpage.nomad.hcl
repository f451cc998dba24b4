# bookinfo's productpage. Each service is a job of its own, since a job's name is its identity: ns/default/sa/productpage.
# The tag asks for the mesh: run it in node mode, through `lateen nomad admission`, or by hand:
#
#   nomad job run -output productpage.nomad.hcl | lateen nomad inject - | nomad job run -json -

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

job "productpage" {
  type = "service"

  group "v1" {
    shutdown_delay = "5s"

    network {
      port "http" {}
      # Where the proxy takes its calls: two instances on one client must not meet.
      port "details" {}
      port "reviews" {}
      port "ratings" {}
    }

    service {
      name     = "productpage"
      port     = "http"
      provider = "nomad"
      tags = [
        "lateen.inject=true",
        "lateen.port=9080",
        "lateen.protocol=http",
        "lateen.version=v1",
        "lateen.upstreams=details:9080@${NOMAD_PORT_details},reviews:9080@${NOMAD_PORT_reviews},ratings:9080@${NOMAD_PORT_ratings}",
      ]
    }

    task "productpage" {
      driver = var.driver
      config {
        command = var.node
        args = [
          var.bookinfo,
          "--service=productpage",
          "--version=v1",
          "--port=${NOMAD_PORT_http}",
          "--details=127.0.0.1:${NOMAD_PORT_details}",
          "--reviews=127.0.0.1:${NOMAD_PORT_reviews}",
          "--ratings=127.0.0.1:${NOMAD_PORT_ratings}",
        ]
      }
      resources {
        cpu    = 50
        memory = 128
      }
    }
  }
}
