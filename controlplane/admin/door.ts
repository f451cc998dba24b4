import type { IncomingMessage } from "node:http";
import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { KeyedRateLimit, type RateLimitPolicy } from "../attest/rate-limit.ts";
import { authenticate, type Credentials, SOCKET_CALLER } from "./access/authenticator.ts";
import type { Caller } from "./access/caller.ts";
import { assertOwnOrigin } from "./access/origin.ts";

/** What stands between a listener and the API: says who calls, or throws. */
export interface Door {
  admit(request: IncomingMessage): Promise<Caller>;
}

/** Of one address: guesses at a credential. */
const FAILURES: RateLimitPolicy = { perSecond: 0.5, burst: 20 };
/** Of one caller. `instance add` in a loop stays below it. */
const CALLS: RateLimitPolicy = { perSecond: 100, burst: 500 };

export const SOCKET_DOOR: Door = { admit: async () => SOCKET_CALLER };

/** `hosts` are the names by which the server may be called. */
export function networkDoor(
  credentials: Credentials,
  hosts: readonly string[],
  clock: Pick<Clock, "monotonic">,
): Door {
  const failures = new KeyedRateLimit(FAILURES);
  const calls = new KeyedRateLimit(CALLS);
  return {
    async admit(request) {
      assertOwnOrigin(request.headers, hosts);
      const address = request.socket.remoteAddress ?? "";
      if (!failures.has(address, clock.monotonic()))
        throw throttled("too many calls without a good credential");
      const caller = await authenticate(request, credentials).catch((error: unknown) => {
        if (MeshError.from(error).code === "admin.unauthorized") failures.take(address, clock.monotonic());
        throw error;
      });
      if (calls.take(`${caller.credential} ${caller.name}`, clock.monotonic())) return caller;
      throw throttled(`too many calls of ${caller.name}`);
    },
  };
}

function throttled(why: string): MeshError {
  return new MeshError("admin.throttled", why, { hint: "wait a few seconds and try again" });
}
