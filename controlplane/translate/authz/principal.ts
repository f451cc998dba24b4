import { Principal } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import type { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import { workloadSpiffeId } from "../../snapshot/identities.ts";
import { cidrRange } from "../addresses.ts";
import { escapeRegex, regexMatcher, stringMatcher, valueMatch } from "./value-match.ts";

const SPIFFE = "spiffe://";

/** Policies written for any mesh name its trust domain so; here it means this mesh's own. */
const LOCAL_TRUST_DOMAIN = "cluster.local/";

/** A peer by its SPIFFE ID without the scheme: `cluster.local/ns/default/sa/web`. */
export function principalNamed(value: string, trustDomain: string): Principal {
  const match = valueMatch(value.startsWith(SPIFFE) ? value.slice(SPIFFE.length) : value);
  if (match.kind !== "exact" && match.kind !== "prefix") return authenticated(stringMatcher(match));
  const local = match.value.startsWith(LOCAL_TRUST_DOMAIN)
    ? `${trustDomain}/${match.value.slice(LOCAL_TRUST_DOMAIN.length)}`
    : match.value;
  return authenticated(stringMatcher({ kind: match.kind, value: `${SPIFFE}${local}` }));
}

/** Any peer of a namespace. The inbound listener has checked that the peer is of this trust domain. */
export function principalInNamespace(value: string, trustDomain: string): Principal {
  const home = `${SPIFFE}${trustDomain}/ns/`;
  const match = valueMatch(value);
  switch (match.kind) {
    case "present":
      return authenticated(stringMatcher({ kind: "prefix", value: home }));
    case "exact":
      return authenticated(stringMatcher({ kind: "prefix", value: `${home}${match.value}/` }));
    case "prefix":
      return authenticated(stringMatcher({ kind: "prefix", value: `${home}${match.value}` }));
    case "suffix":
      return authenticated(regexMatcher(`${escapeRegex(home)}[^/]*${escapeRegex(match.value)}/sa/.+`));
    default:
      return match satisfies never;
  }
}

/** `namespace/name`, or a bare name of the policy's own namespace. */
export function principalWithAccount(value: string, policyNamespace: string, trustDomain: string): Principal {
  const [namespace, name] = value.includes("/") ? value.split("/", 2) : [policyNamespace, value];
  const id = workloadSpiffeId(trustDomain, namespace ?? "", name ?? "");
  return authenticated(stringMatcher({ kind: "exact", value: id }));
}

export function principalOfTrustDomain(value: string, trustDomain: string): Principal {
  const match = valueMatch(value === "cluster.local" ? trustDomain : value);
  if (match.kind === "exact") {
    return authenticated(stringMatcher({ kind: "prefix", value: `${SPIFFE}${match.value}/` }));
  }
  if (match.kind === "present") return authenticated(stringMatcher(match));
  const [before, after] = match.kind === "prefix" ? [match.value, ""] : ["", match.value];
  return authenticated(regexMatcher(`${escapeRegex(SPIFFE + before)}[^/]*${escapeRegex(after)}/.+`));
}

/** The peer of the connection. */
export function directAddress(block: string): Principal {
  return Principal.fromPartial({ directRemoteIp: cidrRange(block) });
}

/** The first client, as far as X-Forwarded-For is trusted. */
export function originalAddress(block: string): Principal {
  return Principal.fromPartial({ remoteIp: cidrRange(block) });
}

function authenticated(principalName: StringMatcher): Principal {
  return Principal.fromPartial({ authenticated: { principalName } });
}
