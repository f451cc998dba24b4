import { join } from "node:path";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { OidcVerifier } from "./admin/access/oidc.ts";
import { createAdmin } from "./admin/admin.ts";
import { loadOrCreateAdminToken } from "./admin/admin-token.ts";
import { listenerTls } from "./admin/listener-tls.ts";
import type { AdminDeps } from "./admin/ports.ts";
import type { ServerIdentity } from "./ca/server-identity.ts";
import type { ServerConfig } from "./config.ts";
import type { ServerState } from "./server-state.ts";

export interface ServeAdminOptions {
  readonly config: ServerConfig;
  readonly state: Pick<ServerState, "accessTokens" | "audit">;
  readonly deps: AdminDeps;
  readonly identity: ServerIdentity;
  /** Names of this server, for its own certificate. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The admin API on its unix socket and its network address; `run` keeps its certificates in step. */
export interface ServingAdmin extends AsyncDisposable {
  readonly socketPath: string;
  run(signal: AbortSignal): Promise<void>;
}

export async function serveAdmin(options: ServeAdminOptions): Promise<ServingAdmin> {
  const { config, state, deps, identity, names, clock } = options;
  const logger = options.logger.child("admin");
  const { address, port, hosts, tls: files, certificates, oidc } = config.admin;
  const credentials = {
    adminToken: loadOrCreateAdminToken(join(config.stateDir, "admin.token")),
    accessTokens: state.accessTokens,
    certificates,
    oidc: oidc && new OidcVerifier(oidc),
  };
  const isPlain = /^(127\.|::1$)/.test(address) && Object.keys(files).length === 0;
  const listener = isPlain ? undefined : listenerTls(files, { identity, clock, logger });
  const admin = createAdmin(deps, { credentials, audit: state.audit, clock, logger });
  const socketPath = join(config.runDir, "admin.sock");
  try {
    await admin.listenUnix(socketPath);
    await admin.listenTcp({ host: address, port, names: [...hosts, ...names], tls: listener?.tls });
  } catch (error) {
    await admin[Symbol.asyncDispose]();
    throw error;
  }
  return {
    socketPath,
    run: async (signal) => await listener?.run(signal),
    [Symbol.asyncDispose]: () => admin[Symbol.asyncDispose](),
  };
}
