import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { runTasks } from "../../mesh/lifecycle/run-tasks.ts";
import type { SocketAddress } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { decide } from "./decide.ts";
import type { Transport } from "./exchange.ts";
import { Forwarder } from "./forwarder.ts";
import { listen } from "./listen.ts";
import { LoopProbe } from "./loop-probe.ts";
import type { MeshNames } from "./mesh-names.ts";
import { parseQuery, type Query, RCODE } from "./query.ts";
import { type Content, encodeRefusal, encodeReply, shortened } from "./reply.ts";
import { filesStamp, type ResolverFiles, systemResolvers } from "./system-resolvers.ts";
import { type Upstream, type UpstreamState, Upstreams, upstreamAt } from "./upstreams.ts";

export interface DnsOptions {
  readonly listen: readonly SocketAddress[];
  /** Resolvers that are asked for all that is not the mesh's; empty: those of the host. */
  readonly upstreams: readonly string[];
  /** Resolvers for a domain, with all that is below it. */
  readonly domains: Readonly<Record<string, readonly string[]>>;
  readonly files: ResolverFiles;
  /** Domains that are the mesh's alone. */
  readonly zones: readonly string[];
  readonly names: MeshNames;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A place where questions are taken, or why not. */
interface DnsPlace {
  readonly place: SocketAddress;
  readonly problem: string | undefined;
}

export interface DnsState {
  readonly places: readonly DnsPlace[];
  readonly upstreams: readonly UpstreamState[];
}

/** Files are looked at this often, and resolvers that go in a circle too. */
const REREAD_MS = 2_000;
const PROBE_EVERY_MS = 60_000;
const RETRY_BIND_MS = 2_000;

/** DNS for the applications of a host: names of the mesh from memory, all others from the host's resolvers. */
export class DnsServer {
  readonly #options: DnsOptions;
  readonly #upstreams: Upstreams;
  readonly #forwarder: Forwarder;
  readonly #probe = new LoopProbe();
  readonly #problems = new Map<SocketAddress, string | undefined>();
  #searchDomain: string | undefined;

  constructor(options: DnsOptions) {
    this.#options = options;
    this.#upstreams = new Upstreams(options.clock);
    this.#forwarder = new Forwarder({ upstreams: this.#upstreams, clock: options.clock });
  }

  get state(): DnsState {
    return {
      places: this.#options.listen.map((place) => ({
        place,
        problem: this.#problems.has(place) ? this.#problems.get(place) : "it is not there yet",
      })),
      upstreams: this.#upstreams.general,
    };
  }

  /** Until the signal is aborted. Never throws: a place that is taken is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    // Whoever asks first is not to be told that nobody is there to be asked.
    const stamp = await filesStamp(this.#options.files);
    await this.#reread();
    await runTasks(
      signal,
      ...this.#options.listen.map(
        (place) =>
          (signal: AbortSignal): Promise<void> =>
            this.#serve(place, signal),
      ),
      (signal) => this.#follow(stamp, signal),
    );
  }

  async #serve(place: SocketAddress, stop: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const handle = (message: Buffer, over: Transport): ReturnType<DnsServer["answer"]> => {
      try {
        return this.answer(message, over, stop);
      } catch (error) {
        // A defect costs one question its answer, not the host its agent.
        logger.error("a DNS question could not be answered", { error: messageOf(error) });
        return undefined;
      }
    };
    while (!stop.aborted) {
      try {
        await listen(place, handle, stop, () => this.#problems.set(place, undefined));
      } catch (error) {
        const told = this.#problems.get(place);
        const problem = messageOf(error);
        this.#problems.set(place, problem);
        if (problem !== told) logger.warn("DNS questions cannot be taken", { ...place, error: problem });
        await clock.sleep(RETRY_BIND_MS, stop);
      }
    }
  }

  /** The answer to one message. At once for what is the mesh's. */
  answer(
    message: Buffer,
    over: Transport,
    signal: AbortSignal,
  ): Buffer | undefined | Promise<Buffer | undefined> {
    const received = parseQuery(message);
    switch (received.kind) {
      case "ignored":
        return undefined;
      case "refused":
        return encodeRefusal(received.id, received.flags, received.rcode);
      case "query":
        return this.#answerQuery(received.query, over, signal);
      default:
        return received satisfies never;
    }
  }

  #answerQuery(query: Query, over: Transport, signal: AbortSignal): Buffer | Promise<Buffer> {
    if (this.#probe.takes(query.name)) return encodeReply(query, failure(RCODE.nameError), over);
    const { names, zones } = this.#options;
    const decision = decide(query, { tables: names.tables, zones, searchDomain: this.#searchDomain });
    switch (decision.kind) {
      case "content":
        return encodeReply(query, decision.content, over);
      case "unknown":
        return encodeReply(query, failure(RCODE.serverFailure), over);
      case "forward":
        return this.#forward(query, over, signal);
      default:
        return decision satisfies never;
    }
  }

  async #forward(query: Query, over: Transport, signal: AbortSignal): Promise<Buffer> {
    const reply = await this.#forwarder.forward(query, over, signal);
    if (reply === undefined) return encodeReply(query, failure(RCODE.serverFailure), over);
    return over === "udp" ? shortened(query, reply) : reply;
  }

  /** Keeps to what the host's files say of resolvers. */
  async #follow(readAs: string, signal: AbortSignal): Promise<void> {
    const { clock, files } = this.#options;
    let stamp = readAs;
    let probed = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const now = await filesStamp(files);
      if (now !== stamp) {
        await this.#reread();
        stamp = now;
        probed = Number.NEGATIVE_INFINITY;
      }
      if (clock.monotonic() - probed >= PROBE_EVERY_MS) {
        probed = clock.monotonic();
        await this.#probe.probe(this.#upstreams, signal);
      }
      await clock.sleep(REREAD_MS, signal);
    }
  }

  async #reread(): Promise<void> {
    const { files, logger, upstreams, domains, zones } = this.#options;
    const found = await systemResolvers(files);
    // Found while it is being written, or away for a moment: what was known is better than nothing.
    if (found === undefined && this.#upstreams.all.length > 0) return;
    const { nameservers, search } = found ?? { nameservers: [], search: [] };
    this.#searchDomain = search.find((domain) => !zones.some((zone) => isWithin(domain, zone)));
    const written = upstreams.length > 0 ? upstreams : nameservers;
    const general = written.map(upstreamAt).filter((one) => !this.#isOurs(one));
    const byDomain = new Map(
      Object.entries(domains).map(([domain, at]) => [domain, at.map(upstreamAt)] as const),
    );
    this.#upstreams.replace(general, byDomain);
    logger.info("resolvers", { upstreams: general.map(({ name }) => name) });
  }

  #isOurs({ address, port }: Upstream): boolean {
    return this.#options.listen.some((place) => place.address === address && place.port === port);
  }
}

function failure(rcode: number): Content {
  return { rcode, answers: [], authorities: [], additionals: [] };
}

function isWithin(domain: string, zone: string): boolean {
  return domain === zone || domain.endsWith(`.${zone}`);
}
