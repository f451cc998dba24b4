import { X509Certificate } from "node:crypto";
import type { BanReply, CaReply } from "../../mesh/admin-api/ca-replies.ts";
import type { AgentRecords } from "../attest/agent-records.ts";
import type { Banning } from "../banning.ts";
import type { StoredAuthority } from "../ca/authority-store.ts";
import type { Ban, Bans, BanTarget } from "../ca/bans.ts";
import type { MeshAuthority } from "../ca/mesh-authority.ts";
import type { CaRotation, RotationReadiness } from "../ca/rotation.ts";
import type { BanPort, CaPort } from "./ports.ts";

export interface CaParts {
  readonly authority: MeshAuthority;
  readonly rotation: CaRotation;
  readonly readiness: RotationReadiness;
  /** Of the server: a step that has begun ends, whoever asked for it. */
  readonly signal: AbortSignal;
}

/** The authority and its rotation as the REST sees them. */
export function caPort({ authority, rotation, readiness, signal }: CaParts): CaPort {
  return {
    status(): CaReply {
      return {
        source: authority.source,
        bundle: authority.bundle.sequence,
        authorities: authority.authorities.map(toAuthorityReply),
        next: rotation.next() ?? null,
        walks: authority.walks,
        away: readiness.away(),
        bansReachPeers: authority.revocationReachesPeers,
      };
    },
    roots: () => authority.bundle.roots,
    prepare: (walk) => rotation.prepare(walk, signal),
    step: (step, force) => rotation.step(step, force),
  };
}

export function banPort(bans: Bans, banning: Banning, agents: Pick<AgentRecords, "get">): BanPort {
  const named = ({ kind, value }: BanTarget): Pick<BanReply, "kind" | "value" | "host"> => {
    if (kind !== "agent") return { kind, value };
    const host = agents.get(value)?.nodeName;
    return { kind: "host", value, ...(host === undefined ? {} : { host }) };
  };
  const toReply = (ban: Ban): BanReply => ({
    ...named(ban),
    certificates: bans.certificatesUnder(ban),
    reason: ban.reason,
    since: new Date(ban.atMs).toISOString(),
  });
  return {
    list: () => bans.list().map(toReply),
    ban(target, reason) {
      const banned = banning.ban(target, reason);
      return bans
        .list()
        .filter((ban) => banned.some(({ kind, value }) => kind === ban.kind && value === ban.value))
        .map(toReply);
    },
    unban: (target) => banning.unban(target).length,
  };
}

function toAuthorityReply(stored: StoredAuthority): CaReply["authorities"][number] {
  const { subject, validFromDate, validToDate, publicKey } = new X509Certificate(stored.certificate);
  const { namedCurve, modulusLength } = publicKey.asymmetricKeyDetails ?? {};
  return {
    id: stored.id,
    state: stored.state,
    subject: subject.replaceAll("\n", ", "),
    key: namedCurve === undefined ? `RSA ${modulusLength ?? 0}` : (CURVES[namedCurve] ?? namedCurve),
    isRoot: stored.roots.includes(stored.certificate),
    crossSigned: stored.cross !== undefined,
    notBefore: validFromDate.toISOString(),
    notAfter: validToDate.toISOString(),
    since: new Date(stored.stateAt).toISOString(),
  };
}

const CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384" };
