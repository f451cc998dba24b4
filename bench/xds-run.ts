import { setTimeout as delay } from "node:timers/promises";
import { pauseBetweenChanges } from "./pause.ts";
import type {
  MeshLayout,
  ServerAnswers,
  ServerRequests,
  SubscriberAnswers,
  SubscriberRequests,
  Usage,
} from "./xds-messages.ts";
import { Child } from "./xds-processes.ts";

type Server = Child<ServerRequests, ServerAnswers>;
type Subscribers = Child<SubscriberRequests, SubscriberAnswers>;

/** One kind of change, many times over. */
export interface ChangeSamples {
  /** From the change to the last proxy that was to have it, milliseconds. */
  readonly latencies: readonly number[];
  readonly cpuMsPerChange: number;
  /** Of one change, the most there were. */
  readonly streams: number;
  readonly resources: number;
  readonly bytes: number;
}

export interface ChangePlan {
  readonly kind: "endpoint" | "route";
  /** The services that are changed, in turn. */
  readonly services: readonly number[];
  /** Proxies that are to have it: all that are connected, unless told. */
  readonly receivers?: number;
  readonly changes: number;
  readonly warmUp: number;
}

const PROCESSES = 2;
/** What comes later than this after a change belongs to the next one. */
const QUIET_MS = 10;

/** A server with a mesh, in a process of its own, and its proxies, in others. */
export class XdsRun implements AsyncDisposable {
  readonly snapshotMs: number;
  readonly #server: Server;
  readonly #start: ServerAnswers["start"];
  readonly #streamsPerConnection: number;
  readonly #groups: { readonly subscribers: Subscribers; readonly streams: number }[] = [];
  #connected = 0;

  private constructor(server: Server, start: ServerAnswers["start"], streamsPerConnection: number) {
    this.#server = server;
    this.#start = start;
    this.#streamsPerConnection = streamsPerConnection;
    this.snapshotMs = start.snapshotMs;
  }

  static async start(layout: MeshLayout, streamsPerConnection = 1): Promise<XdsRun> {
    const server: Server = new Child(new URL("xds-server.ts", import.meta.url), ["--expose-gc"]);
    return new XdsRun(server, await server.ask("start", layout), streamsPerConnection);
  }

  /** Connects so many more proxies at once; milliseconds until the last one has everything. */
  async connect(proxies: number): Promise<number> {
    const share = Math.ceil(proxies / PROCESSES);
    const { port, tls, nodes } = this.#start;
    const groups = [];
    for (let from = 0; from < proxies; from += share) {
      const to = Math.min(from + share, proxies);
      const subscribers: Subscribers = new Child(new URL("xds-subscribers.ts", import.meta.url));
      groups.push({ subscribers, nodes: nodes.slice(this.#connected + from, this.#connected + to) });
    }
    await Promise.all(groups.map(({ subscribers }) => subscribers.ask("expect", { type: "", name: "" })));
    const before = performance.now();
    const asked = { port, tls, streamsPerConnection: this.#streamsPerConnection };
    await Promise.all(
      groups.map(({ subscribers, nodes: own }) => subscribers.ask("connect", { ...asked, nodes: own })),
    );
    const took = performance.now() - before;
    this.#groups.push(...groups.map(({ subscribers, nodes: own }) => ({ subscribers, streams: own.length })));
    this.#connected += proxies;
    return took;
  }

  /** After a collection of garbage. */
  async usage(): Promise<Usage> {
    await delay(300);
    await this.#server.ask("usage", { collect: true });
    return await this.#server.ask("usage", { collect: true });
  }

  async measure(plan: ChangePlan): Promise<ChangeSamples> {
    const latencies: number[] = [];
    const most = { streams: 0, resources: 0, bytes: 0 };
    let before = 0;
    for (let index = 0; index < plan.warmUp + plan.changes; index++) {
      if (index === plan.warmUp) before = await this.#cpuMs();
      const { latencyMs, ...seen } = await this.#change(plan, index);
      if (index < plan.warmUp) continue;
      latencies.push(latencyMs);
      for (const key of ["streams", "resources", "bytes"] as const)
        most[key] = Math.max(most[key], seen[key]);
      await pauseBetweenChanges();
    }
    return { latencies, cpuMsPerChange: ((await this.#cpuMs()) - before) / plan.changes, ...most };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { subscribers } of this.#groups) {
      await subscribers.ask("close", {});
      await subscribers[Symbol.asyncDispose]();
    }
    await this.#server[Symbol.asyncDispose]();
  }

  async #cpuMs(): Promise<number> {
    return (await this.#server.ask("usage", { collect: false })).cpuMs;
  }

  async #change(
    { kind, services, receivers }: ChangePlan,
    index: number,
  ): Promise<{ latencyMs: number; streams: number; resources: number; bytes: number }> {
    const service = services[index % services.length] ?? 0;
    const { type, name } = await this.#server.ask("show", { kind, service });
    await Promise.all(this.#groups.map(({ subscribers }) => subscribers.ask("expect", { type, name })));
    // The last proxies are those that get everything.
    let left = receivers ?? this.#connected;
    const wanted = this.#groups.toReversed().map(({ subscribers, streams }) => {
      const own = Math.min(left, streams);
      left -= own;
      return { subscribers, streams: own };
    });
    const { at } = await this.#server.ask("change", { kind, service });
    const ask = async (): Promise<readonly SubscriberAnswers["received"][]> =>
      await Promise.all(wanted.map(({ subscribers, streams }) => subscribers.ask("received", { streams })));
    const lastAt = Math.max(...(await ask()).map((one) => one.lastAt));
    // What else comes of it is to be seen too.
    await delay(QUIET_MS);
    const seen = await ask();
    const sum = (key: "streams" | "resources" | "bytes"): number =>
      seen.reduce((all, one) => all + one[key], 0);
    const [streams, resources, bytes] = [sum("streams"), sum("resources"), sum("bytes")];
    return { latencyMs: (lastAt - at) / 1000, streams, resources, bytes };
  }
}
