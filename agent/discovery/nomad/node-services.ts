import * as z from "zod";
import {
  type BlockingQueryDeps,
  blockingQuery,
  type QueryEvent,
  type QueryTiming,
} from "../../../mesh/blocking/blocking-query.ts";
import { Gate } from "../../../mesh/blocking/gate.ts";
import { IndexEpoch } from "../../../mesh/blocking/index-epoch.ts";
import { TokenQueue } from "../../../mesh/blocking/token-queue.ts";
import { MeshError } from "../../../mesh/errors.ts";
import { backoffMs } from "../../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { runTasks } from "../../../mesh/lifecycle/run-tasks.ts";
import { hasEnded, type NomadAllocation, parseAllocation } from "../../../mesh/nomad/nomad-allocation.ts";
import type { NomadClient } from "../../../mesh/nomad/nomad-client.ts";
import { type NomadRegistration, parseRegistrations } from "../../../mesh/nomad/nomad-services.ts";
import { Wake } from "../../state/changes.ts";
import { dynamicPortsOfProxies } from "./node-ports.ts";

export interface NodeTiming {
  /** After which time it is asked again which node this is, in milliseconds. */
  readonly nodeMs: number;
}

interface NodeServicesOptions {
  readonly client: NomadClient;
  readonly nodeId: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timing: QueryTiming & NodeTiming;
  readonly changed: () => void;
}

interface ServiceWatch {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** A registration of this node that wants to be in the mesh, and its allocation. */
interface Wanted {
  readonly registration: NomadRegistration;
  readonly allocation: NomadAllocation;
}

const WIDTH = 8;
/** Questions that all queries together may ask without a pause. */
const ALL_AT_ONCE = 2_000;
const EPOCH_REST_MS = 10_000;
const NODE = "/agent/self";

const selfSchema = z.object({ stats: z.object({ client: z.object({ node_id: z.string().min(1) }) }) });

/**
 * What Nomad has of this node: its allocations, by one blocking query, and for each service of theirs that wants to be in the
 * mesh the registrations on this node, by one each. So a node asks for what it has, however large the cluster is.
 */
export class NodeServices {
  readonly #options: NodeServicesOptions;
  readonly #query: BlockingQueryDeps;
  readonly #watches = new Map<string, ServiceWatch>();
  readonly #registrations = new Map<string, readonly NomadRegistration[]>();
  readonly #failures = new Map<string, MeshError>();
  #allocations: ReadonlyMap<string, NomadAllocation> | undefined;
  #dynamicPorts: string | undefined;
  #nodeId: string | undefined;
  readonly #lookAgain = new Wake();
  #recovered = false;

  constructor(options: NodeServicesOptions) {
    this.#options = options;
    const { clock, timing } = options;
    const limit = new TokenQueue(clock, ALL_AT_ONCE, timing.allRefillMs);
    this.#query = { ...options, gate: new Gate(WIDTH), limit, epoch: new IndexEpoch(clock, EPOCH_REST_MS) };
  }

  /** Whether everything that is asked for has been told once. */
  get complete(): boolean {
    return (
      this.#allocations !== undefined &&
      [...this.#watches.keys()].every((key) => this.#registrations.has(key))
    );
  }

  /** Ids of those whose services are in the mesh. */
  allocations(): Iterable<string> {
    return new Set(this.wanted().map(({ allocation }) => allocation.id));
  }

  allocation(id: string): NomadAllocation | undefined {
    return this.#allocations?.get(id);
  }

  wanted(): readonly Wanted[] {
    return [...this.#registrations.values()].flat().flatMap((registration) => {
      const allocation = this.allocation(registration.allocationId);
      return allocation === undefined ||
        hasEnded(allocation) ||
        !registration.tags.includes("lateen.inject=true")
        ? []
        : [{ registration, allocation }];
    });
  }

  /** What is the matter, and whether anything of what is known came after an outage since this was last asked. */
  facts(): {
    readonly failure: MeshError | undefined;
    readonly dynamicPorts: string | undefined;
    readonly recovered: boolean;
    readonly nodeId: string | undefined;
  } {
    const recovered = this.#recovered;
    this.#recovered = false;
    const [failure] = this.#failures.values();
    return { failure, dynamicPorts: this.#dynamicPorts, recovered, nodeId: this.#nodeId };
  }

  /** Returns when the signal is aborted and every query has stopped. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const id = await this.#findNode(signal);
      if (id === undefined) return;
      this.#allocations = undefined;
      this.#nodeId = id;
      const over = new AbortController();
      await runTasks(
        AbortSignal.any([signal, over.signal]),
        (inner) => this.#watchNode(id, inner),
        async (inner) => {
          await this.#untilOther(id, inner);
          over.abort();
        },
      );
    }
  }

  async #watchNode(id: string, signal: AbortSignal): Promise<void> {
    const path = `/node/${encodeURIComponent(id)}/allocations`;
    try {
      for await (const event of blockingQuery(this.#query, { path, parse: parseAllocations }, signal)) {
        const allocations = this.#hear(path, event);
        if (allocations !== undefined) {
          this.#allocations = allocations;
          this.#follow(id, signal);
        }
        if (event.kind === "answer" && (event.recovered || event.rewound)) this.#lookAgain.raise();
        this.#options.changed();
      }
    } finally {
      this.#failures.delete(path);
      for (const { stop } of this.#watches.values()) stop.abort();
      await Promise.all([...this.#watches.values()].map(({ done }) => done));
    }
  }

  /** A client that lost its data comes back as another node, and one that was set up anew with other ports. */
  async #untilOther(id: string, signal: AbortSignal): Promise<void> {
    const { clock, timing, changed } = this.#options;
    while (!signal.aborted) {
      await this.#lookAgain.waitFor(clock, timing.nodeMs, signal);
      if (signal.aborted) return;
      const now = await this.#findNode(signal);
      changed();
      if (now !== undefined && now !== id) return;
    }
  }

  /** Which node this is. */
  async #findNode(signal: AbortSignal): Promise<string | undefined> {
    const { client, clock, random, timing, changed } = this.#options;
    const backoff = { firstMs: timing.backoffFirstMs, maxMs: timing.backoffMaxMs };
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        const id = this.#options.nodeId ?? (await this.#ownNode(signal));
        const node = await client.get(
          { path: `/node/${encodeURIComponent(id)}`, timeoutMs: timing.patienceMs },
          signal,
        );
        this.#dynamicPorts = dynamicPortsOfProxies(node.body);
        this.#failures.delete(NODE);
        return id;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#failures.set(NODE, MeshError.from(error, "registry.unavailable"));
        changed();
        await clock.sleep(backoffMs(backoff, failures, random()), signal);
      }
    }
    return undefined;
  }

  async #ownNode(signal: AbortSignal): Promise<string> {
    const { client, timing } = this.#options;
    const { body } = await client.get({ path: NODE, timeoutMs: timing.patienceMs }, signal);
    const { data } = selfSchema.safeParse(body);
    if (data !== undefined) return data.stats.client.node_id;
    throw new MeshError(
      "registry.unavailable",
      `ask Nomad at ${client.address} for its node: it is a server and no client`,
      {
        hint: "set discovery.nomad.address to the Nomad client of this host, or discovery.nodeId",
      },
    );
  }

  #follow(nodeId: string, signal: AbortSignal): void {
    const names = new Map<string, readonly [namespace: string, service: string]>();
    for (const allocation of this.#allocations?.values() ?? []) {
      if (hasEnded(allocation)) continue;
      const { namespace, services } = allocation;
      for (const { name, provider, tags } of services) {
        if (provider !== "nomad" || !tags.some(mayInject)) continue;
        names.set(`${namespace} ${name}`, [namespace, name]);
      }
    }
    for (const [key, { stop }] of this.#watches) if (!names.has(key)) stop.abort();
    for (const [key, [namespace, service]] of names) {
      if (this.#watches.has(key)) continue;
      const stop = new AbortController();
      const query = new URLSearchParams({ namespace, filter: `NodeID == "${nodeId}"` });
      const path = `/service/${encodeURIComponent(service)}?${query.toString()}`;
      const done = this.#watchService(key, path, AbortSignal.any([signal, stop.signal])).finally(() => {
        this.#watches.delete(key);
        this.#registrations.delete(key);
        this.#failures.delete(path);
        // It was wanted again while its watch was stopping.
        if (!signal.aborted) this.#follow(nodeId, signal);
        this.#options.changed();
      });
      done.catch(() => undefined);
      this.#watches.set(key, { stop, done });
    }
  }

  async #watchService(key: string, path: string, signal: AbortSignal): Promise<void> {
    const parse = (body: unknown): readonly NomadRegistration[] => parseRegistrations(body).registrations;
    for await (const event of blockingQuery(this.#query, { path, parse }, signal)) {
      const registrations = this.#hear(path, event);
      if (registrations !== undefined) this.#registrations.set(key, registrations);
      this.#options.changed();
    }
  }

  #hear<T>(path: string, event: QueryEvent<T>): T | undefined {
    if (event.kind === "failed") {
      this.#failures.set(path, event.error);
      return undefined;
    }
    this.#failures.delete(path);
    this.#recovered ||= event.recovered || event.rewound;
    return event.value;
  }
}

/** What a variable in a tag comes to is in the registration. */
function mayInject(tag: string): boolean {
  return tag.startsWith("lateen.inject=") && tag !== "lateen.inject=false";
}

/** One that cannot be read does not spoil the others: Nomad's own lists have it, and its services are not taken. */
function parseAllocations(body: unknown): ReadonlyMap<string, NomadAllocation> {
  const entries = z.array(z.unknown()).safeParse(body ?? []);
  if (!entries.success)
    throw new MeshError("registry.unavailable", "read what Nomad says of this node: it is no list");
  const allocations = entries.data.map(parseAllocation).filter((one) => typeof one !== "string");
  return new Map(allocations.map((one) => [one.id, one]));
}
