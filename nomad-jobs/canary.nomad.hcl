# A canary with traffic shifting: two versions of one service side by side, and the mesh says which share of the calls the
# new one gets. Nomad's own canaries share traffic by the number of instances; here one instance can have one call in a
# hundred, or those of one user.
#
#   nomad job run canary.nomad.hcl                                        # v1 alone, and canary-routes.yaml keeps it so
#   lateen apply -f canary-routes.yaml
#   nomad job run -var canary_count=1 -var canary_version=v2 canary.nomad.hcl
#   sed '/v1 }/s/weight: .*/weight: 90 }/; /v2 }/s/weight: .*/weight: 10 }/' canary-routes.yaml | lateen apply -f -
#   … 50 and 50, 0 and 100; back is the same line with other numbers, and takes no new allocation
#   nomad job run -var stable_version=v2 canary.nomad.hcl                  # done: the canary is the stable one
#
# Both groups are of one job, so they have one identity, and policies about it hold for both. The tag asks for the mesh:
# run it in node mode, through `lateen nomad admission`, or through `lateen nomad inject`.

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

variable "stable_version" {
  default = "v1"
}

variable "stable_count" {
  default = 2
}

variable "canary_version" {
  default = "v2"
}

variable "canary_count" {
  default = 0
}

job "reviews" {
  type = "service"

  # Both are the same but for the version: what differs between them is what is tried.
  dynamic "group" {
    for_each = { stable = [var.stable_version, var.stable_count], canary = [var.canary_version, var.canary_count] }
    labels   = [group.key]

    content {
      count = group.value[1]

      shutdown_delay = "5s"

      network {
        port "http" {}
        # Where the proxy takes its calls to ratings: two instances on one client must not meet.
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
          "lateen.version=${group.value[0]}",
          "lateen.upstreams=ratings:9080@${NOMAD_PORT_ratings}",
        ]
      }

      task "reviews" {
        driver = var.driver
        config {
          command = var.node
          args = [
            var.bookinfo, "--service=reviews", "--version=${group.value[0]}",
            "--port=${NOMAD_PORT_http}", "--ratings=127.0.0.1:${NOMAD_PORT_ratings}",
          ]
        }
        resources {
          cpu    = 50
          memory = 128
        }
      }
    }
  }
}
