import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { ConnectionFacts } from "../tables/facts.ts";
import type { RouteTable } from "../tables/route-table.ts";
import type { Random } from "../tables/weighted.ts";
import type { LogSinks } from "../telemetry/access-log/log-sinks.ts";
import type { Ends, TrafficObserver } from "../telemetry/records.ts";
import type { SpanSinks } from "../telemetry/tracing/span-sinks.ts";
import type { Alarms } from "../transport/alarms.ts";
import type { Destination } from "../transport/original-destination.ts";
import type { PeerCertificate } from "./tls/peer.ts";
import type { UpstreamCluster } from "./upstream/upstream-cluster.ts";

/** A downstream connection after its chain was chosen and its handshake is over. */
export interface Connection {
  readonly facts: ConnectionFacts;
  readonly peer: PeerCertificate | undefined;
  /** The URI of the certificate that the caller was shown. */
  readonly shownUri: string | undefined;
  /** Where it was going, if it was captured. */
  readonly destination: Destination | undefined;
  readonly ends: Ends;
}

/** What the data path looks up at the moment of a request: always the newest tables. */
export interface Tables {
  cluster(name: string): UpstreamCluster | undefined;
  routes(name: string): RouteTable | undefined;
  /** Asks for the virtual host of an authority; resolves when there is an answer, or none in time. */
  askForHost(routes: string, authority: string, gone: AbortSignal): Promise<void>;
  /** Asks for a cluster that is not there; resolves when there is an answer, or none in time. */
  askForCluster(name: string, longestMs: number, gone: AbortSignal): Promise<void>;
}

export interface DataPathDeps {
  readonly tables: Tables;
  readonly observer: TrafficObserver;
  readonly clock: Clock;
  readonly random: Random;
  readonly alarms: Alarms;
  /** Where access logs go. */
  readonly sinks: LogSinks;
  readonly spans: SpanSinks;
  /** What this proxy tells of its workload to others of the mesh (`x-envoy-peer-metadata`). */
  readonly introduction: string;
}
