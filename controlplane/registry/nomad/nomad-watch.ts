import { type BlockingQueryDeps, blockingQuery } from "../../../mesh/blocking/blocking-query.ts";
import { Gate } from "../../../mesh/blocking/gate.ts";
import { IndexEpoch } from "../../../mesh/blocking/index-epoch.ts";
import { TokenBucket } from "../../../mesh/blocking/token-bucket.ts";
import { TokenQueue } from "../../../mesh/blocking/token-queue.ts";
import { isServiceName } from "../../../mesh/consul/names.ts";
import { MeshError } from "../../../mesh/errors.ts";
import { backoffMs } from "../../../mesh/lifecycle/backoff.ts";
import { runTasks } from "../../../mesh/lifecycle/run-tasks.ts";
import { AllocationChecks } from "../../../mesh/nomad/allocation-checks.ts";
import { allocationOf, hasEnded } from "../../../mesh/nomad/nomad-allocation.ts";
import {
  type NomadServiceName,
  parseNodeNames,
  parseRegistrations,
  parseServiceNames,
} from "../../../mesh/nomad/nomad-services.ts";
import { parseServiceLine, type ServiceLine } from "../../../mesh/nomad/service-changes.ts";
import { CatalogMirror } from "../catalog-mirror.ts";
import { EventQueue } from "../event-queue.ts";
import type { RegistryStatus } from "../registry.ts";
import { ServiceEvents } from "../service-events.ts";
import { WatchStatus } from "../watch-status.ts";
import type { NomadRegistryOptions, NomadTiming } from "./nomad-registry.ts";
import { ServiceBook } from "./service-book.ts";
import { toAnswer } from "./to-answer.ts";

/** Times in milliseconds. */
export interface StreamTiming {
  /** A stream without a line for this long is dead: Nomad writes one every 30 s. */
  readonly silenceMs: number;
  /** How long the stream may take to tell what the blocking query has seen. */
  readonly proofMs: number;
  /** Everything is listed at most twice at once, and then once in this time. */
  readonly listMs: number;
}

type Deps = Omit<NomadRegistryOptions, "timing"> & { readonly timing: NomadTiming };

const SET_UP_WIDTH = 16;
/** Questions that all queries together may ask without a pause. */
const ALL_AT_ONCE = 2_000;
const EPOCH_REST_MS = 10_000;
/** A stream that has lasted this long has been of use. */
const STEADY_MS = 10_000;
/** A list that a change has overtaken is asked for again. */
const MOST_OVERTAKEN = 5;
/** Of the instances that are held, each time. */
const MOST_HELD_ASKED = 200;
const NAMES = "/services";
const LIST = "/service/:name";
const CHECKS = "/allocation/:id/checks";

/**
 * One watch of a Nomad's native services. Changes come from the event stream, each with the whole registration. A stream can
 * leave out what happened before it was opened and what Nomad's buffer did not hold, and it does not say so. So there is a
 * second witness, a blocking query for the names of services, whose index grows with every change of any of them: what the
 * stream has not told a moment later is a gap, and then all services are listed anew. So they are whenever a stream begins,
 * and whenever the index changes while there is none.
 */
export class NomadWatch {
  readonly events: EventQueue = new EventQueue();
  readonly #deps: Deps;
  readonly #query: BlockingQueryDeps;
  readonly #book = new ServiceBook();
  readonly #mirror: CatalogMirror;
  readonly #status: WatchStatus;
  readonly #told: ServiceEvents;
  readonly #checks: AllocationChecks;
  /** Up to which index everything is known: by a list, and by the stream. */
  #listed = 0;
  #streamed = 0;
  #streaming = false;
  /** The newest index that the second witness has seen. */
  #witnessed = 0;
  /** Everything is being listed; what is seen meanwhile is looked at afterwards. */
  #listing = true;
  #askedHeldAt = Number.NEGATIVE_INFINITY;
  #rewound = false;
  #synced = false;
  #nodes: ReadonlyMap<string, string> = new Map();
  /** Why everything is to be listed; undefined: it is not. */
  #wanted: string | undefined;
  #wake = new AbortController();
  #nudge = new AbortController();
  #news = new AbortController();

  constructor(deps: Deps) {
    this.#deps = deps;
    const { client, clock, timing } = deps;
    const epoch = new IndexEpoch(clock, EPOCH_REST_MS);
    const limit = new TokenQueue(clock, ALL_AT_ONCE, timing.allRefillMs);
    this.#query = { ...deps, gate: new Gate(SET_UP_WIDTH), limit, epoch };
    this.#mirror = new CatalogMirror(timing);
    this.#status = new WatchStatus("nomad", clock, deps.logger);
    this.#told = new ServiceEvents(this.events);
    this.#checks = new AllocationChecks({
      client,
      clock,
      timing,
      allocations: () => this.#book.allocations().keys(),
      changed: (allocation) => this.#publish(this.#book.allocations().get(allocation) ?? []),
      told: (problem) => this.#heard(CHECKS, problem),
    });
  }

  get status(): RegistryStatus {
    return this.#status.current;
  }

  /** Returns when the signal is aborted and everything has stopped. */
  async run(signal: AbortSignal): Promise<void> {
    await runTasks(
      signal,
      (linked) => this.#followStream(linked),
      (linked) => this.#watchIndex(linked),
      (linked) => this.#listWhenWanted(linked),
      (linked) => this.#checks.run(linked),
      (linked) => this.#judgeRemovals(linked),
    );
  }

  async #followStream(signal: AbortSignal): Promise<void> {
    const { client, clock, logger, namespace, random, timing } = this.#deps;
    const backoff = { firstMs: timing.backoffFirstMs, maxMs: timing.backoffMaxMs };
    for (let failures = 0; !signal.aborted; failures += 1) {
      const index = this.#streamed === 0 ? undefined : this.#streamed;
      const began = clock.monotonic();
      try {
        const query = { topic: "Service", namespace, index, silenceMs: timing.silenceMs };
        for await (const raw of client.events(query, signal)) {
          if (!this.#streaming) {
            this.#streaming = true;
            if (failures > 0) logger.info("the event stream of Nomad is there again");
            this.#want("the event stream begins");
          }
          this.#take(parseServiceLine(raw));
        }
      } catch (error) {
        const { message, hint } = MeshError.from(error, "registry.unavailable");
        // One that ends as soon as it has begun is no better than none.
        if (clock.monotonic() - began > STEADY_MS) failures = 0;
        if (failures === 0)
          logger.warn("the event stream of Nomad ended, its services are listed meanwhile", {
            error: message,
            hint,
          });
      }
      if (signal.aborted) return;
      this.#streaming = false;
      this.#want("the event stream has ended");
      await clock.sleep(backoffMs(backoff, failures, random()), signal);
    }
  }

  #take(line: ServiceLine): void {
    if (line.kind === "heartbeat") return;
    if (line.kind === "unreadable") return this.#want(`the event stream has ${line.reason}`);
    const { changes, index } = line;
    const changed = new Set<string>();
    for (const change of changes) {
      const { service, id } = change.registration;
      if (!isServiceName(service) || !this.#book.change(change, index)) continue;
      if (change.kind === "deregistered") this.#mirror.remove(service, id);
      changed.add(service);
    }
    this.#streamed = Math.max(this.#streamed, index);
    this.#news.abort();
    this.#publish(changed);
    this.#lookUpNodes(changes.map(({ registration }) => registration.nodeId));
  }

  /** The second witness. */
  async #watchIndex(signal: AbortSignal): Promise<void> {
    const { clock, namespace, timing } = this.#deps;
    const question = {
      path: `${NAMES}?namespace=${encodeURIComponent(namespace)}`,
      parse: parseServiceNames,
    };
    for await (const event of blockingQuery(this.#query, question, signal)) {
      if (event.kind === "failed") {
        this.#heard(NAMES, event.error);
        continue;
      }
      this.#heard(NAMES, undefined);
      if (event.rewound) this.#rewind();
      if (event.rewound) this.#want("Nomad's index went backwards");
      const until = clock.monotonic() + timing.proofMs;
      while (this.#streaming && this.#behind(event.index) && clock.monotonic() < until && !signal.aborted) {
        this.#news = new AbortController();
        const linked = AbortSignal.any([signal, this.#news.signal]);
        await clock.sleep(until - clock.monotonic(), linked);
      }
      this.#witnessed = event.index;
      if (this.#listing || !this.#behind(event.index)) continue;
      this.#want(this.#streaming ? "the event stream has left something out" : "services have changed");
    }
  }

  #behind(index: number): boolean {
    return Math.max(this.#listed, this.#streamed) < index;
  }

  #rewind(): void {
    this.#book.rewind();
    this.#listed = 0;
    this.#streamed = 0;
    this.#witnessed = 0;
    this.#rewound = true;
  }

  #want(reason: string): void {
    this.#wanted ??= reason;
    this.#wake.abort();
  }

  async #listWhenWanted(signal: AbortSignal): Promise<void> {
    const { clock, logger, random, timing } = this.#deps;
    const bucket = new TokenBucket(clock, 2, timing.listMs);
    const backoff = { firstMs: timing.backoffFirstMs, maxMs: timing.backoffMaxMs };
    // The first list has the stream's beginning before it, where there is a stream.
    await this.#untilWanted(timing.proofMs, signal);
    this.#want("nothing is known yet");
    let failures = 0;
    while (!signal.aborted) {
      await this.#untilWanted(3_600_000, signal);
      await bucket.take(signal);
      const reason = this.#wanted;
      if (reason === undefined || signal.aborted) continue;
      this.#wanted = undefined;
      try {
        logger.debug("listing the services of Nomad", { reason });
        this.#listing = true;
        await this.#list(failures > 0, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#heard(LIST, MeshError.from(error, "registry.unavailable"));
        this.#want(reason);
        await clock.sleep(backoffMs(backoff, failures++, random()), signal);
      } finally {
        this.#listing = false;
      }
    }
  }

  async #untilWanted(mostMs: number, signal: AbortSignal): Promise<void> {
    if (this.#wanted !== undefined) return;
    this.#wake = new AbortController();
    await this.#deps.clock.sleep(mostMs, AbortSignal.any([signal, this.#wake.signal]));
  }

  /** Everything that Nomad has, service by service. Throws when any of it cannot be had; what was had counts. */
  async #list(recovered: boolean, signal: AbortSignal): Promise<void> {
    const { client, namespace, timing } = this.#deps;
    const { patienceMs: timeoutMs } = timing;
    const { index = 0, body } = await client.get({ path: NAMES, query: { namespace }, timeoutMs }, signal);
    const names = parseServiceNames(body);
    const usable = names.filter(({ service }) => isServiceName(service));
    this.#status.refused(
      "",
      names
        .filter((name) => !usable.includes(name))
        .map(({ service }) => `“${service}” cannot be part of a host name`),
    );
    // Nothing at all is what a token that has lost its rights is told.
    const blind = names.length === 0 && this.#mirror.size > 0;
    const context = { now: this.#deps.clock.monotonic(), rewound: this.#rewound || blind, recovered };
    await this.#lookUpAllNodes(signal);
    const asked = await Promise.allSettled(
      usable.map((name) => this.#query.gate.run(() => this.#listOne(name, signal))),
    );
    const changed = new Set([...usable.map(({ service }) => service), ...this.#book.keepOnly(usable, index)]);
    this.#publish(changed, context);
    for (const outcome of asked) if (outcome.status === "rejected") throw outcome.reason;
    this.#listed = index;
    this.#heard(LIST, undefined);
    if (!this.#synced) this.events.push({ kind: "synced" });
    this.#synced = true;
    this.#afterChange();
    this.#rewound = false;
    if (this.#behind(this.#witnessed)) this.#want("services have changed meanwhile");
  }

  async #listOne({ namespace, service }: NomadServiceName, signal: AbortSignal): Promise<void> {
    const { client, timing } = this.#deps;
    const question = {
      path: `/service/${encodeURIComponent(service)}`,
      query: { namespace },
      timeoutMs: timing.patienceMs,
    };
    for (let tries = 0; tries < MOST_OVERTAKEN; tries += 1) {
      const { index = 0, body } = await client.get(question, signal);
      const { registrations, unusable } = parseRegistrations(body);
      this.#status.refused(
        `${namespace}/${service}`,
        unusable.map((problem) => `a registration cannot be read: ${problem}`),
      );
      if (this.#book.list({ namespace, service }, registrations, index)) return;
    }
    throw new MeshError(
      "registry.unavailable",
      `list ${service} of Nomad: its answers are older than its events`,
    );
  }

  /** Names of nodes are for people: where they cannot be had, ids are told. */
  async #lookUpAllNodes(signal: AbortSignal): Promise<void> {
    const { client, timing } = this.#deps;
    try {
      const { body } = await client.get({ path: "/nodes", timeoutMs: timing.patienceMs }, signal);
      this.#nodes = parseNodeNames(body);
    } catch (error) {
      this.#deps.logger.debug("the names of Nomad's nodes cannot be had", {
        error: MeshError.from(error).message,
      });
    }
  }

  /** A node that has come since is named with the next list. */
  #lookUpNodes(ids: readonly string[]): void {
    if (this.#nodes.size > 0 && ids.some((id) => !this.#nodes.has(id)))
      this.#want("there is a node that has no name yet");
  }

  #publish(
    services: Iterable<string>,
    context = { now: this.#deps.clock.monotonic(), rewound: false, recovered: false },
  ): void {
    for (const service of services) {
      const answer = toAnswer(this.#book.registrationsOf(service), {
        nodeName: (id) => this.#nodes.get(id) ?? id,
        isHealthy: ({ allocationId }) => this.#checks.isHealthy(allocationId, service),
      });
      this.#status.refused(
        service,
        answer.problems.map(({ instance, problem }) => `${instance}: ${problem}`),
      );
      this.#mirror.apply(service, answer, context);
      this.#told.tell(service, this.#mirror.instancesOf(service));
    }
    this.#afterChange();
    this.#nudge.abort();
  }

  /** Sleeps until removals are due, or until something changed. */
  async #judgeRemovals(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      this.#nudge = new AbortController();
      const due = this.#mirror.dueAt(this.#status.failing);
      const rest = this.#mirror.held.length > 0 ? 60_000 : 3_600_000;
      const wait = due === undefined ? rest : due - clock.monotonic();
      if (wait > 0) await clock.sleep(wait, AbortSignal.any([signal, this.#nudge.signal]));
      for (const service of this.#mirror.judge(clock.monotonic(), this.#status.failing)) {
        this.#told.tell(service, this.#mirror.instancesOf(service));
      }
      this.#afterChange();
      await this.#letGoOfEnded(signal);
    }
  }

  /**
   * What is held because too much vanished at once is gone after all where Nomad says that its allocation has ended. An
   * allocation that Nomad does not know says nothing: it may have lost its data.
   */
  async #letGoOfEnded(signal: AbortSignal): Promise<void> {
    const { client, clock, timing } = this.#deps;
    if (this.#mirror.held.length === 0 || clock.monotonic() - this.#askedHeldAt < timing.listMs) return;
    this.#askedHeldAt = clock.monotonic();
    for (const { service, id } of this.#mirror.held.slice(0, MOST_HELD_ASKED)) {
      const allocation = await client.allocation(allocationOf(id) ?? "", signal).catch(() => undefined);
      if (signal.aborted || allocation === undefined || !hasEnded(allocation)) continue;
      this.#mirror.remove(service, id);
      this.#told.tell(service, this.#mirror.instancesOf(service));
    }
    this.#afterChange();
  }

  #heard(what: string, problem: MeshError | undefined): void {
    if (problem === undefined) this.#status.answered(what);
    else this.#status.failed(what, problem);
    this.#afterChange();
  }

  #afterChange(): void {
    this.#status.update(this.#synced, this.#mirror.held, this.#mirror.size);
  }
}
