import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { MemoryAudit } from "../../../test/fakes/memory-audit.ts";
import type { Credentials } from "../access/authenticator.ts";
import type { AdminOptions } from "../admin.ts";

export const ADMIN_TOKEN = "an-admin-token-of-32-characters-x";

/** The admin token alone opens the API, unless told otherwise. */
export function adminCredentials(credentials: Partial<Credentials> = {}): Credentials {
  return {
    adminToken: ADMIN_TOKEN,
    accessTokens: { verify: () => undefined },
    certificates: [],
    oidc: undefined,
    ...credentials,
  };
}

export function adminOptions(credentials: Partial<Credentials> = {}): AdminOptions {
  return {
    credentials: adminCredentials(credentials),
    audit: new MemoryAudit(),
    clock: systemClock,
    logger: silentLogger,
  };
}
