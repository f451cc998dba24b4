import type { JsonValue } from "../../mesh/xds/json.ts";
import type { ShownCertificate } from "../admin/certs.ts";
import type { ClusterStatus } from "../admin/clusters.ts";
import type { ResourceSink } from "../ads/ads-client.ts";
import type { LogLevel } from "../config.ts";
import type { IdleConnections } from "../data-path/listener/bound-listener.ts";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";

export interface ListenerStatus {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

type Awaitable<T> = T | Promise<T>;

/** Who carries the traffic: this thread, or several that share the ports. Configuration comes in by `apply`. */
export interface Workers extends ResourceSink {
  /** What keeps them from being ready; none: they are. */
  missing(): Awaitable<readonly string[]>;
  /** Envoy's `/config_dump`. */
  configDump(): Awaitable<JsonValue>;
  /** By name, with what all of them count. */
  clusters(): Awaitable<readonly ClusterStatus[]>;
  listeners(): Awaitable<readonly ListenerStatus[]>;
  /** Prometheus text format, with what all of them count. */
  metrics(): Awaitable<string>;
  /** What this proxy shows of itself, by the secret's name. */
  certificates(): Awaitable<readonly ShownCertificate[]>;
  /** The next lines of access logs go to new files. */
  reopenLogs(): Awaitable<void>;
  /** Answers close their connections from now on, so that callers go elsewhere; ports stay open. */
  drain(which: "inbound" | "all"): Awaitable<void>;
  /** Lines below it need not be handed over to the logger. */
  setLogLevel(level: LogLevel): Awaitable<void>;
  /** Descriptors of all that listens, for a process that takes over. */
  sockets(): Awaitable<readonly ListeningSocket[]>;
  /** Who was taken over from is gone: sockets that nobody needed are closed. */
  settle(): Awaitable<void>;
  /** Closes the ports, and resolves when the connections are over: at the latest after the drain time. */
  stop(idle: IdleConnections): Promise<void>;
}
