/** What calls that are counted together have in common, as the proxy of the called workload sees them. */
export interface CallKind {
  /** SPIFFE ID in the client's certificate; empty: it showed none. */
  readonly source: string;
  /** Where the connection was going. */
  readonly port: number;
  readonly protocol: "http" | "tcp";
  /** Empty: not told. */
  readonly method: string;
  /** Host or :authority, with its port if the caller sent one; empty: not told. */
  readonly host: string;
  /** Without the query, which may have secrets in it. */
  readonly path: string;
  /** Of the caller's token, which was verified; empty: there was none. */
  readonly issuer: string;
  /** `start`: the paths begin with `path`. `rest`: method, host, path and issuer are not told. */
  readonly precision: "exact" | "start" | "rest";
  /** A policy refused them. */
  readonly denied: boolean;
}

/** Calls of one kind. Times are milliseconds since the epoch. */
export interface CountedCalls extends CallKind {
  readonly count: number;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

/** Longest texts that are kept; what is longer makes the kind a coarser one. */
export const LONGEST = { source: 512, method: 32, host: 261, path: 256, issuer: 256 } as const;

/** In the place of the issuer of a token that was refused. */
export const REFUSED_TOKEN = "(refused)";

type HttpCall = Pick<CallKind, "source" | "port" | "method" | "host" | "issuer"> & {
  /** As it was sent. */
  readonly target: string;
  /** Envoy's response code details. */
  readonly details: string;
};

/** Envoy's details of what its filters refuse, and of what ours do. */
const REFUSED = /^(rbac_access_denied|ext_authz_denied|ext_authz_error)/;
const TOKEN_REFUSED = /^jwt_authn_access_denied/;

/** The kind of a request. */
export function httpCallKind({ target, details, ...call }: HttpCall): CallKind {
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  const isTokenBad = TOKEN_REFUSED.test(details);
  const denied = isTokenBad || REFUSED.test(details);
  const { source, port, method, host } = call;
  const issuer = isTokenBad ? REFUSED_TOKEN : call.issuer;
  const kind: CallKind = {
    source,
    port,
    protocol: "http",
    method,
    host,
    path,
    issuer,
    precision: "exact",
    denied,
  };
  const tooLong =
    method.length > LONGEST.method || host.length > LONGEST.host || issuer.length > LONGEST.issuer;
  if (source.length > LONGEST.source) return { ...restOf(kind), source: source.slice(0, LONGEST.source) };
  if (tooLong) return restOf(kind);
  return path.length > LONGEST.path
    ? { ...kind, path: path.slice(0, LONGEST.path), precision: "start" }
    : kind;
}

/** The kind of a connection on which nobody reads requests. */
export function tcpCallKind({ source, port }: Pick<CallKind, "source" | "port">, details: string): CallKind {
  const denied = REFUSED.test(details);
  const none = { method: "", host: "", path: "", issuer: "" };
  return { source, port, denied, protocol: "tcp", ...none, precision: "exact" };
}

/** The next coarser kind, which has this one in it; undefined: there is none. */
export function coarser(kind: CallKind): CallKind | undefined {
  switch (kind.precision) {
    case "exact": {
      const path = kind.path.slice(0, kind.path.indexOf("/", 1) + 1) || kind.path.slice(0, 1);
      return { ...kind, path, precision: "start" };
    }
    case "start":
      return restOf(kind);
    case "rest":
      return undefined;
    default:
      return kind.precision satisfies never;
  }
}

function restOf(kind: CallKind): CallKind {
  return { ...kind, method: "", host: "", path: "", issuer: "", precision: "rest" };
}
