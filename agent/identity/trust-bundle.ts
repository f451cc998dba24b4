import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { Metadata } from "@grpc/grpc-js";
import * as z from "zod";
import { agentService } from "../../mesh/agent-api/services.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { pemToDer, splitPemChain } from "../../mesh/identity/pem.ts";
import { readRevokedCertificates } from "../../mesh/identity/revoked-certificates.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { parseTrustDomain, type TrustDomain } from "../../mesh/identity/trust-domain.ts";
import { parseKeySet } from "../../mesh/jwt/key-set.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { TrustBundleResponse } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { Changes } from "../state/changes.ts";
import { quarantine, readPrivate, writePrivate } from "../state/private-files.ts";
import type { ServerChannel } from "./channel.ts";
import { type Estrangement, estrangementIn, isRefusal, serverSaid } from "./unary-call.ts";

export const NO_JWT_KEYS = '{"keys":[]}';

const schema = z.object({
  trustDomain: z.string(),
  roots: z.array(z.string()),
  crls: z.array(z.string()).default([]),
  retiring: z.array(z.string()).default([]),
  renewWithinMs: z.number().int().min(0).default(0),
  jwtKeys: z.string().default(NO_JWT_KEYS),
  sequence: z.number().int(),
});

const RETRY = { firstMs: 500, maxMs: 30_000 } as const;
const MOST_ROOTS = 64;
/** Of a revocation list: some ten thousand entries. */
const LONGEST_LIST = 1 << 20;

function bundlePath(stateDir: string): string {
  return join(stateDir, "identity", "bundle.json");
}

export async function writeTrustBundle(stateDir: string, bundle: TrustBundle): Promise<void> {
  await writePrivate(bundlePath(stateDir), JSON.stringify(bundle));
}

/** The bundle as it was last. Throws `agent.state`, and puts a damaged file aside. */
export async function readTrustBundle(
  stateDir: string,
  trustDomain: TrustDomain,
  now: number,
): Promise<TrustBundle> {
  const path = bundlePath(stateDir);
  const text = await readPrivate(path);
  const hint = "join again with a new token from `lateen token create`";
  if (text === undefined) throw new MeshError("agent.state", `read ${path}: it is not there`, { hint });
  try {
    return checkBundle(schema.parse(JSON.parse(text)), trustDomain);
  } catch (cause) {
    const aside = await quarantine(path, now);
    throw new MeshError("agent.state", `read ${path}: ${messageOf(cause)}`, {
      cause,
      hint: `it was moved to ${aside}; ${hint}`,
    });
  }
}

export interface BundleChange {
  /** Whether other certificates are trusted than before. */
  readonly roots: boolean;
}

export interface BundleWatchOptions {
  readonly initial: TrustBundle;
  readonly channel: ServerChannel;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

/** The mesh's roots, and who is banned, as the server last told them. */
export class TrustBundleWatch {
  /** Notified with each other bundle. */
  readonly changes: Changes<BundleChange> = new Changes();
  /** Notified with each one that the server told, which after a restart may be the same: it wants to know what is in use. */
  readonly told: Changes = new Changes();
  /** Notified when the server does not take this agent, or the agent not the server, for what it was. */
  readonly estranged: Changes<Estrangement> = new Changes();
  readonly #options: BundleWatchOptions;
  #bundle: TrustBundle;

  constructor(options: BundleWatchOptions) {
    this.#options = options;
    this.#bundle = options.initial;
  }

  get current(): TrustBundle {
    return this.#bundle;
  }

  /** Follows the server's bundle until the signal is aborted; an outage changes nothing. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, random } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        for await (const response of this.#responses(signal)) {
          attempt = 0;
          await this.#take(response);
        }
      } catch (error) {
        const fields = { error: isRefusal(error) ? serverSaid(error) : messageOf(error) };
        if (!signal.aborted) logger.debug("the trust bundle's stream ended", fields);
        const estrangement = signal.aborted ? undefined : estrangementIn(error);
        if (estrangement !== undefined) this.estranged.notify(estrangement);
      }
      await clock.sleep(backoffMs(RETRY, attempt, random()), signal);
    }
  }

  async *#responses(signal: AbortSignal): AsyncGenerator<TrustBundleResponse> {
    const { path, requestSerialize, responseDeserialize } = agentService.watchTrustBundle;
    const { client } = this.#options.channel;
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      {},
      new Metadata(),
      {},
    );
    const cancel = (): void => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const response of call) yield response as TrustBundleResponse;
    } finally {
      signal.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  async #take({ retiringAuthorities: retiring, ...response }: TrustBundleResponse): Promise<void> {
    const { logger, stateDir } = this.#options;
    let bundle: TrustBundle;
    try {
      bundle = checkBundle({ ...response, retiring }, this.#bundle.trustDomain);
    } catch (error) {
      logger.error("the server sent a trust bundle that cannot be used; the old one stays", {
        error: messageOf(error),
      });
      return;
    }
    const before = this.#bundle;
    const roots = !sameTexts(bundle.roots, before.roots);
    this.#bundle = bundle;
    if (roots) {
      const { sequence } = bundle;
      logger.info("the roots of the mesh changed", { roots: bundle.roots.length, sequence });
    }
    const other =
      roots ||
      bundle.jwtKeys !== before.jwtKeys ||
      !sameTexts(bundle.crls, before.crls) ||
      !sameTexts(bundle.retiring, before.retiring);
    if (other) this.changes.notify({ roots });
    this.told.notify();
    if (!other && bundle.sequence === before.sequence) return;
    await writeTrustBundle(stateDir, bundle).catch((error: unknown) => {
      logger.error("could not keep the trust bundle on disk", { error: messageOf(error) });
    });
  }
}

/** An empty or foreign bundle would cut the mesh in two: such a one is never taken. */
function checkBundle(
  { trustDomain, roots, ...bundle }: z.output<typeof schema>,
  wanted: TrustDomain,
): TrustBundle {
  if (parseTrustDomain(trustDomain) !== wanted) {
    throw new MeshError("identity.invalid", `take a trust bundle: it is of ${trustDomain}, not ${wanted}`);
  }
  const certificates = roots.flatMap((root) => splitPemChain(root));
  if (certificates.length === 0 || certificates.length > MOST_ROOTS) {
    throw new MeshError("identity.invalid", `take a trust bundle with ${certificates.length} roots`);
  }
  for (const pem of certificates) {
    if (!new X509Certificate(pem).ca) {
      throw new MeshError("identity.invalid", "take a trust bundle: one of its certificates is no CA");
    }
  }
  // A list that data planes cannot read would leave them with the one before, and the banned with their access.
  for (const pem of bundle.crls) readRevokedCertificates(pemToDer(pem, "X509 CRL"), LONGEST_LIST);
  const jwtKeys = parseKeySet(bundle.jwtKeys);
  return {
    ...bundle,
    trustDomain: wanted,
    roots: certificates,
    // A server from before has none.
    jwtKeys: jwtKeys.kind === "keys" ? jwtKeys.text : NO_JWT_KEYS,
  };
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
