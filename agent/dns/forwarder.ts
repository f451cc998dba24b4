import { randomInt } from "node:crypto";
import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { exchange, type Transport } from "./exchange.ts";
import { HEADER_BYTES, type Query, questionEnd, RCODE } from "./query.ts";
import type { Upstream, Upstreams } from "./upstreams.ts";

export interface ForwarderOptions {
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  /** In [0, 65536); unguessable. */
  readonly randomId?: () => number;
  /** How long one resolver has. */
  readonly attemptMs?: number;
  /** How long all of them have. */
  readonly allAttemptsMs?: number;
}

/** Resolvers wait 5 s before they ask again: all of an answer's attempts together take less. */
const ATTEMPT_MS = 1_500;
const ALL_ATTEMPTS_MS = 4_500;
/** As Unbound has per thread, about: more are refused until some are answered. */
const MOST_IN_FLIGHT = 1_024;

/** Passes questions on that are not about the mesh. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  /** By what was asked: one that asks the same waits for the same, so that nobody can go round in a circle. */
  readonly #inFlight = new Map<string, Promise<Buffer | undefined>>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /**
   * The answer, with the query's own id; undefined when nobody has one in time, or too much is being asked. Never throws.
   */
  async forward(query: Query, over: Transport, signal: AbortSignal): Promise<Buffer | undefined> {
    const key = over + query.bytes.toString("latin1", 2);
    const running = this.#inFlight.get(key);
    if (running === undefined && this.#inFlight.size >= MOST_IN_FLIGHT) return undefined;
    const asking = running ?? this.#ask(query, over, signal).finally(() => this.#inFlight.delete(key));
    if (running === undefined) this.#inFlight.set(key, asking);
    const answer = await asking;
    if (answer === undefined) return undefined;
    const reply = Buffer.from(answer);
    reply.writeUInt16BE(query.bytes.readUInt16BE(0), 0);
    return reply;
  }

  /** Goes round the resolvers until one answers or time is up: a datagram that was lost is sent again. */
  async #ask(query: Query, over: Transport, stop: AbortSignal): Promise<Buffer | undefined> {
    const { upstreams, clock, attemptMs = ATTEMPT_MS, allAttemptsMs = ALL_ATTEMPTS_MS } = this.#options;
    const endsMs = clock.monotonic() + allAttemptsMs;
    let round = upstreams.for(query.name);
    while (round.length > 0) {
      let silent: Upstream[] = [];
      let unwilling: Buffer | undefined;
      for (const upstream of round) {
        const leftMs = Math.min(attemptMs, endsMs - clock.monotonic());
        if (leftMs <= 0 || stop.aborted) return unwilling;
        const reply = await this.#askInTime(upstream, query, over, leftMs, stop);
        if (reply === "silent") silent = [...silent, upstream];
        else if (reply !== "away" && isWilling(reply)) return reply;
        else if (reply !== "away") unwilling ??= reply;
      }
      // One that has said that it will not is not asked again, nor one that is not there.
      if (unwilling !== undefined) return unwilling;
      // Nor one that has been found to go in a circle meanwhile.
      const usable = new Set(upstreams.for(query.name).map(({ name }) => name));
      round = silent.filter(({ name }) => usable.has(name));
    }
    return undefined;
  }

  /** Leaves nothing behind: a signal that times out by itself stays for its time, however soon the answer comes. */
  async #askInTime(
    upstream: Upstream,
    query: Query,
    over: Transport,
    ms: number,
    stop: AbortSignal,
  ): Promise<Buffer | "silent" | "away"> {
    const attempt = new AbortController();
    const abort = (): void => attempt.abort();
    const timer = setTimeout(abort, ms);
    stop.addEventListener("abort", abort, { once: true });
    try {
      const reply = await this.#askOne(upstream, query, over, attempt.signal, stop);
      if (reply !== undefined) return reply;
      return attempt.signal.aborted ? "silent" : "away";
    } finally {
      clearTimeout(timer);
      stop.removeEventListener("abort", abort);
    }
  }

  async #askOne(
    upstream: Upstream,
    query: Query,
    over: Transport,
    attempt: AbortSignal,
    stop: AbortSignal,
  ): Promise<Buffer | undefined> {
    const { upstreams, randomId = () => randomInt(65_536) } = this.#options;
    const message = Buffer.from(query.bytes);
    const id = randomId();
    message.writeUInt16BE(id, 0);
    try {
      const reply = await exchange(upstream, message, over, (reply) => answers(reply, id, query), attempt);
      upstreams.answered(upstream);
      return reply;
    } catch (error) {
      if (!stop.aborted) upstreams.failed(upstream, messageOf(error));
      return undefined;
    }
  }
}

const RESPONSE_BIT = 0x80;

/** Whether a message answers our question: its id, and the same question in whatever case. */
function answers(reply: Buffer, id: number, { question }: Query): boolean {
  if (reply.length < HEADER_BYTES || reply.readUInt16BE(0) !== id) return false;
  if (((reply[2] ?? 0) & RESPONSE_BIT) === 0) return false;
  const end = questionEnd(reply);
  // A resolver that could not read the question need not repeat it.
  if (end === undefined) return reply.readUInt16BE(4) === 0 && rcodeOf(reply) !== RCODE.noError;
  const repeated = reply.subarray(HEADER_BYTES, end);
  return repeated.equals(question) || lower(repeated) === lower(question);
}

function lower(bytes: Buffer): string {
  return bytes.toString("latin1").toLowerCase();
}

const REFUSED = 5;

/** The next resolver may know better than one that fails or will not answer. */
function isWilling(reply: Buffer): boolean {
  const rcode = rcodeOf(reply);
  return rcode !== RCODE.serverFailure && rcode !== RCODE.notImplemented && rcode !== REFUSED;
}

function rcodeOf(reply: Buffer): number {
  return (reply[3] ?? 0) & 15;
}
