/** A metric's own name, and the name under which Istio's dashboards look for it. */
interface MetricName {
  readonly name: string;
  readonly help: string;
  readonly istio?: string;
}

/** What the server counts (reference/conventions.md §4.2). Labels are the same on every sample of a name. */
export const SERVER_METRICS = {
  connections: {
    name: "lateen_xds_connections",
    help: "Connected data planes",
    istio: "pilot_xds",
  },
  pushes: {
    name: "lateen_xds_pushes_total",
    help: "Responses sent, by resource type",
    istio: "pilot_xds_pushes",
  },
  rejections: {
    name: "lateen_xds_rejections_total",
    help: "Pushes that a data plane refused (NACK), by resource type",
    istio: "pilot_total_xds_rejects",
  },
  convergence: {
    name: "lateen_proxy_convergence_seconds",
    help: "Time from a change to the data plane's acknowledgement",
    istio: "pilot_proxy_convergence_time",
  },
  services: {
    name: "lateen_services",
    help: "Services of the mesh",
    istio: "pilot_services",
  },
  objects: {
    name: "lateen_objects",
    help: "Stored configuration objects, by kind",
  },
  virtualServices: {
    name: "lateen_virtual_services",
    help: "Stored VirtualServices",
    istio: "pilot_virt_services",
  },
  workloads: {
    name: "lateen_workloads",
    help: "Workloads that agents registered",
  },
  certificateRequests: {
    name: "lateen_certificate_requests_total",
    help: "Certificate signing requests received",
    istio: "citadel_server_csr_count",
  },
  certificatesIssued: {
    name: "lateen_certificates_issued_total",
    help: "Certificates issued",
    istio: "citadel_server_success_cert_issuance_count",
  },
  certificatesRefused: {
    name: "lateen_certificates_refused_total",
    help: "Certificate requests refused because the caller may not have the identity",
    istio: "citadel_server_authentication_failure_count",
  },
  joins: {
    name: "lateen_joins_total",
    help: "Agents that asked to join, by outcome: accepted, refused, or alarm (a second first use of one host)",
  },
  auditLost: {
    name: "lateen_audit_lost_records",
    help: "Records that the audit log could not take since the start",
  },
  rootExpiry: {
    name: "lateen_root_certificate_expiry_timestamp_seconds",
    help: "End of the root certificate's validity, seconds since the epoch",
    istio: "citadel_server_root_cert_expiry_timestamp",
  },
  registryCurrent: {
    name: "lateen_registry_current",
    help: "1 when a registry's content is current, 0 when it is starting or stale",
  },
  build: {
    name: "lateen_build",
    help: "1, with the version of this server",
  },
} as const satisfies Readonly<Record<string, MetricName>>;
