import type { HttpMatch, HttpRoute } from "../../mesh/model/virtual-service.ts";

const NO_EDITS = { set: {}, add: {}, remove: [] };
const NO_HEADERS = { request: NO_EDITS, response: NO_EDITS };

/** A route's destination as an author writes it. */
export function to(host: string, subset?: string): { destination: { host: string; subset?: string } } {
  return { destination: subset === undefined ? { host } : { host, subset } };
}

/** The spec of a VirtualService for `reviews` whose only route has these fields; by default it goes to `reviews`. */
export function routed(route: object): object {
  return { hosts: ["reviews"], http: [{ route: [to("reviews")], ...route }] };
}

/** The same with an action other than a route. */
export function answered(route: object): object {
  return { hosts: ["reviews"], http: [route] };
}

/** What `routed({})` is parsed into, with these fields. */
export function parsedRoute(fields: Partial<HttpRoute> = {}): HttpRoute {
  return {
    name: "",
    match: [],
    route: [
      { destination: { host: "reviews", subset: "", port: undefined }, weight: 100, headers: NO_HEADERS },
    ],
    redirect: undefined,
    directResponse: undefined,
    delegate: undefined,
    rewrite: undefined,
    timeoutMs: undefined,
    retries: undefined,
    fault: undefined,
    mirror: undefined,
    mirrorPercent: undefined,
    mirrors: [],
    cors: undefined,
    headers: NO_HEADERS,
    ...fields,
  };
}

/** What a match that says nothing is parsed into, with these fields. */
export function parsedMatch(fields: Partial<HttpMatch> = {}): HttpMatch {
  return {
    name: "",
    uri: undefined,
    ignoreUriCase: false,
    scheme: undefined,
    method: undefined,
    authority: undefined,
    headers: {},
    withoutHeaders: {},
    queryParams: {},
    port: undefined,
    sourceLabels: {},
    sourceNamespace: "",
    gateways: [],
    statPrefix: "",
    ...fields,
  };
}
