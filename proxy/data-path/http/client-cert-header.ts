import type { HttpConnectionManager } from "../../model/listener.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { PeerCertificate } from "../tls/peer.ts";

const HEADER = "x-forwarded-client-cert";

/** A name that cannot be read as more than one part of the header. */
const PLAIN = /^[!#-+\--:<-~]+$/;

type Rules = Pick<HttpConnectionManager, "forwardClientCert" | "clientCertDetails">;

/**
 * Makes `x-forwarded-client-cert` say who the peer is, as Envoy has it: `By=…;Hash=…;Cert="…";Subject="";URI=…;DNS=…`.
 * What an unauthenticated peer says of itself never passes, except with `always-forward`. `shownUri`: of the
 * certificate that the peer was shown.
 */
export function setClientCert(
  headers: HeaderList,
  rules: Rules,
  peer: PeerCertificate | undefined,
  shownUri: string | undefined,
): void {
  if (rules.forwardClientCert === "always-forward") return;
  if (peer === undefined || rules.forwardClientCert === "sanitize") return headers.delete(HEADER);
  if (rules.forwardClientCert === "forward") return;
  const element = elementOf(rules, peer, shownUri);
  const before = rules.forwardClientCert === "append" ? headers.get(HEADER) : undefined;
  headers.set(HEADER, before ? `${before},${element}` : element);
}

/** A connection has one peer for all of its requests. */
const elements = new WeakMap<PeerCertificate, { readonly rules: Rules; readonly element: string }>();

function elementOf(rules: Rules, peer: PeerCertificate, shownUri: string | undefined): string {
  const known = elements.get(peer);
  if (known?.rules === rules) return known.element;
  const element = describe(rules, peer, shownUri);
  elements.set(peer, { rules, element });
  return element;
}

function describe(
  { clientCertDetails: details }: Rules,
  peer: PeerCertificate,
  shownUri: string | undefined,
): string {
  const parts = [...(shownUri ? [`By=${shownUri}`] : []), `Hash=${peer.hash}`];
  if (details.cert) parts.push(`Cert="${encodeURIComponent(peer.certificate.toString())}"`);
  if (details.subject) {
    const subject = peer.subject.replace(/["\\]/g, "\\$&").replace(/[^ -~]/g, "?");
    parts.push(`Subject="${subject}"`);
  }
  if (details.uri) parts.push(`URI=${peer.uri !== undefined && PLAIN.test(peer.uri) ? peer.uri : ""}`);
  if (details.dns) parts.push(...peer.dns.filter((name) => PLAIN.test(name)).map((name) => `DNS=${name}`));
  return parts.join(";");
}
