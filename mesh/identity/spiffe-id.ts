import { MeshError } from "../errors.ts";
import { isTrustDomain, parseTrustDomain, type TrustDomain } from "./trust-domain.ts";

declare const spiffeIdBrand: unique symbol;

/**
 * A checked SPIFFE ID. Two are the same identity exactly when they are equal as strings: nothing is ever decoded,
 * normalised or case-folded, and neither `URL` nor `path` touches one.
 */
export type SpiffeId = string & { readonly [spiffeIdBrand]: true };

/** Whose identity it is. `other`: a well-formed ID of a shape that Lateen gives to nobody. */
export type SpiffeIdSubject =
  | {
      readonly kind: "workload";
      readonly trustDomain: TrustDomain;
      readonly namespace: string;
      readonly serviceAccount: string;
    }
  | { readonly kind: "agent"; readonly trustDomain: TrustDomain; readonly agentId: string }
  | { readonly kind: "server"; readonly trustDomain: TrustDomain }
  | { readonly kind: "other"; readonly trustDomain: TrustDomain };

const SCHEME = "spiffe://";
/** SPIFFE ID §2.3: implementations need not take more. */
const MAX_LENGTH = 2048;
const SEGMENT = /^[A-Za-z0-9._-]{1,63}$/;

/** True for what may stand between two slashes of an ID: a namespace, a service account, an agent id. */
export function isSpiffeSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== "." && text !== "..";
}

/** What is wrong with a text as a SPIFFE ID with a path; undefined when nothing is. */
export function spiffeIdProblem(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return `it is longer than ${MAX_LENGTH} bytes`;
  if (!text.startsWith(SCHEME)) return `it does not start with ${SCHEME}`;
  const [trustDomain, ...segments] = text.slice(SCHEME.length).split("/");
  if (trustDomain === undefined || !isTrustDomain(trustDomain)) return "its trust domain is not valid";
  if (segments.length === 0) return "it has no path";
  if (!segments.every(isSpiffeSegment)) {
    return "a path segment is not 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', or is '.' or '..'";
  }
  return undefined;
}

export function isSpiffeId(text: string): text is SpiffeId {
  return spiffeIdProblem(text) === undefined;
}

/** Throws `identity.invalid` with the reason. */
export function parseSpiffeId(text: string): SpiffeId {
  if (isSpiffeId(text)) return text;
  throw new MeshError(
    "identity.invalid",
    `parse SPIFFE ID ${JSON.stringify(text.slice(0, 120))}: ${spiffeIdProblem(text) ?? ""}`,
    { hint: "a workload's ID is spiffe://<trust domain>/ns/<namespace>/sa/<service account>" },
  );
}

/** `spiffe://TD/ns/NS/sa/SA`, Istio's form. Throws `identity.invalid` when a part cannot stand in an ID. */
export function workloadSpiffeId(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId {
  return parseSpiffeId(
    `${SCHEME}${parseTrustDomain(trustDomain)}/ns/${segment(namespace)}/sa/${segment(serviceAccount)}`,
  );
}

/** `spiffe://TD/lateen/agent/ID`. Never a workload's: peers accept `/ns/` alone. */
export function agentSpiffeId(trustDomain: string, agentId: string): SpiffeId {
  return parseSpiffeId(`${SCHEME}${parseTrustDomain(trustDomain)}/lateen/agent/${segment(agentId)}`);
}

/** `spiffe://TD/lateen/server`: what an agent expects of the server it talks to. */
export function serverSpiffeId(trustDomain: string): SpiffeId {
  return parseSpiffeId(`${SCHEME}${parseTrustDomain(trustDomain)}/lateen/server`);
}

/** Says whose identity a SPIFFE ID is. */
export function describeSpiffeId(id: SpiffeId): SpiffeIdSubject {
  const [domain, ...path] = id.slice(SCHEME.length).split("/");
  const trustDomain = domain as TrustDomain;
  const [first, second, third, fourth] = path;
  if (path.length === 4 && first === "ns" && third === "sa") {
    return { kind: "workload", trustDomain, namespace: second ?? "", serviceAccount: fourth ?? "" };
  }
  if (path.length === 3 && first === "lateen" && second === "agent") {
    return { kind: "agent", trustDomain, agentId: third ?? "" };
  }
  if (path.length === 2 && first === "lateen" && second === "server") return { kind: "server", trustDomain };
  return { kind: "other", trustDomain };
}

/** Keeps a part with a slash from becoming two segments that happen to be valid. */
function segment(text: string): string {
  if (isSpiffeSegment(text)) return text;
  throw new MeshError("identity.invalid", `build a SPIFFE ID from ${JSON.stringify(text.slice(0, 80))}`, {
    hint: "names in identities are 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-'",
  });
}
