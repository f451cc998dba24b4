import { parentPort, workerData } from "node:worker_threads";
import { ServerChannel } from "../agent/identity/channel.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { openDeltaStream } from "../mesh/xds/ads-service.ts";
import { Node } from "../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from "../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL } from "../mesh/xds/type-urls.ts";

/** What the thread of the simulated subscribers is told. It posts a message each time that all have got endpoints. */
export interface SubscriberTask {
  readonly addresses: readonly string[];
  readonly trustDomain: string;
  readonly roots: readonly string[];
  readonly keyPem: string;
  readonly chainPem: string;
  /** Node ids, one for each subscriber. */
  readonly nodes: readonly string[];
}

const task = workerData as SubscriberTask;
let missing = task.nodes.length;
for (const id of task.nodes) subscribe(id);

/** Takes all clusters, and the endpoints of those that are outbound; acknowledges whatever comes. */
function subscribe(id: string): void {
  const channel = new ServerChannel({
    addresses: task.addresses,
    trustDomain: task.trustDomain,
    identity: () => ({ roots: task.roots, certificate: task }),
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
  });
  const stream = openDeltaStream(channel.client);
  const send = (fields: Partial<DeltaDiscoveryRequest>): void => {
    stream.write(DeltaDiscoveryRequest.fromPartial(fields));
  };
  stream.on("error", (error) => {
    throw error;
  });
  stream.on("data", ({ typeUrl, nonce, resources }: DeltaDiscoveryResponse) => {
    if (typeUrl === TYPE_URL.cluster) {
      const names = resources.map(({ name }) => name).filter((name) => name.startsWith("outbound|"));
      if (names.length > 0) send({ typeUrl: TYPE_URL.endpoints, resourceNamesSubscribe: names });
    }
    send({ typeUrl, responseNonce: nonce });
    if (typeUrl === TYPE_URL.endpoints) countOne();
  });
  send({ node: Node.fromPartial({ id }), typeUrl: TYPE_URL.cluster });
}

function countOne(): void {
  missing -= 1;
  if (missing > 0) return;
  missing = task.nodes.length;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort?.postMessage("all");
}
