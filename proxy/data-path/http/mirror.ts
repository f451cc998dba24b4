import { request as startRequest } from "node:http";
import type { Mirror } from "../../model/route.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { ForwardDecision } from "../../tables/route-table.ts";
import type { Exchange } from "./exchange.ts";
import type { RequestBody } from "./request-body.ts";

/** A copy that is not answered by then is given up, where the route has no time of its own. */
const LONGEST_MS = 15_000;

export interface Mirrored {
  readonly decision: ForwardDecision;
  /** As they go to the original's upstream. */
  readonly headers: HeaderList;
  readonly body: RequestBody | undefined;
}

/** Sends copies of a request to the clusters that the route mirrors to. Nobody waits for them, and nothing comes back. */
export function sendMirrors(exchange: Exchange, mirrored: Mirrored): void {
  // An upgraded connection is a conversation: there is no sense in half of it.
  if (exchange.upgrade) return;
  for (const mirror of mirrored.decision.action.mirrors) {
    if (mirror.fraction >= 1 || exchange.deps.random() < mirror.fraction) {
      sendMirror(exchange, mirror, mirrored);
    }
  }
}

function sendMirror({ deps, gone, record, connection }: Exchange, mirror: Mirror, mirrored: Mirrored): void {
  const { decision, body } = mirrored;
  const cluster = deps.tables.cluster(mirror.cluster);
  if (cluster === undefined || cluster.counts.active >= cluster.model.limits.maxRequests) return;
  const host = cluster.pick(deps.random);
  if (host === undefined) return;
  const headers = mirrored.headers.clone();
  headers.delete("host");
  headers.set("host", mirror.suffix ? shadowHost(decision.authority) : decision.authority);
  const request = startRequest({
    agent: host.pool(cluster.variantOf(host, decision.authority, connection.facts)),
    host: host.endpoint.address,
    port: host.endpoint.port,
    method: record.method,
    path: decision.target,
    headers: headers.toRaw(),
    setHost: false,
  });
  cluster.counts.active++;
  cluster.counts.total++;
  host.active++;
  host.total++;
  const giveUp = (): void => void request.destroy();
  const timer = setTimeout(giveUp, decision.action.timeoutMs || LONGEST_MS);
  const cut = (): void => (request.writableEnded ? undefined : giveUp());
  gone.addEventListener("abort", cut, { once: true });
  request.on("error", () => host.failures++);
  request.on("response", (response) => {
    response.on("error", () => {});
    response.resume();
  });
  request.on("close", () => {
    clearTimeout(timer);
    gone.removeEventListener("abort", cut);
    cluster.counts.active--;
    host.active--;
  });
  if (body) body.copyTo(request);
  else request.end();
}

/** Tells copies apart in the logs of those that get them (Envoy): `name-shadow:port`. */
function shadowHost(authority: string): string {
  const parts = authority.split(":");
  return parts.length === 2 ? parts.join("-shadow:") : `${authority}-shadow`;
}
