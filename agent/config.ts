import { isIP } from "node:net";
import { hostname } from "node:os";
import * as z from "zod";
import { type ConfigSources, loadConfig } from "../mesh/config/load-config.ts";
import { consulAddress, consulName, consulTls, readingKeys } from "../mesh/consul/consul-config.ts";
import { isLabelValue, isLocality } from "../mesh/model/vocabulary.ts";
import { nomadShape } from "../mesh/nomad/nomad-settings.ts";
import { joinSchema } from "./identity/join-config.ts";

const port = z.number().int().min(0).max(65_535);
const ip = z.union([z.ipv4(), z.ipv6()], "must be an IP address");
const hostPort = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/, "must be host:port");

const ipPort = z
  .string()
  .regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):\d{1,5}$/, "must be address:port")
  .refine((text) => isIP(hostOf(text)) !== 0 && portOf(text) <= 65_535, "must be address:port");
const ipMaybePort = z.union([ip, ipPort], "must be an IP address, or address:port");
const domain = z
  .string()
  .max(253)
  .regex(/^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/, "must be a domain in lower case, without a final dot");

const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be up to 63 of a-z, 0-9 and -");
const networkName = z
  .string()
  .refine((text) => text === "" || isLabelValue(text), "must be a network's name");
const locality = z.string().refine(isLocality, "must be region/zone/subzone");

const gateway = z.strictObject({
  /** The workload's name, and its service's and service account's unless they are given. */
  name: dnsLabel,
  namespace: dnsLabel.default("istio-system"),
  service: dnsLabel.optional(),
  serviceAccount: dnsLabel.optional(),
  /** What the selectors of Gateways look at. */
  labels: z.record(z.string(), z.string()).default({ istio: "ingressgateway" }),
  /** Where others reach it; default: the host's address. */
  address: ip.optional(),
  /** Its ports as a service of the mesh. What it listens at is for Gateways to say. */
  ports: z
    .array(
      z.strictObject({
        port: z.number().int().min(1).max(65_535),
        protocol: z.enum(["http", "http2", "grpc", "tcp", "tls"]).default("tcp"),
        name: z.string().max(63).optional(),
      }),
    )
    .default([]),
  /** Default: the host's. */
  network: networkName.optional(),
  locality: locality.optional(),
});

export type GatewayRole = z.output<typeof gateway>;

const schema = z.strictObject({
  /** Servers to talk to. Empty: those that the join token named. */
  servers: z.array(hostPort).default([]),
  /** Names this host in status, logs and the Consul catalog. */
  nodeName: z.string().min(1).max(253).prefault(hostname),
  /** The host's address: only services registered at it are taken. Left out: all that the source names. */
  address: ip.optional(),
  /** How the host joins without a token; left out: `lateen join TOKEN`. */
  join: joinSchema.optional(),
  /** Identities for applications, by the SPIFFE Workload API and SDS. */
  workloadApi: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** Default: `workload.sock` in `runDir`, which this user and root reach; elsewhere, everybody on the host does. */
      socket: z.string().startsWith("/", "must be an absolute path").optional(),
      /** Which callers may have which identity. */
      callers: z
        .array(
          z
            .strictObject({
              namespace: dnsLabel.default("default"),
              serviceAccount: dnsLabel,
              uid: z.number().int().min(0).optional(),
              unit: z
                .string()
                .regex(/^[^/]+\.service$/, "must be a systemd service, as in reviews.service")
                .optional(),
            })
            .refine(({ uid, unit }) => uid !== undefined || unit !== undefined, "must say uid or unit"),
        )
        .default([]),
    })
    .prefault({}),
  /** Where applications listen and where the listeners of upstreams bind. */
  loopback: ip.default("127.0.0.1"),
  domainSuffix: z.string().default("cluster.local"),
  discovery: z
    .strictObject({
      /** `none`: this host has no services, only gateways. `sidecar`: those that the agent is told of (docs/nomad.md). */
      kind: z.enum(["consul", "nomad", "file", "sidecar", "none"]).default("consul"),
      /** Address of the local Consul agent. */
      consul: consulAddress.default("http://127.0.0.1:8500"),
      /** Holds the Consul token; re-read before each use. */
      tokenFile: z.string().optional(),
      tls: consulTls,
      /** Of Consul Enterprise. Empty: the token's own. */
      namespaces: z.array(consulName).default([]),
      ...readingKeys,
      /** Whether services that do not say `lateen.inject=false` are in the mesh. */
      optOut: z.boolean().default(false),
      /** Whether the upstreams of Consul's sidecars become their services' own. */
      connectProxies: z.enum(["skip", "adopt"]).default("skip"),
      /** For `nomad`: the Nomad client of this host. */
      nomad: z
        .strictObject({
          ...nomadShape,
          /** The id of this host's node; left out: the agent that is asked says it. */
          nodeId: z.string().optional(),
          /** Whether what its jobs register in Consul (`consul`, `tokenFile`) is served as well. */
          withConsul: z.boolean().default(false),
        })
        .prefault({}),
      /** For `sidecar`: the services of the allocation, and the ports that only call others. */
      sidecar: z
        .strictObject({
          services: z.array(z.string()).default([]),
          clients: z.array(z.string()).default([]),
          catalog: z
            .string()
            .regex(/^(nomad|none|consul\/.+)$/, "must be nomad, none or consul/NODE")
            .default("nomad"),
          namespace: dnsLabel.optional(),
          serviceAccount: dnsLabel.optional(),
        })
        .prefault({}),
      /** For `file`: a file, or a directory whose YAML and JSON files are read in lexical order. */
      path: z.string().default("/etc/lateen.d/services.d"),
    })
    .prefault({}),
  /** Gateways that run on this host. */
  gateways: z.array(gateway).default([]),
  /** `region/zone/subzone` of workloads that say none. */
  locality: locality.default(""),
  /** The network of the host's addresses, of workloads that say none. Empty: the default network. */
  network: networkName.default(""),
  dataPlane: z.enum(["builtin", "envoy"]).default("builtin"),
  /** Path of the Envoy binary, 1.30 or newer. */
  envoy: z.string().default("envoy"),
  /** Keys, SVIDs, the last good configuration: 0700. */
  stateDir: z.string().default("/var/lib/lateen/agent"),
  /** Sockets: 0700. */
  runDir: z.string().default("/run/lateen"),
  /** HTTP for probes and metrics, beside the unix socket. Port 0: none. */
  status: z
    .strictObject({
      address: ip.default("127.0.0.1"),
      port: port.default(15_020),
      /** Another unix socket for it, which everybody may ask who reaches the path. */
      socket: z.string().startsWith("/", "must be an absolute path").optional(),
    })
    .prefault({}),
  /** DNS for this host's applications: names of the mesh, and all others from the host's resolvers. */
  dns: z
    .strictObject({
      /** Where questions are taken, by UDP and TCP. Empty: nowhere. */
      listen: z.array(ipPort).default(["127.0.0.1:15053"]),
      /** Resolvers for what is not the mesh's. Empty: those of /etc/resolv.conf. */
      upstreams: z.array(ipMaybePort).default([]),
      /** Resolvers for a domain and all below it, as in `consul: ["127.0.0.1:8600"]`. */
      domains: z.record(domain, z.array(ipMaybePort).min(1)).optional(),
    })
    .prefault({}),
  /**
   * Where the proxy of a service with `vips` listens for other services: `loopback`, at 127.240.x.y, or `routed`, at the
   * mesh's own 240.240.x.y, where the host has a route for these (`lateen host vips`); `auto`: as the host is.
   */
  vips: z.enum(["auto", "loopback", "routed"]).default("auto"),
  /** Whether a WorkloadGroup, which is written elsewhere, may have commands run on this host as the agent's user. */
  probes: z.strictObject({ exec: z.boolean().default(false) }).prefault({}),
  /** How long a data plane may take to finish its requests when it is told to go. */
  drainSeconds: z.number().min(0).max(600).default(10),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

export type AgentConfig = z.output<typeof schema>;

function hostOf(text: string): string {
  return text.slice(0, text.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function portOf(text: string): number {
  return Number(text.slice(text.lastIndexOf(":") + 1));
}

/** Throws `config.invalid` with every violation. */
export function loadAgentConfig(sources: Omit<ConfigSources, "prefix">): AgentConfig {
  return loadConfig<AgentConfig>(schema, { ...sources, prefix: "LATEEN_AGENT" });
}
