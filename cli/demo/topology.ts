/** One simulated host of the demo: a network address, a loopback address, and one workload of bookinfo on it. */
export interface DemoHost {
  /** `reviews-v2`: names the host, its agent and its workload. */
  readonly name: string;
  readonly service: "productpage" | "details" | "reviews" | "ratings";
  readonly version: string;
  readonly serviceAccount: string;
  /** Where others reach it; its proxy listens here. */
  readonly address: string;
  /** Where its application listens and its upstreams are bound. */
  readonly loopback: string;
  readonly upstreams: readonly DemoUpstream[];
}

interface DemoUpstream {
  readonly service: "details" | "reviews" | "ratings";
  readonly bindPort: number;
}

export interface Topology {
  readonly server: {
    readonly address: string;
    readonly agentPort: number;
    readonly adminPort: number;
    readonly healthPort: number;
  };
  /** HTTP address of a Consul of the demo's own. */
  readonly consul: string;
  readonly hosts: readonly DemoHost[];
}

export const NAMESPACE = "default";
export const SERVICE_PORT = 9080;
export const TRUST_DOMAIN = "demo.local";

/** Upstream ports beside the application's own, the same on every host. */
const BIND_PORT = { details: 9081, reviews: 9082, ratings: 9083 } as const;

const WORKLOADS: readonly {
  readonly service: DemoHost["service"];
  readonly version: string;
  readonly calls: readonly DemoUpstream["service"][];
}[] = [
  { service: "productpage", version: "v1", calls: ["details", "reviews", "ratings"] },
  { service: "details", version: "v1", calls: [] },
  { service: "reviews", version: "v1", calls: [] },
  { service: "reviews", version: "v2", calls: ["ratings"] },
  { service: "reviews", version: "v3", calls: ["ratings"] },
  { service: "ratings", version: "v1", calls: [] },
];

/**
 * Lays the demo out over one block of loopback addresses (`127.90.80` for example): every simulated host has addresses
 * of its own, so that ports are the real ones and two demos never meet.
 */
export function layOut(block: string): Topology {
  return {
    server: { address: `${block}.200`, agentPort: 15_012, adminPort: 15_015, healthPort: 15_014 },
    consul: `http://${block}.201:8500`,
    hosts: WORKLOADS.map(({ service, version, calls }, index) => ({
      name: `${service}-${version}`,
      service,
      version,
      serviceAccount: `bookinfo-${service}`,
      address: `${block}.${index + 1}`,
      loopback: `${block}.${index + 101}`,
      upstreams: calls.map((called) => ({ service: called, bindPort: BIND_PORT[called] })),
    })),
  };
}

/** `lateen.upstreams` of a host: `details:9080@9081,reviews:9080@9082`. */
export function upstreamsText(host: DemoHost): string {
  return host.upstreams.map(({ service, bindPort }) => `${service}:${SERVICE_PORT}@${bindPort}`).join(",");
}

export function spiffeId(service: string): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/bookinfo-${service}`;
}
