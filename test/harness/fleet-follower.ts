import { connect } from "node:tls";
import { ServerChannel } from "../../agent/identity/channel.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { type DeltaClientStream, openDeltaStream } from "../../mesh/xds/ads-service.ts";
import { Node } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { nodeId } from "../../mesh/xds/names.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { Fleet } from "./agent-fleet.ts";
import { UnreadClient } from "./unread-client.ts";

/** The xDS node of the workload on the host of an agent. */
function nodeOf(index: number): { readonly id: string } {
  return { id: nodeId("127.0.0.1", `web-${index}`, "default", "cluster.local") };
}

/** Follows the clusters of one workload of a fleet over its agent's own connection, and acknowledges each answer. */
export class FleetFollower {
  /** By name, the version that came last. */
  readonly clusters = new Map<string, string>();
  /** Answers that came on the stream of now. */
  answers = 0;
  /** How often a stream was lost that nobody had ended. */
  lost = 0;
  readonly #fleet: Fleet;
  readonly #index: number;
  #open: { readonly channel: ServerChannel; readonly stream: DeltaClientStream } | undefined;

  constructor(fleet: Fleet, index: number) {
    this.#fleet = fleet;
    this.#index = index;
  }

  /** Opens a connection and a stream, and says what it has already. */
  connect(): void {
    const agent = this.#fleet.agents[this.#index];
    if (agent === undefined) throw new Error(`there is no agent ${this.#index}`);
    const channel = new ServerChannel({
      addresses: agent.servers,
      trustDomain: agent.trustDomain,
      identity: () => ({ roots: this.#fleet.bundle.roots, certificate: agent.svid }),
      clock: systemClock,
      logger: silentLogger,
      random: Math.random,
    });
    const stream = openDeltaStream(channel.client);
    const open = { channel, stream };
    this.#open = open;
    this.answers = 0;
    stream.on("data", (response: DeltaDiscoveryResponse) => this.#take(stream, response));
    stream.on("error", () => {
      if (this.#open === open) this.lost += 1;
    });
    const initialResourceVersions = Object.fromEntries(this.clusters);
    const node = Node.fromPartial(nodeOf(this.#index));
    this.#send(stream, { node, initialResourceVersions });
  }

  /** Breaks off, as a host that loses its network does. */
  disconnect(): void {
    const open = this.#open;
    this.#open = undefined;
    open?.stream.cancel();
    open?.channel.close();
  }

  #take(stream: DeltaClientStream, { resources, removedResources, nonce }: DeltaDiscoveryResponse): void {
    this.answers += 1;
    for (const { name, version } of resources) this.clusters.set(name, version);
    for (const name of removedResources) this.clusters.delete(name);
    this.#send(stream, { responseNonce: nonce });
  }

  #send(stream: DeltaClientStream, fields: Partial<DeltaDiscoveryRequest>): void {
    stream.write({ ...DeltaDiscoveryRequest.fromPartial({ typeUrl: TYPE_URL.cluster }), ...fields });
  }
}

/** One that asks for its clusters and does not read what comes. */
export function unreadFollower(fleet: Fleet, index: number): UnreadClient {
  const agent = fleet.agents[index];
  if (agent === undefined) throw new Error(`there is no agent ${index}`);
  const [host = "", port = ""] = fleet.address.split(":");
  const { keyPem: key, chainPem: cert } = agent.svid;
  const client = new UnreadClient(nodeOf(index), () =>
    connect({
      host,
      port: Number(port),
      ca: [...fleet.bundle.roots],
      cert,
      key,
      ALPNProtocols: ["h2"],
      // The server is known by its SPIFFE ID; that is for other tests to check.
      checkServerIdentity: () => undefined,
    }),
  );
  client.request(TYPE_URL.cluster, []);
  return client;
}
