# An ingress gateway as a job: a data plane without an application, which takes calls from outside the mesh and makes them
# calls of the mesh. What it listens at, and where calls go, is for Gateway and VirtualService objects to say:
# ingress-routes.yaml opens port 8080 for bookinfo.
#
#   nomad job run -var ca_pin=… -var servers=mesh.example:15012 ingress.nomad.hcl
#   lateen apply -f ingress-routes.yaml
#   curl http://CLIENT:8080/productpage

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

job "ingress" {
  type = "service"

  group "ingress" {
    shutdown_delay = "5s"

    network {
      port "http" {
        static = 8080
      }
    }

    service {
      name     = "ingress"
      port     = "http"
      provider = "nomad"

      check {
        type     = "tcp"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "gateway" {
      driver = var.driver

      # Its identity is that of the job, as of any other: ns/default/sa/ingress.
      identity {
        name        = "lateen"
        aud         = [var.audience]
        file        = true
        ttl         = "1h"
        change_mode = "noop"
      }

      config {
        command = var.lateen
        args    = ["agent", "--config", "${NOMAD_TASK_DIR}/agent.yaml", "--run-dir", "${NOMAD_SECRETS_DIR}/run"]
      }

      template {
        destination = "local/agent.yaml"
        change_mode = "restart"
        data        = <<-EOF
          servers: [${var.servers}]
          nodeName: ingress-{{ env "NOMAD_SHORT_ALLOC_ID" }}
          join: { method: nomad-jwt, trustDomain: ${var.trust_domain}, caPin: ${var.ca_pin} }
          discovery: { kind: none }
          gateways:
            - name: ingress-{{ env "NOMAD_SHORT_ALLOC_ID" }}
              namespace: {{ env "NOMAD_NAMESPACE" }}
              service: ingress
              serviceAccount: {{ env "NOMAD_JOB_ID" }}
              labels: { istio: ingressgateway }
              address: {{ env "NOMAD_IP_http" }}
              ports: [{ port: {{ env "NOMAD_PORT_http" }}, protocol: http, name: http }]
          stateDir: {{ env "NOMAD_SECRETS_DIR" }}/state
          status: { port: 0 }
        EOF
      }

      kill_timeout = "20s"

      resources {
        cpu     = 300
        memory  = 256
        secrets = 16
      }
    }
  }
}
