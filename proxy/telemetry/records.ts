import type { DecidedCall, PolicyDecision } from "../../mesh/calls/policy-decision.ts";
import type { ServiceName } from "../model/cluster.ts";
import type { AccessLogs } from "../model/listener.ts";
import type { HeaderList } from "../tables/header-list.ts";
import { GrpcMessages } from "./grpc-messages.ts";
import type { PeerWorkload } from "./parties/party.ts";

/** Envoy's response flags, as far as this proxy sets them. */
export type ResponseFlag =
  | "NR" // no route
  | "NC" // no such cluster
  | "UH" // no healthy upstream
  | "UF" // upstream connection failure
  | "UO" // upstream overflow
  | "UC" // upstream connection termination
  | "UR" // upstream gave up the request alone
  | "UT" // upstream (route) timeout
  | "UPE" // upstream protocol error
  | "URX" // retries used up
  | "SI" // stream idle timeout
  | "DC" // downstream connection termination
  | "DPE" // downstream protocol error
  | "UAEX" // refused by an authorizer, or by none being there
  | "DI" // delay injected
  | "FI"; // fault injected

/** The two ends of an exchange, for logs and metrics. */
export interface Ends {
  readonly direction: "inbound" | "outbound" | "unspecified";
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly serverName: string;
  /** The client's SPIFFE ID, when it has shown one. */
  readonly clientId: string | undefined;
  /** Our own SPIFFE ID. */
  readonly ownId: string | undefined;
  readonly secure: boolean;
  /** What the client's proxy has said of its workload; it says so once, with the first request. */
  caller: PeerWorkload | undefined;
  /** The client's proxy has had its chance to say so. */
  introduced: boolean;
}

export interface UpstreamEnd {
  cluster: string;
  /** What the cluster says of itself. */
  service: ServiceName | undefined;
  host: string;
  /** Istio's endpoint metadata: `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster>`. */
  workload: string;
  id: string | undefined;
  failure: string;
}

/** What one HTTP exchange came to; filled in as it goes. */
export interface HttpRecord {
  readonly ends: Ends;
  readonly startedAt: number;
  readonly startedMonotonic: number;
  readonly method: string;
  readonly path: string;
  readonly upstream: UpstreamEnd;
  readonly flags: Set<ResponseFlag>;
  route: string;
  authority: string;
  requestId: string;
  /** As they are when somebody looks: the upstream's, once it has been called. */
  requestHeaders: HeaderList;
  /** Of gRPC alone. */
  messages: { readonly request: GrpcMessages; readonly response: GrpcMessages } | undefined;
  /** Of the caller's token, which was verified; empty: there was none. */
  issuer: string;
  /** 0: no response. */
  status: number;
  /** Envoy's response code details, such as `via_upstream`. */
  details: string;
  grpcStatus: string;
  /** What the caller spoke. */
  protocol: "HTTP/1.1" | "HTTP/2";
  bytesReceived: number;
  bytesSent: number;
  /** Milliseconds until the upstream's response head; undefined when there was none. */
  upstreamMs: number | undefined;
}

export interface TcpRecord {
  readonly ends: Ends;
  readonly startedAt: number;
  readonly startedMonotonic: number;
  readonly upstream: UpstreamEnd;
  readonly flags: Set<ResponseFlag>;
  bytesReceived: number;
  bytesSent: number;
}

/** What a set of policies said about a request, or about a connection. */
export interface PolicyRecord {
  readonly ends: Ends;
  readonly action: "ALLOW" | "DENY" | "LOG";
  /** Nothing comes of it: the policies are tried out, or ask whether somebody else is to be asked. */
  readonly shadow: boolean;
  readonly allowed: boolean;
  readonly matched: boolean;
  /** `none`: nothing matched. */
  readonly policy: string;
  /** Of a request; empty for a connection. */
  readonly method: string;
  readonly path: string;
}

/** Told of what passes through. Must not throw. */
export interface TrafficObserver {
  policyMatched(record: PolicyRecord): void;
  httpDone(record: HttpRecord, durationMs: number, accessLogs: AccessLogs): void;
  /** A policy closed a connection before anything was done with it. */
  tcpRefused(ends: Ends, accessLogs: AccessLogs): void;
  tcpOpened(record: TcpRecord): void;
  tcpDone(record: TcpRecord, durationMs: number, accessLogs: AccessLogs): void;
}

/** Undefined: nothing matched, and nothing had to. */
export function decisionOf(record: PolicyRecord): PolicyDecision | undefined {
  const { action, shadow, allowed, matched, policy } = record;
  if (allowed && !matched) return undefined;
  const result = action === "LOG" ? "audited" : allowed ? "allowed" : "denied";
  return { policy, result, enforced: !shadow };
}

export function decidedCall({ ends, method, path }: PolicyRecord): DecidedCall {
  return { client: ends.clientId ?? "", from: ends.remoteAddress, at: ends.localAddress, method, path };
}

export function flagsText(flags: ReadonlySet<ResponseFlag>): string {
  return flags.size === 0 ? "-" : [...flags].join(",");
}

export function countMessages(): NonNullable<HttpRecord["messages"]> {
  return { request: new GrpcMessages(), response: new GrpcMessages() };
}

export function newUpstreamEnd(): UpstreamEnd {
  return { cluster: "", service: undefined, host: "", workload: "", id: undefined, failure: "" };
}
