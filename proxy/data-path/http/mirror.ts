import type { BodySink, BodySource, RequestHead } from "../../codec/stream.ts";
import type { Mirror } from "../../model/route.ts";
import type { ForwardDecision } from "../../tables/route-table.ts";
import { Alarm } from "../../transport/alarms.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";
import { Attempt, type AttemptEvents } from "./attempt.ts";
import { isHttp2 } from "./called-as.ts";
import type { Exchange } from "./exchange.ts";
import { RequestBody } from "./request-body.ts";

/** A copy that is not answered by then is given up, where the route has no time of its own. */
const LONGEST_MS = 15_000;
const MOST_BEHIND_BYTES = 1_048_576;

export interface Mirrored {
  readonly decision: ForwardDecision;
  /** As it goes to the original's upstream. */
  readonly head: RequestHead;
  readonly body: RequestBody | undefined;
}

/** Sends copies of a request to the clusters that the route mirrors to. Nobody waits for them, and nothing comes back. */
export function sendMirrors(exchange: Exchange, mirrored: Mirrored): void {
  // An upgraded connection is a conversation: there is no sense in half of it.
  if (exchange.upgrade !== undefined) return;
  for (const mirror of mirrored.decision.action.mirrors) {
    if (mirror.fraction >= 1 || exchange.deps.random() < mirror.fraction) {
      sendMirror(exchange, mirror, mirrored);
    }
  }
}

function sendMirror(
  { deps, connection }: Exchange,
  mirror: Mirror,
  { decision, head, body }: Mirrored,
): void {
  const cluster = deps.tables.cluster(mirror.cluster);
  if (cluster === undefined || cluster.counts.active >= cluster.model.limits.maxRequests) return;
  // Nobody waits for a name here.
  const host = cluster.pick(deps.random, cluster.names ? undefined : { destination: connection.destination });
  if (host === undefined) return;
  const { authority } = decision;
  const copy = new MirrorBody();
  const pool = host.pool(cluster.variantOf(host, authority, connection.facts, { isHttp2: isHttp2(head) }));
  const options = {
    pool,
    head: {
      ...head,
      headers: head.headers.clone(),
      authority: mirror.suffix ? shadowHost(authority) : authority,
    },
    body: body && new RequestBody(copy, false, { passed() {}, ended() {}, broken() {} }),
    perTryTimeoutMs: 0,
    alarms: deps.alarms,
  };
  const patience = new Alarm(() => sent.giveUp());
  const sent = new MirrorRequest(cluster, host, () => patience.clear());
  patience.set(deps.alarms, decision.action.timeoutMs || LONGEST_MS);
  copy.onLost = () => sent.giveUp();
  body?.copyTo(copy);
  sent.start(new Attempt(options, sent));
}

/** Tells copies apart in the logs of those that get them (Envoy): `name-shadow:port`. */
function shadowHost(authority: string): string {
  const parts = authority.split(":");
  return parts.length === 2 ? parts.join("-shadow:") : `${authority}-shadow`;
}

/** What becomes of a copy: nothing but a count. */
class MirrorRequest implements AttemptEvents {
  readonly #cluster: UpstreamCluster;
  readonly #host: UpstreamHost;
  readonly #onOver: () => void;
  #attempt: Attempt | undefined;
  #over = false;

  constructor(cluster: UpstreamCluster, host: UpstreamHost, onOver: () => void) {
    this.#cluster = cluster;
    this.#host = host;
    this.#onOver = onOver;
    cluster.begin();
    cluster.counts.total++;
    host.active++;
    host.total++;
  }

  start(attempt: Attempt): void {
    this.#attempt = attempt;
    attempt.start();
  }

  giveUp(): void {
    if (this.#over) return;
    this.#attempt?.cancel();
    this.failed();
  }

  answered(): void {}

  failed(): void {
    this.#host.failures++;
    this.#end();
  }

  moreWanted(): void {}

  data(): boolean {
    return true;
  }

  end(): void {
    this.#end();
  }

  reset(): void {
    this.failed();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cluster.counts.active--;
    this.#host.active--;
    this.#onOver();
  }
}

/** Keeps of the body what the copy's upstream has not taken; one that falls too far behind is lost. */
class MirrorBody implements BodySink, BodySource {
  #sink: BodySink | undefined;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #ended = false;
  #held = false;
  onLost: () => void = () => {};

  receive(sink: BodySink): void {
    this.#sink = sink;
    this.#pass();
  }

  pause(): void {
    this.#held = true;
  }

  resume(): void {
    this.#held = false;
    this.#pass();
  }

  data(bytes: Buffer): boolean {
    if (this.#keptBytes > MOST_BEHIND_BYTES) return false;
    this.#kept.push(Buffer.from(bytes));
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > MOST_BEHIND_BYTES) {
      this.#kept = [];
      this.onLost();
    } else this.#pass();
    return true;
  }

  end(): void {
    this.#ended = true;
    this.#pass();
  }

  reset(): void {
    this.onLost();
  }

  #pass(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    for (let chunk = this.#next(); chunk !== undefined; chunk = this.#next()) this.#held = !sink.data(chunk);
    if (this.#ended && this.#kept.length === 0 && !this.#held) {
      this.#sink = undefined;
      sink.end(undefined);
    }
  }

  #next(): Buffer | undefined {
    if (this.#held) return undefined;
    const chunk = this.#kept.shift();
    this.#keptBytes -= chunk?.length ?? 0;
    return chunk;
  }
}
