import { randomBytes, randomInt } from "node:crypto";
import { encode } from "dns-packet";
import { exchange } from "./exchange.ts";
import { HEADER_BYTES } from "./query.ts";
import type { Upstreams } from "./upstreams.ts";

/** Not .invalid, which systemd-resolved and Unbound answer themselves (RFC 6761 §6.4); .internal nobody else may have. */
const PROBE_DOMAIN = ".lateen.internal";
/** A question that goes in a circle is back at once. */
const BACK_WITHIN_MS = 1_000;

/** Finds resolvers that ask us what we ask them, by a name that nobody else can know. */
export class LoopProbe {
  readonly #waiting = new Map<string, () => void>();

  /** Whether a name is one of a probe; then it is noted where it came back from. */
  takes(name: string): boolean {
    if (!name.endsWith(PROBE_DOMAIN)) return false;
    this.#waiting.get(name)?.();
    return true;
  }

  /** Asks each resolver. Never throws. */
  async probe(upstreams: Upstreams, signal: AbortSignal): Promise<void> {
    await Promise.all(
      upstreams.all.map(async (upstream) => {
        const name = `${randomBytes(12).toString("hex")}${PROBE_DOMAIN}`;
        const id = randomInt(65_536);
        const back = new AbortController();
        this.#waiting.set(name, () => back.abort());
        const question = encode({
          type: "query",
          id,
          flags: 0x01_00,
          questions: [{ name, type: "TXT", class: "IN" }],
        });
        const ours = (reply: Buffer): boolean => reply.length >= HEADER_BYTES && reply.readUInt16BE(0) === id;
        const patience = AbortSignal.any([signal, back.signal, AbortSignal.timeout(BACK_WITHIN_MS)]);
        // Whether it answers is for others to judge: it is asked for what there is not.
        await exchange(upstream, question, "udp", ours, patience).catch(() => undefined);
        this.#waiting.delete(name);
        if (!signal.aborted) upstreams.looping(upstream.name, back.signal.aborted);
      }),
    );
  }
}
