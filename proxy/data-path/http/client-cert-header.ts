import type { HttpConnectionManager } from "../../model/listener.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { PeerCertificate } from "../tls/peer.ts";

const HEADER = "x-forwarded-client-cert";

type Rules = Pick<HttpConnectionManager, "forwardClientCert" | "clientCertDetails">;

/**
 * Makes `x-forwarded-client-cert` say who the peer is, as Envoy has it: `By=…;Hash=…;Subject="";URI=…`. What an
 * unauthenticated peer says of itself never passes, except with `always-forward`.
 */
export function setClientCert(
  headers: HeaderList,
  rules: Rules,
  peer: PeerCertificate | undefined,
  ownId: string | undefined,
): void {
  if (rules.forwardClientCert === "always-forward") return;
  if (peer === undefined || rules.forwardClientCert === "sanitize") return headers.delete(HEADER);
  if (rules.forwardClientCert === "forward") return;
  const element = describe(rules, peer, ownId);
  const before = rules.forwardClientCert === "append" ? headers.get(HEADER) : undefined;
  headers.set(HEADER, before ? `${before},${element}` : element);
}

function describe(
  { clientCertDetails: details }: Rules,
  peer: PeerCertificate,
  ownId: string | undefined,
): string {
  const parts = [...(ownId ? [`By=${ownId}`] : []), `Hash=${peer.hash}`];
  if (details.subject) parts.push(`Subject="${peer.subject.replace(/["\\]/g, "\\$&")}"`);
  if (details.uri) parts.push(`URI=${peer.uri}`);
  return parts.join(";");
}
