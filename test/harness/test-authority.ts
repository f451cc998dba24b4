import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Lifetimes } from "../../controlplane/ca/lifetimes.ts";
import { MeshAuthority } from "../../controlplane/ca/mesh-authority.ts";
import { selfSignedSource } from "../../controlplane/ca/self-signed-source.ts";
import { openDatabase } from "../../controlplane/store/database.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import { type Clock, systemClock } from "../../mesh/lifecycle/clock.ts";

export interface TestAuthorityOptions {
  readonly directory: string;
  readonly trustDomain: TrustDomain;
  readonly clock?: Clock;
  readonly lifetimes?: Partial<Lifetimes>;
  /** In the directory unless given. */
  readonly database?: DatabaseSync;
  readonly passphrase?: string;
}

/** An authority with a self-signed root; a second one on the same directory is the same. */
export async function testAuthority(options: TestAuthorityOptions): Promise<MeshAuthority> {
  const { directory, trustDomain, clock = systemClock } = options;
  return await MeshAuthority.open({
    ...options,
    clock,
    directory: join(directory, "ca"),
    database: options.database ?? openDatabase(join(directory, "ca.db")),
    source: selfSignedSource(trustDomain, clock),
    signal: AbortSignal.timeout(60_000),
  });
}
