# bookinfo's reviews. Each service is a job of its own, since a job's name is its identity: ns/default/sa/reviews.
# The tag asks for the mesh: run it in node mode, through `lateen nomad admission`, or by hand:
#
#   nomad job run -output reviews.nomad.hcl | lateen nomad inject - | nomad job run -json -

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

job "reviews" {
  type = "service"

  group "v1" {
    shutdown_delay = "5s"

    network {
      port "http" {}
    }

    service {
      name     = "reviews"
      port     = "http"
      provider = "nomad"
      tags = [
        "lateen.inject=true",
        "lateen.port=9080",
        "lateen.protocol=http",
        "lateen.version=v1",
      ]
    }

    task "reviews" {
      driver = var.driver
      config {
        command = var.node
        args = [
          var.bookinfo,
          "--service=reviews",
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

  group "v2" {
    shutdown_delay = "5s"

    network {
      port "http" {}
      # Where the proxy takes its calls: two instances on one client must not meet.
      port "ratings" {}
    }

    service {
      name     = "reviews"
      port     = "http"
      provider = "nomad"
      tags = [
        "lateen.inject=true",
        "lateen.port=9080",
        "lateen.protocol=http",
        "lateen.version=v2",
        "lateen.upstreams=ratings:9080@${NOMAD_PORT_ratings}",
      ]
    }

    task "reviews" {
      driver = var.driver
      config {
        command = var.node
        args = [
          var.bookinfo,
          "--service=reviews",
          "--version=v2",
          "--port=${NOMAD_PORT_http}",
          "--ratings=127.0.0.1:${NOMAD_PORT_ratings}",
        ]
      }
      resources {
        cpu    = 50
        memory = 128
      }
    }
  }

  group "v3" {
    shutdown_delay = "5s"

    network {
      port "http" {}
      # Where the proxy takes its calls: two instances on one client must not meet.
      port "ratings" {}
    }

    service {
      name     = "reviews"
      port     = "http"
      provider = "nomad"
      tags = [
        "lateen.inject=true",
        "lateen.port=9080",
        "lateen.protocol=http",
        "lateen.version=v3",
        "lateen.upstreams=ratings:9080@${NOMAD_PORT_ratings}",
      ]
    }

    task "reviews" {
      driver = var.driver
      config {
        command = var.node
        args = [
          var.bookinfo,
          "--service=reviews",
          "--version=v3",
          "--port=${NOMAD_PORT_http}",
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
