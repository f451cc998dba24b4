import type { CorsPolicy } from "../model/route.ts";
import type { RequestFacts } from "./facts.ts";
import type { LiteralEdit } from "./header-edits.ts";
import { compileString } from "./matchers.ts";
import type { Random } from "./weighted.ts";

/** What becomes of a request of a page of another origin; `headers` go with the answer. */
type CorsVerdict =
  /** A preflight is answered at once; one that is not allowed without any header that allows something. */
  | { readonly kind: "preflight"; readonly headers: readonly LiteralEdit[] }
  | { readonly kind: "permitted"; readonly headers: readonly LiteralEdit[] };

/** Undefined: the request goes on, and nothing is added to its answer. */
export type CorsFilter = (request: RequestFacts, random: Random) => CorsVerdict | undefined;

/** As Envoy's CORS filter: it permits, and never keeps a request back; that is the browser's part. */
export function compileCors(policy: CorsPolicy): CorsFilter {
  const origins = policy.origins.map(compileString);
  const anyOrigin = origins.some((test) => test("*"));
  const { allowMethods, allowHeaders, exposeHeaders, maxAge, credentials, fraction } = policy;
  const shared = headerEdits([["access-control-allow-credentials", credentials ? "true" : ""]]);
  const ofPreflights = headerEdits([
    ["access-control-allow-methods", allowMethods],
    ["access-control-allow-headers", allowHeaders],
    ["access-control-max-age", maxAge],
  ]);
  const ofAnswers = headerEdits([["access-control-expose-headers", exposeHeaders]]);
  return (request, random) => {
    const origin = request.header("origin");
    if (!origin || (fraction < 1 && random() >= fraction)) return undefined;
    const preflight = request.method === "OPTIONS" && request.header("access-control-request-method");
    if (!anyOrigin && !origins.some((test) => test(origin))) {
      return preflight && !policy.forwardUnmatchedPreflights ? { kind: "preflight", headers: [] } : undefined;
    }
    const allowed = [...headerEdits([["access-control-allow-origin", origin]]), ...shared];
    return preflight
      ? { kind: "preflight", headers: [...allowed, ...ofPreflights] }
      : { kind: "permitted", headers: [...allowed, ...ofAnswers] };
  };
}

function headerEdits(headers: readonly (readonly [string, string])[]): LiteralEdit[] {
  return headers.flatMap(([name, value]) => (value === "" ? [] : [{ name, value, action: "set" }]));
}
