import { Principal } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import type { MetadataMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import type { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import { ValueMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";
import { workloadSpiffeId } from "../../snapshot/identities.ts";
import { cidrRange } from "../addresses.ts";
import { claimHas, claimIs } from "../authn/jwt-metadata.ts";
import { principals } from "./boolean.ts";
import { escapeRegex, regexMatcher, stringMatcher, valueMatch } from "./value-match.ts";

const SPIFFE = "spiffe://";

/** Policies written for any mesh name its trust domain so; here it means this mesh's own. */
const LOCAL_TRUST_DOMAIN = "cluster.local";

/** This mesh's trust domain, then the names that it also goes by. */
export type TrustDomains = readonly [own: string, ...aliases: string[]];

/**
 * A peer by its SPIFFE ID without the scheme: `cluster.local/ns/default/sa/web`. One of this mesh is meant under all
 * names of its trust domain.
 */
export function principalNamed(value: string, trustDomains: TrustDomains): Principal {
  const match = valueMatch(value.startsWith(SPIFFE) ? value.slice(SPIFFE.length) : value);
  if (match.kind !== "exact" && match.kind !== "prefix") return authenticated(stringMatcher(match));
  const slash = match.value.indexOf("/");
  const rest = match.value.slice(slash);
  const domains = slash < 0 ? undefined : meant(match.value.slice(0, slash), trustDomains);
  if (domains === undefined) {
    return authenticated(stringMatcher({ kind: match.kind, value: `${SPIFFE}${match.value}` }));
  }
  return ofAny(domains, (domain) => stringMatcher({ kind: match.kind, value: `${SPIFFE}${domain}${rest}` }));
}

/** All names of the trust domain that is written, when it is this mesh's. */
function meant(domain: string, trustDomains: TrustDomains): TrustDomains | undefined {
  return domain === LOCAL_TRUST_DOMAIN || trustDomains.includes(domain) ? trustDomains : undefined;
}

/** Any peer of a namespace. The inbound listener has checked that the peer is of this mesh. */
export function principalInNamespace(value: string, trustDomains: TrustDomains): Principal {
  const match = valueMatch(value);
  return ofAny(trustDomains, (domain) => {
    const home = `${SPIFFE}${domain}/ns/`;
    switch (match.kind) {
      case "present":
        return stringMatcher({ kind: "prefix", value: home });
      case "exact":
        return stringMatcher({ kind: "prefix", value: `${home}${match.value}/` });
      case "prefix":
        return stringMatcher({ kind: "prefix", value: `${home}${match.value}` });
      case "suffix":
        return regexMatcher(`${escapeRegex(home)}[^/]*${escapeRegex(match.value)}/sa/.+`);
      default:
        return match satisfies never;
    }
  });
}

/** `namespace/name`, or a bare name of the policy's own namespace. */
export function principalWithAccount(
  value: string,
  policyNamespace: string,
  trustDomains: TrustDomains,
): Principal {
  const [namespace, name] = value.includes("/") ? value.split("/", 2) : [policyNamespace, value];
  return ofAny(trustDomains, (domain) =>
    stringMatcher({ kind: "exact", value: workloadSpiffeId(domain, namespace ?? "", name ?? "") }),
  );
}

export function principalOfTrustDomain(value: string, trustDomains: TrustDomains): Principal {
  const match = valueMatch(value);
  if (match.kind === "exact") {
    return ofAny(meant(match.value, trustDomains) ?? [match.value], (domain) =>
      stringMatcher({ kind: "prefix", value: `${SPIFFE}${domain}/` }),
    );
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

/**
 * The issuer and the subject of a verified token, joined by a slash. Both may have slashes of their own, so every way to
 * divide the value is one that a token can have.
 */
export function requestPrincipal(value: string): Principal {
  const match = valueMatch(value);
  if (match.kind === "present") return issuedTo(ANY_TEXT, ANY_TEXT);
  const given = match.value;
  const splits = [...given.matchAll(/\//g)].map(({ index }) => [
    given.slice(0, index),
    given.slice(index + 1),
  ]);
  const exact = (text: string | undefined): StringMatcher =>
    stringMatcher({ kind: "exact", value: text ?? "" });
  const pairs = splits.map(([issuer, subject]): Principal => {
    switch (match.kind) {
      case "exact":
        return issuedTo(exact(issuer), exact(subject));
      case "prefix":
        return issuedTo(exact(issuer), startOrAny(subject ?? ""));
      case "suffix":
        return issuedTo(endOrAny(issuer ?? ""), exact(subject));
      default:
        return match satisfies never;
    }
  });
  // The part that is written may end within the issuer, or begin within the subject.
  if (match.kind === "prefix") pairs.push(issuedTo(stringMatcher(match), ANY_TEXT));
  if (match.kind === "suffix") pairs.push(issuedTo(ANY_TEXT, stringMatcher(match)));
  return principals.any(pairs);
}

const ANY_TEXT = regexMatcher(".+");

function startOrAny(start: string): StringMatcher {
  return start === "" ? ANY_TEXT : stringMatcher({ kind: "prefix", value: start });
}

function endOrAny(end: string): StringMatcher {
  return end === "" ? ANY_TEXT : stringMatcher({ kind: "suffix", value: end });
}

function issuedTo(issuer: StringMatcher, subject: StringMatcher): Principal {
  const text = (claim: string, stringMatch: StringMatcher): Principal =>
    withMetadata(claimIs([claim], ValueMatcher.fromPartial({ stringMatch })));
  return principals.all([text("iss", issuer), text("sub", subject)]);
}

/** A claim of a verified token that is such a text, or a list with such a text in it. */
export function claim(path: readonly string[], value: string): Principal {
  return withMetadata(claimHas(path, stringMatcher(valueMatch(value))));
}

function withMetadata(metadataMatcher: MetadataMatcher): Principal {
  return Principal.fromPartial({ sourcedMetadata: { metadataMatcher } });
}

function ofAny(domains: readonly string[], matcherOf: (domain: string) => StringMatcher): Principal {
  return principals.any(domains.map((domain) => authenticated(matcherOf(domain))));
}

function authenticated(principalName: StringMatcher): Principal {
  return Principal.fromPartial({ authenticated: { principalName } });
}
