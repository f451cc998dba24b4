import { agentService } from "../../mesh/agent-api/services.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { ServerChannel } from "./channel.ts";
import { callUnary, isRefusal, serverSaid } from "./unary-call.ts";
import { verifyJwtSvid } from "./verify-jwt-svid.ts";

export interface JwtSvidsOptions {
  readonly channel: Pick<ServerChannel, "client">;
  readonly bundle: () => TrustBundle;
  readonly clock: Clock;
}

interface Held {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly gotAt: number;
  readonly endsAt: number;
}

/** Pairs of identity and audiences that are kept. */
const MOST_HELD = 1000;
const ANSWER_LIMIT_MS = 5_000;
/** A token that ends sooner is no use to who asks for it. */
const LEAST_LEFT_MS = 5_000;

/**
 * JWT-SVIDs of this host's workloads: asked of the server, kept in memory, and given out again until half of their life is
 * over; with the server away until its end. Who may have which is decided before.
 */
export class JwtSvids {
  readonly #options: JwtSvidsOptions;
  readonly #held = new Map<string, Held>();
  readonly #asked = new Map<string, Promise<Held>>();

  constructor(options: JwtSvidsOptions) {
    this.#options = options;
  }

  /**
   * Throws `ca.unavailable` when no server answers and none is held, `ca.refused` when the server says no: then what is
   * held is given to nobody any more.
   */
  async token(spiffeId: SpiffeId, audiences: readonly string[]): Promise<string> {
    const wanted = [...new Set(audiences)].sort();
    const key = JSON.stringify([spiffeId, wanted]);
    const now = this.#options.clock.now();
    const held = this.#held.get(key);
    if (held !== undefined && now < (held.gotAt + held.endsAt) / 2) return held.token;
    try {
      return (await this.#ask(key, spiffeId, wanted)).token;
    } catch (error) {
      const problem = MeshError.from(error);
      if (problem.code === "ca.refused") this.#held.delete(key);
      else if (held !== undefined && held.endsAt - now > LEAST_LEFT_MS) return held.token;
      throw problem;
    }
  }

  /** Who ask for the same at once are answered by one call. */
  #ask(key: string, spiffeId: SpiffeId, audiences: readonly string[]): Promise<Held> {
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const asking = this.#issued(spiffeId, audiences)
      .then((held) => {
        this.#keep(key, held);
        return held;
      })
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  async #issued(spiffeId: SpiffeId, audiences: readonly string[]): Promise<Held> {
    const { channel, bundle, clock } = this.#options;
    const request = { spiffeId, audiences: [...audiences] };
    let token: string;
    try {
      const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
      ({ token } = await callUnary(
        channel.client,
        agentService.issueJwtSvid,
        request,
        limit,
        ANSWER_LIMIT_MS,
      ));
    } catch (cause) {
      const what = `get a token for ${spiffeId}: ${serverSaid(cause)}`;
      throw new MeshError(isRefusal(cause) ? "ca.refused" : "ca.unavailable", what, { cause });
    }
    const gotAt = clock.now();
    for (const audience of audiences) {
      const verdict = verifyJwtSvid(token, audience, bundle(), gotAt);
      const reason = verdict.ok && verdict.spiffeId !== spiffeId ? `it is of ${verdict.spiffeId}` : undefined;
      if (verdict.ok && reason === undefined) continue;
      const why = verdict.ok ? reason : verdict.reason;
      throw new MeshError("ca.unavailable", `take a token for ${spiffeId} from the server: ${why}`);
    }
    const verdict = verifyJwtSvid(token, audiences[0] ?? "", bundle(), gotAt);
    return { token, gotAt, endsAt: (verdict.ok ? verdict.expires : 0) * 1000 };
  }

  /** What has ended goes first, then what is held longest. */
  #keep(key: string, held: Held): void {
    this.#held.delete(key);
    if (this.#held.size >= MOST_HELD) {
      for (const [other, { endsAt }] of this.#held) if (endsAt <= held.gotAt) this.#held.delete(other);
    }
    const [oldest] = this.#held.keys();
    if (this.#held.size >= MOST_HELD && oldest !== undefined) this.#held.delete(oldest);
    this.#held.set(key, held);
  }
}
