/** The resource types that are served, by their short names. */
export const TYPE_URL = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  /** Asked for one by one, as calls come (VHDS). */
  virtualHost: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
  /** Filters that are configured apart from their listener, as EnvoyFilters add them (ECDS). */
  extension: "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
  /** What DNS of a host tells of the mesh; for its agent, not for its data planes. */
  hostName: "type.googleapis.com/lateen.names.v1.HostName",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
} as const;

export type TypeUrl = (typeof TYPE_URL)[keyof typeof TYPE_URL];

/**
 * Make-before-break order of a push (xDS protocol, "eventual consistency considerations"): what is referred to goes
 * before what refers to it. Of secrets only credentials come from the server: a workload's identity is its agent's.
 */
export const PUSH_ORDER: readonly TypeUrl[] = [
  TYPE_URL.secret,
  TYPE_URL.cluster,
  TYPE_URL.endpoints,
  TYPE_URL.extension,
  TYPE_URL.listener,
  TYPE_URL.route,
  TYPE_URL.virtualHost,
  // A name is told once there is a listener that it leads to.
  TYPE_URL.hostName,
];
