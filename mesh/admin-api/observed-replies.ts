import type { AuthzReply, List } from "./replies.ts";

/** Calls that came to a workload and are alike, as its proxy saw them. Times are RFC 3339. */
export interface ObservedCallsReply {
  /** SPIFFE ID; null: the caller showed none. */
  readonly from: string | null;
  /** `namespace/name` of the workload that was called. */
  readonly to: string;
  /** Service port; where the workload has none there, the port that was called. */
  readonly port: number;
  readonly protocol: "http" | "tcp";
  /** Empty: not told, as host and path. */
  readonly method: string;
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  /** Issuer of the caller's verified token, `(refused)`, or empty: there was none. */
  readonly issuer: string;
  /** `start`: the paths begin with `path`; `rest`: of these calls only caller and port are told. */
  readonly precision: "exact" | "start" | "rest";
  /** A policy refused them. */
  readonly denied: boolean;
  readonly count: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
}

/** What was observed since a time. */
export interface ObservedReply extends List<ObservedCallsReply> {
  readonly since: string;
  /** Calls that are in none of the items, for there were too many kinds. */
  readonly leftOut: number;
}

type SimulatedDecision = Pick<AuthzReply, "allowed" | "status" | "reason" | "decidedBy">;

/** Observed calls, and what the policies would say of them: those of now, and with a draft. */
export interface SimulatedCalls {
  readonly calls: ObservedCallsReply;
  readonly before: SimulatedDecision;
  readonly after: SimulatedDecision;
}

/** Which observed calls would fare otherwise with a draft. */
export interface AuthzSimulationReply {
  readonly since: string;
  /** The most frequent first. */
  readonly changes: readonly SimulatedCalls[];
  /** Those that the draft may change: policies ask for what is not known of them. */
  readonly undecided: readonly SimulatedCalls[];
  /** Further kinds of calls of both sorts: a reply has the thousand most frequent of each. */
  readonly untold: number;
  /** Kinds of calls that were looked at, how many calls they were, and those of which nothing is known. */
  readonly compared: { readonly kinds: number; readonly calls: number; readonly leftOut: number };
}
