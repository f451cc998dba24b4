import { messageOf } from "../../mesh/errors.ts";
import { parseKeySet } from "../../mesh/jwt/key-set.ts";
import { parseStrictObject } from "../../mesh/jwt/strict-json.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { ofKind } from "../offline/stored-objects.ts";
import { keySource, OPENID } from "../snapshot/key-sets.ts";
import type { ConfigStore } from "../store/config-store.ts";
import type { DocumentFetcher } from "./fetch-document.ts";
import type { KeySetMemory } from "./kept-key-sets.ts";

export interface KeySetKeeperOptions {
  readonly store: Pick<ConfigStore, "list" | "onChange">;
  readonly fetcher: Pick<DocumentFetcher, "fetch">;
  readonly memory: KeySetMemory;
  /** Told the keys of a source whenever they are other ones; undefined: nobody asks for them any more. */
  readonly publish: (source: string, keys: string | undefined) => void;
  readonly refreshMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

const TIMEOUT_MS = 5_000;
const RETRY = { firstMs: 2_000, maxMs: 300_000 } as const;
/** RequestAuthentications of a mesh name few issuers; who names more is not served beyond. */
const MOST_SOURCES = 1_000;

interface Watch {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  timeoutMs: number;
}

/**
 * Keeps the keys of all issuers that RequestAuthentications name: fetched when they are first asked for, again and again
 * after that, and soon again after a failure. The last good keys of an issuer stay when it cannot be reached, over
 * restarts of the server too: until the issuer answers, its keys are those that it had.
 */
export class KeySetKeeper {
  readonly #options: KeySetKeeperOptions;
  readonly #watches = new Map<string, Watch>();

  constructor(options: KeySetKeeperOptions) {
    this.#options = options;
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    store.onChange(() => this.#reconcile(signal), signal);
    this.#reconcile(signal);
    if (!signal.aborted) {
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    await Promise.all([...this.#watches.values()].map(({ done }) => done));
  }

  #reconcile(signal: AbortSignal): void {
    if (signal.aborted) return;
    const wanted = sourcesOf(ofKind(this.#options.store.list(), "RequestAuthentication"));
    for (const [source, watch] of this.#watches) {
      if (wanted.has(source)) continue;
      watch.stop.abort();
      this.#watches.delete(source);
      this.#options.publish(source, undefined);
    }
    this.#remember("forget", () => this.#options.memory.keepOnly(new Set(wanted.keys())));
    for (const [source, timeoutMs] of wanted) {
      const known = this.#watches.get(source);
      if (known !== undefined) known.timeoutMs = timeoutMs;
      else if (this.#watches.size < MOST_SOURCES)
        this.#watches.set(source, this.#start(source, timeoutMs, signal));
      else
        this.#options.logger.error("the keys of an issuer are not fetched: there are too many", { source });
    }
  }

  #start(source: string, timeoutMs: number, signal: AbortSignal): Watch {
    const stop = new AbortController();
    const watch: Watch = { stop, timeoutMs, done: Promise.resolve() };
    return Object.assign(watch, { done: this.#watch(source, watch, AbortSignal.any([signal, stop.signal])) });
  }

  async #watch(source: string, watch: Watch, signal: AbortSignal): Promise<void> {
    const { clock, logger, publish, random, refreshMs } = this.#options;
    let last = this.#remember("find", () => this.#options.memory.get(source));
    if (last !== undefined) publish(source, last);
    let failures = 0;
    while (!signal.aborted) {
      try {
        const keys = await this.#fetchKeys(source, watch.timeoutMs, signal);
        if (failures > 0) logger.info("the keys of an issuer are there again", { source });
        failures = 0;
        if (keys !== last && !signal.aborted) {
          this.#remember("keep", () => this.#options.memory.put(source, keys));
          publish(source, keys);
        }
        last = keys;
      } catch (error) {
        if (signal.aborted) return;
        const fields = { source, reason: messageOf(error), kept: last !== undefined };
        if (failures === 0) logger.warn("the keys of an issuer cannot be had", fields);
        failures++;
      }
      // A tenth of chance keeps servers and issuers from meeting all at once.
      const wait =
        failures > 0 ? backoffMs(RETRY, failures - 1, random()) : refreshMs * (0.9 + 0.1 * random());
      await clock.sleep(Math.min(wait, refreshMs), signal);
    }
  }

  /** What is not remembered is fetched again after a restart, so it may fail. */
  #remember<T>(what: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      const reason = messageOf(error);
      this.#options.logger.error("keys of issuers are not remembered for a restart", { what, reason });
      return undefined;
    }
  }

  /** The public keys, always spelled the same. */
  async #fetchKeys(source: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
    const { fetcher } = this.#options;
    const uri = source.startsWith(OPENID)
      ? await this.#discover(source.slice(OPENID.length), timeoutMs, signal)
      : source;
    const parsed = parseKeySet(await fetcher.fetch(uri, timeoutMs, signal));
    if (parsed.kind === "problem") throw new Error(parsed.reason);
    return parsed.text;
  }

  /** OpenID Connect Discovery 1.0 §4: the document must be the issuer's own. */
  async #discover(issuer: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
    const place = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const document = parseStrictObject(await this.#options.fetcher.fetch(place, timeoutMs, signal));
    const { issuer: named, jwks_uri: uri } = document ?? {};
    if (named !== issuer) throw new Error("the OpenID configuration is not the issuer's");
    if (typeof uri !== "string") throw new Error("the OpenID configuration has no jwks_uri");
    return uri;
  }
}

/** What keys are fetched from, with the longest time that a rule gives it. */
function sourcesOf(objects: readonly StoredObject<"RequestAuthentication">[]): ReadonlyMap<string, number> {
  const sources = new Map<string, number>();
  for (const rule of objects.flatMap(({ spec }) => spec.jwtRules)) {
    const source = keySource(rule);
    if (source === undefined) continue;
    sources.set(source, Math.max(sources.get(source) ?? 0, rule.timeoutMs ?? TIMEOUT_MS));
  }
  return sources;
}
