import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf } from "../../../mesh/errors.ts";
import type { TcpProxy } from "../../model/listener.ts";
import { weightedChoice } from "../../tables/weighted.ts";
import { xxHash64 } from "../../tables/xx-hash.ts";
import { newUpstreamEnd, type TcpRecord } from "../../telemetry/records.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import { joinStreams } from "../join-streams.ts";
import { UpstreamConnectError } from "../upstream/dial.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";
import { openTunnel } from "./tunnel.ts";

const WARMING_MS = 5000;

/** Passes a connection on, byte for byte. */
export type TcpServer = (socket: Socket, connection: Connection) => Promise<void>;

export function compileTcpProxy(model: TcpProxy, deps: DataPathDeps): TcpServer {
  const choose = weightedChoice(model.clusters);
  return async (socket, connection) => {
    const record = newRecord(connection, deps);
    deps.observer.tcpOpened(record);
    try {
      await serve(socket, { record, ends: connection.facts }, choose(deps.random).name, model, deps);
    } finally {
      socket.destroy();
      deps.observer.tcpDone(record, deps.clock.monotonic() - record.startedMonotonic, model.accessLog);
    }
  };
}

function newRecord(connection: Connection, deps: DataPathDeps): TcpRecord {
  return {
    ends: connection.ends,
    startedAt: deps.clock.now(),
    startedMonotonic: deps.clock.monotonic(),
    upstream: newUpstreamEnd(),
    flags: new Set(),
    bytesReceived: 0,
    bytesSent: 0,
  };
}

interface Caller {
  readonly record: TcpRecord;
  readonly ends: Connection["facts"];
}

async function serve(
  socket: Socket,
  caller: Caller,
  clusterName: string,
  model: TcpProxy,
  deps: DataPathDeps,
): Promise<void> {
  const { record } = caller;
  record.upstream.cluster = clusterName;
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  const cluster = await clusterFor(clusterName, model, deps, gone.signal);
  if (cluster === undefined) {
    record.flags.add("NC");
    return;
  }
  if (!cluster.warm) await Promise.race([cluster.whenWarm(), deps.clock.sleep(WARMING_MS, gone.signal)]);
  const upstream = await connectUpstream(cluster, caller, model, deps, gone.signal);
  if (upstream === undefined) return;
  const { host, stream } = upstream;
  cluster.counts.total++;
  cluster.counts.active++;
  host.active++;
  host.total++;
  try {
    await joinStreams(socket, stream, {
      idleMs: model.idleTimeoutMs,
      longestMs: model.longestMs,
      fromLeft: (count) => (record.bytesReceived += count),
      fromRight: (count) => (record.bytesSent += count),
    });
  } finally {
    cluster.counts.active--;
    host.active--;
  }
}

/** Where the listener says so, one that is not there is asked for. */
async function clusterFor(
  name: string,
  { onDemandMs }: TcpProxy,
  { tables }: DataPathDeps,
  gone: AbortSignal,
): Promise<UpstreamCluster | undefined> {
  const known = tables.cluster(name);
  if (known !== undefined || onDemandMs === undefined) return known;
  await tables.askForCluster(name, onDemandMs, gone);
  return tables.cluster(name);
}

async function connectUpstream(
  cluster: UpstreamCluster,
  { record, ends }: Caller,
  model: TcpProxy,
  deps: DataPathDeps,
  signal: AbortSignal,
): Promise<{ readonly host: UpstreamHost; readonly stream: Duplex } | undefined> {
  const tried = new Set<UpstreamHost>();
  const hash = model.hashesSource ? xxHash64(ends.remoteAddress) : undefined;
  for (let attempt = 0; attempt < model.maxConnectAttempts && !signal.aborted; attempt++) {
    const host = cluster.pick(deps.random, { hash, avoid: tried });
    if (host === undefined) {
      record.flags.add("UH");
      return undefined;
    }
    tried.add(host);
    record.upstream.host = host.key;
    record.upstream.workload = host.endpoint.workload;
    try {
      const variant = cluster.variantOf(host, "", ends);
      const connection = await cluster.connect(host, signal, variant);
      record.upstream.id = connection.peer?.uri;
      const { connectTimeoutMs } = cluster.model;
      const stream =
        model.tunnel === undefined
          ? connection.socket
          : await openTunnel(connection.socket, model.tunnel, connectTimeoutMs, signal);
      cluster.report(host, 200, deps.random);
      return { host, stream };
    } catch (error) {
      host.failures++;
      if (!(error instanceof UpstreamConnectError && error.flag === "UO"))
        cluster.report(host, "unconnected", deps.random);
      record.upstream.failure = messageOf(error);
      record.flags.add(error instanceof UpstreamConnectError ? error.flag : "UF");
    }
  }
  return undefined;
}
