import type { TokensAt } from "./authenticate.ts";
import type { TokenPlace } from "./authentication.ts";

/** The parts of a request that a token can be in. */
export interface TokenCarrier {
  /** With its question mark; empty when there is none. */
  readonly query: string;
  /** Each value of a header by itself. `name` is lower case. */
  headerValues(name: string): readonly string[];
}

/** Finds tokens where Envoy finds them. */
export function tokensIn(request: TokenCarrier): TokensAt {
  return (place: TokenPlace) => {
    switch (place.kind) {
      case "header":
        return inHeader(request.headerValues(place.name), place.prefix);
      case "query":
        return valuesOf(request.query.slice(1).split("&"), place.name).slice(0, 1);
      case "cookie":
        return request
          .headerValues("cookie")
          .flatMap((cookies) => valuesOf(cookies.split(/;\s*/), place.name))
          .slice(0, 1);
      default:
        return place satisfies never;
    }
  };
}

/**
 * Behind a prefix, wherever that stands, the token is as long as its characters are those of one. A header that is there
 * twice has no token but a text that is none: which of the two would the application take?
 */
function inHeader(values: readonly string[], prefix: string): readonly string[] {
  const joined = values.join(",");
  if (prefix === "") return values.length === 0 ? [] : [joined];
  const at = joined.indexOf(prefix);
  if (at < 0) return [];
  const rest = joined.slice(at + prefix.length);
  if (values.length > 1) return [rest];
  return [/[\w.-]+/.exec(rest)?.[0] ?? rest];
}

function valuesOf(pairs: readonly string[], name: string): readonly string[] {
  return pairs.flatMap((pair) => {
    const equals = pair.indexOf("=");
    return equals >= 0 && pair.slice(0, equals) === name
      ? [pair.slice(equals + 1).replace(/^"(.*)"$/, "$1")]
      : [];
  });
}
