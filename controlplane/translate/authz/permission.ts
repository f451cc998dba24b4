import { Permission } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { HeaderMatcher } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { MetadataMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import { ValueMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";
import { cidrRange } from "../addresses.ts";
import { permissions } from "./boolean.ts";
import { escapeRegex, regexMatcher, stringMatcher, valueMatch } from "./value-match.ts";

/** The inbound port that a policy is translated for: what policies name, and what the proxy really listens on. */
export interface PolicyPort {
  readonly app: number;
  readonly inbound: number;
}

export function host(value: string): Permission {
  return header(":authority", value, true);
}

export function method(value: string): Permission {
  return header(":method", value, false);
}

/** Exact, prefix, suffix, or a template: `{*}` is one segment, `{**}` any number of them. Without the query. */
export function path(value: string): Permission {
  const matcher = /\{\*\*?\}/.test(value)
    ? regexMatcher(templateRegex(value))
    : stringMatcher(valueMatch(value));
  return Permission.fromPartial({ urlPath: { path: matcher } });
}

/**
 * Policies name the port that the application listens on, as in Istio; the proxy may take its traffic at another one.
 * A chain serves one port only, so any other is never met. Undefined: one that takes captured connections of all ports,
 * which keep the number that was called.
 */
export function port(value: string, own: PolicyPort | undefined): Permission {
  if (own === undefined) return Permission.fromPartial({ destinationPort: Number(value) });
  return Number(value) === own.app
    ? Permission.fromPartial({ destinationPort: own.inbound })
    : permissions.never;
}

export function destinationAddress(block: string): Permission {
  return Permission.fromPartial({ destinationIp: cidrRange(block) });
}

export function serverName(value: string): Permission {
  return Permission.fromPartial({ requestedServerName: stringMatcher(valueMatch(value)) });
}

/** What another filter left behind: a text, or with a value in brackets a list that has it (Istio's spelling). */
export function filterMetadata(filter: string, field: string, value: string): Permission {
  const inList = value.startsWith("[") && value.endsWith("]");
  const one = ValueMatcher.fromPartial({
    stringMatch: stringMatcher(valueMatch(inList ? value.slice(1, -1) : value)),
  });
  const metadataMatcher = MetadataMatcher.fromPartial({
    filter,
    path: [{ key: field }],
    value: inList ? { listMatch: { oneOf: one } } : one,
  });
  return Permission.fromPartial({ sourcedMetadata: { metadataMatcher } });
}

export function header(name: string, value: string, ignoreCase: boolean): Permission {
  return Permission.fromPartial({ header: headerMatcher(name, value, ignoreCase) });
}

function headerMatcher(name: string, value: string, ignoreCase: boolean): HeaderMatcher {
  const match = valueMatch(value);
  return HeaderMatcher.fromPartial(
    match.kind === "present"
      ? { name, presentMatch: true }
      : { name, stringMatch: stringMatcher(match, ignoreCase) },
  );
}

function templateRegex(template: string): string {
  return template
    .split(/(\{\*\*?\})/)
    .map((part) => (part === "{*}" ? "[^/]+" : part === "{**}" ? ".*" : escapeRegex(part)))
    .join("");
}
