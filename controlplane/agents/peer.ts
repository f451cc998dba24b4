import type { AuthContext } from "@grpc/grpc-js/build/src/auth-context.js";
import { MeshError } from "../../mesh/errors.ts";
import { agentSpiffeId, describeSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { AgentRecord, AgentRecords } from "../attest/agent-records.ts";
import type { Bans } from "../ca/bans.ts";

/** Knows which agent makes a call. */
export interface AgentAuthenticator {
  /**
   * The record of the agent whose certificate the call's connection was made with. Throws `attest.unauthenticated`
   * without such a certificate, and `attest.refused` when the agent is unknown or banned: asked at each call, so that a
   * ban holds from the next one on.
   */
  authenticate(call: { getAuthContext(): AuthContext }): AgentRecord;
}

/**
 * Trusts the TLS layer with the chain (grpc-js tells no certificate that OpenSSL did not verify) and checks what it
 * leaves out: the SVID's shape, whose ID it is, and that it still holds on a connection that may be days old.
 */
export function agentAuthenticator(
  trustDomain: string,
  agents: Pick<AgentRecords, "get" | "seen">,
  bans: Pick<Bans, "has">,
  clock: Clock,
): AgentAuthenticator {
  // A connection's certificate stays the same; whether it still holds, and the agent's record, are asked each time.
  const peers = new WeakMap<object, Peer>();
  return {
    authenticate(call) {
      const known = peers.get(call);
      const peer = known ?? readPeer(call, trustDomain);
      if (known === undefined) peers.set(call, peer);
      if (!(peer.validToMs > clock.now())) throw unauthenticated("the certificate has expired");
      const record = agents.get(peer.agentId);
      const isBanned =
        bans.has({ kind: "serial", value: peer.serial }) ||
        bans.has({ kind: "identity", value: agentSpiffeId(trustDomain, peer.agentId) });
      if (record === undefined || record.banned || isBanned) {
        throw new MeshError("attest.refused", `call as the agent ${peer.agentId}`, {
          hint: "it is unknown here or banned: join again with a new token",
        });
      }
      agents.seen(record.id);
      return record;
    },
  };
}

interface Peer {
  readonly agentId: string;
  readonly serial: string;
  readonly validToMs: number;
}

function readPeer(call: { getAuthContext(): AuthContext }, trustDomain: string): Peer {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) throw unauthenticated("the connection has no valid client certificate");
  const verdict = verifyPeerSvid(certificate.raw, trustDomain);
  if (!verdict.ok) throw unauthenticated(verdict.reason);
  const subject = describeSpiffeId(verdict.spiffeId);
  if (subject.kind !== "agent") throw unauthenticated("the certificate is not an agent's");
  const serial = certificate.serialNumber.toLowerCase();
  return { agentId: subject.agentId, serial, validToMs: Date.parse(certificate.valid_to) };
}

function unauthenticated(why: string): MeshError {
  return new MeshError("attest.unauthenticated", `authenticate the agent: ${why}`, {
    hint: "join first, and connect with the agent's certificate",
  });
}
