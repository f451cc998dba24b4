import type { DecidedCall, PolicyDecision } from "../../mesh/calls/policy-decision.ts";
import { ruleOfAsked } from "../../mesh/xds/names.ts";
import type { ServiceName } from "../model/cluster.ts";
import type { HeaderList } from "../tables/header-list.ts";
import type { RequestMetadata } from "../tables/metadata.ts";
import type { CompiledLogs } from "./access-log/compiled-logs.ts";
import { GrpcMessages } from "./grpc-messages.ts";
import type { PeerWorkload } from "./parties/party.ts";
import type { ResponseFlag } from "./response-flags.ts";
import type { Span } from "./tracing/span.ts";

/** The two ends of an exchange, for logs and metrics. */
export interface Ends {
  readonly direction: "inbound" | "outbound" | "unspecified";
  /** The name of the listener that serves the connection. */
  readonly listener: string;
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
  /** `address:port` of our end of the connection. */
  localAddress: string;
  /** Istio's endpoint metadata: `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster>`. */
  workload: string;
  id: string | undefined;
  failure: string;
}

/** What one HTTP exchange came to; filled in as it goes. */
export interface HttpRecord {
  readonly kind: "http";
  readonly ends: Ends;
  readonly startedAt: number;
  readonly startedMonotonic: number;
  readonly method: string;
  /** With its query, as it came. */
  readonly path: string;
  readonly upstream: UpstreamEnd;
  readonly flags: Set<ResponseFlag>;
  /** Path and query, and host, as the upstream gets them. */
  target: string;
  calledAuthority: string;
  route: string;
  authority: string;
  requestId: string;
  /** As they are when somebody looks: the upstream's, once it has been called. */
  requestHeaders: HeaderList;
  /** As the caller gets them. */
  responseHeaders: HeaderList | undefined;
  trailers: HeaderList | undefined;
  /** What filters have left behind. */
  metadata: RequestMetadata | undefined;
  /** Undefined: it is not traced. */
  span: Span | undefined;
  /** Of gRPC alone. */
  messages: { readonly request: GrpcMessages; readonly response: GrpcMessages } | undefined;
  /** Of the caller's token, which was verified; empty: there was none. */
  issuer: string;
  /** 0: no response. */
  status: number;
  /** Envoy's response code details, such as `via_upstream`. */
  details: string;
  /** Of gRPC; undefined: none was told, -1: what was told is none. */
  grpcStatus: number | undefined;
  /** What the caller spoke. */
  protocol: "HTTP/1.1" | "HTTP/2";
  bytesReceived: number;
  bytesSent: number;
  /** Milliseconds until the upstream's response head; undefined when there was none. */
  upstreamMs: number | undefined;
  /** Milliseconds from the start to the end of the request; undefined: that has not come. */
  requestMs: number | undefined;
  /** Likewise, to the head of the upstream's response. */
  responseMs: number | undefined;
  /** How often the upstream was tried. */
  attempts: number;
}

export interface TcpRecord {
  readonly kind: "tcp";
  readonly ends: Ends;
  readonly startedAt: number;
  readonly startedMonotonic: number;
  readonly upstream: UpstreamEnd;
  readonly flags: Set<ResponseFlag>;
  bytesReceived: number;
  bytesSent: number;
}

export type TrafficRecord = HttpRecord | TcpRecord;

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
  /** Of a policy that has somebody asked. */
  readonly authorizer?: PolicyDecision["authorizer"];
  /** Of a request; empty for a connection. */
  readonly method: string;
  readonly path: string;
}

/** Told of what passes through. Must not throw. */
export interface TrafficObserver {
  policyMatched(record: PolicyRecord): void;
  httpDone(record: HttpRecord, durationMs: number, logs: CompiledLogs): void;
  /** A policy closed a connection before anything was done with it. */
  tcpRefused(ends: Ends, logs: CompiledLogs): void;
  tcpOpened(record: TcpRecord): void;
  tcpDone(record: TcpRecord, durationMs: number, logs: CompiledLogs): void;
}

/** Undefined: nothing matched, and nothing had to. */
export function decisionOf(record: PolicyRecord): PolicyDecision | undefined {
  const { action, shadow, allowed, matched, policy, authorizer } = record;
  if (allowed && !matched) return undefined;
  const result = action === "LOG" ? "audited" : allowed ? "allowed" : "denied";
  const asked = ruleOfAsked(policy);
  // Where the rules themselves refuse what somebody was to be asked about, nobody was there to be asked.
  if (asked !== undefined)
    return { policy: asked, result, enforced: !shadow, authorizer: authorizer ?? "silent" };
  return { policy, result, enforced: !shadow };
}

export function decidedCall({ ends, method, path }: PolicyRecord): DecidedCall {
  return { client: ends.clientId ?? "", from: ends.remoteAddress, at: ends.localAddress, method, path };
}

export function countMessages(): NonNullable<HttpRecord["messages"]> {
  return { request: new GrpcMessages(), response: new GrpcMessages() };
}

export function newUpstreamEnd(): UpstreamEnd {
  return {
    cluster: "",
    service: undefined,
    host: "",
    localAddress: "",
    workload: "",
    id: undefined,
    failure: "",
  };
}
