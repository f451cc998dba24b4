import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { MeshError } from "../mesh/errors.ts";
import type { TrustDomain } from "../mesh/identity/trust-domain.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { AgentBundles } from "./agents/agent-bundles.ts";
import type { AgentRecords } from "./attest/agent-records.ts";
import { Bans } from "./ca/bans.ts";
import type { CaSource } from "./ca/ca-source.ts";
import { cacertsSource } from "./ca/cacerts-source.ts";
import type { CertificateAuthority } from "./ca/certificate-authority.ts";
import { IssuedCertificates, noted } from "./ca/issued-certificates.ts";
import { MeshAuthority } from "./ca/mesh-authority.ts";
import { pkcs11Source } from "./ca/pkcs11/pkcs11-source.ts";
import { CaRotation } from "./ca/rotation.ts";
import { selfSignedSource } from "./ca/self-signed-source.ts";
import { vaultSource } from "./ca/vault-source.ts";
import type { ServerConfig } from "./config.ts";

/** The trust domain's authority with all that belongs to it. */
export interface AuthorityParts {
  /** Issues, and notes what it issued. */
  readonly ca: CertificateAuthority;
  readonly authority: MeshAuthority;
  readonly rotation: CaRotation;
  readonly issued: IssuedCertificates;
  readonly bans: Bans;
  readonly bundles: AgentBundles;
}

export interface OpenAuthorityOptions {
  readonly config: ServerConfig;
  readonly trustDomain: TrustDomain;
  readonly database: DatabaseSync;
  readonly agents: AgentRecords;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Throws `config.invalid` or `ca.unavailable` when there is no CA to sign with. */
export async function openAuthority(options: OpenAuthorityOptions): Promise<AuthorityParts> {
  const { config, trustDomain, database, agents, clock, logger, signal } = options;
  const issued = new IssuedCertificates(database, clock);
  const bans = new Bans(database, issued, clock);
  const workloadMs = config.leafTtlSeconds * 1000;
  const agentMs = config.agentTtlSeconds * 1000;
  const { passphraseFile, rotation: pace } = config.ca;
  const authority = await MeshAuthority.open({
    directory: join(config.stateDir, "ca"),
    database,
    trustDomain,
    source: caSource(config, trustDomain, clock),
    clock,
    // A lifetime below the usual bound is what was configured, not what a caller wishes.
    lifetimes: {
      workloadMs,
      agentMs,
      minMs: Math.min(300_000, workloadMs),
      jwtMs: config.jwtTtlSeconds * 1000,
    },
    passphrase: passphraseFile === undefined ? undefined : await readPassphrase(passphraseFile),
    renewWithinMs: pace.renewWithinSeconds * 1000,
    denied: bans.denied(),
    signal,
  });
  const bundles = new AgentBundles({ agents, clock, awayAfterMs: pace.awayAfterSeconds * 1000 });
  const log = logger.child("ca");
  const rotation = new CaRotation({ authority, readiness: bundles, issued, clock, logger: log });
  return { ca: noted(authority, issued), authority, rotation, issued, bans, bundles };
}

function caSource(config: ServerConfig, trustDomain: TrustDomain, clock: Clock): CaSource {
  const { source, cacerts, pkcs11, vault } = config.ca;
  switch (source) {
    case "self-signed":
      return selfSignedSource(trustDomain, clock);
    case "cacerts":
      return cacertsSource(cacerts.dir, cacerts.ownsRoot);
    case "pkcs11":
      return pkcs11Source({
        ...pkcs11,
        rootFile: join(config.stateDir, "pkcs11-root.pem"),
        trustDomain,
        clock,
      });
    case "vault":
      return vaultSource({ ...vault, ownsRoots: vault.ownsRoot, trustDomain });
    default:
      return source satisfies never;
  }
}

/** One line, as `systemd-creds` and editors write it. */
async function readPassphrase(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new MeshError("config.invalid", `read the CA's passphrase ${path}`, {
      cause,
      hint: "ca.passphraseFile must name a file that the server can read",
    });
  });
  const passphrase = text.replace(/\r?\n$/, "");
  if (passphrase !== "") return passphrase;
  throw new MeshError("config.invalid", `read the CA's passphrase ${path}: it is empty`);
}
