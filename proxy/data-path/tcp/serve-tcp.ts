import { messageOf } from "../../../mesh/errors.ts";
import type { TcpProxy, Tunnel } from "../../model/listener.ts";
import { weightedChoice } from "../../tables/weighted.ts";
import { xxHash64 } from "../../tables/xx-hash.ts";
import type { CompiledLogs } from "../../telemetry/access-log/compiled-logs.ts";
import { newUpstreamEnd, type TcpRecord } from "../../telemetry/records.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import { localAddressOf, UpstreamConnectError } from "../upstream/dial.ts";
import type { OpenedEnd } from "../upstream/host-tunnel.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamConnection } from "../upstream/upstream-connection.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";
import type { ByteEnd } from "./byte-end.ts";
import { DuplexEnd } from "./duplex-end.ts";
import { joinEnds } from "./join-ends.ts";
import { openTunnel } from "./tunnel.ts";

const WARMING_MS = 5000;

/** Passes a connection on, byte for byte; resolves when it is over. */
export type TcpServer = (end: ByteEnd, connection: Connection) => Promise<void>;

/** `logs` are those of the model, and the caller's to release. */
export function compileTcpProxy(model: TcpProxy, logs: CompiledLogs, deps: DataPathDeps): TcpServer {
  const choose = weightedChoice(model.clusters);
  return async (end, connection) => {
    const record = newRecord(connection, deps);
    deps.observer.tcpOpened(record);
    try {
      await serve(end, { record, connection }, choose(deps.random).name, model, deps);
    } finally {
      deps.observer.tcpDone(record, deps.clock.monotonic() - record.startedMonotonic, logs);
    }
  };
}

function newRecord(connection: Connection, deps: DataPathDeps): TcpRecord {
  return {
    kind: "tcp",
    ends: connection.ends,
    startedAt: deps.clock.now(),
    startedMonotonic: deps.clock.monotonic(),
    upstream: newUpstreamEnd(),
    flags: new Set(),
    bytesReceived: 0,
    bytesSent: 0,
  };
}

interface Upstream {
  readonly cluster: UpstreamCluster;
  readonly host: UpstreamHost;
  readonly end: ByteEnd;
  /** To be called when it is over. */
  readonly release: () => void;
}

interface Caller {
  readonly record: TcpRecord;
  readonly connection: Connection;
}

async function serve(
  end: ByteEnd,
  caller: Caller,
  clusterName: string,
  model: TcpProxy,
  deps: DataPathDeps,
): Promise<void> {
  const { record } = caller;
  record.upstream.cluster = clusterName;
  const gone = new AbortController();
  end.observe({ writable: () => {}, closed: () => gone.abort() });
  const upstream = await upstreamOf(clusterName, caller, model, deps, gone.signal);
  if (upstream === undefined) {
    end.reset({ kind: "refused" });
    return;
  }
  const { host, cluster } = upstream;
  cluster.counts.total++;
  cluster.counts.active++;
  host.active++;
  host.total++;
  try {
    await joinEnds(end, upstream.end, {
      alarms: cluster.alarms,
      idleMs: model.idleTimeoutMs,
      longestMs: model.longestMs,
      fromLeft: (count) => (record.bytesReceived += count),
      fromRight: (count) => (record.bytesSent += count),
    });
  } finally {
    upstream.release();
    cluster.counts.active--;
    host.active--;
  }
}

async function upstreamOf(
  clusterName: string,
  caller: Caller,
  model: TcpProxy,
  deps: DataPathDeps,
  gone: AbortSignal,
): Promise<Upstream | undefined> {
  const cluster = await clusterFor(clusterName, model, deps, gone);
  if (cluster === undefined) {
    caller.record.flags.add("NC");
    return undefined;
  }
  if (!cluster.warm) await Promise.race([cluster.whenWarm(), deps.clock.sleep(WARMING_MS, gone)]);
  return await connectUpstream(cluster, caller, model, deps, gone);
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
  { record, connection: { facts: ends, destination } }: Caller,
  model: TcpProxy,
  deps: DataPathDeps,
  signal: AbortSignal,
): Promise<Upstream | undefined> {
  record.upstream.service = cluster.model.service;
  const tried = new Set<UpstreamHost>();
  const hash = model.hashesSource ? xxHash64(ends.remoteAddress) : undefined;
  for (let attempt = 0; attempt < model.maxConnectAttempts && !signal.aborted; attempt++) {
    const host = cluster.pick(deps.random, { hash, avoid: tried, destination });
    if (host === undefined) {
      record.flags.add("UH");
      return undefined;
    }
    tried.add(host);
    record.upstream.host = host.key;
    record.upstream.workload = host.endpoint.workload;
    try {
      const variant = cluster.variantOf(host, "", ends);
      const { end, peer, release, localAddress } =
        model.tunnel === undefined
          ? await cluster.openBytes(host, signal, variant)
          : await throughProxy(model.tunnel, await cluster.connect(host, signal, variant), cluster, signal);
      record.upstream.id = peer?.uri;
      record.upstream.localAddress = localAddress;
      cluster.report(host, 200, deps.random);
      return { cluster, host, end, release };
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

async function throughProxy(
  tunnel: Tunnel,
  { socket, peer }: UpstreamConnection,
  { model }: UpstreamCluster,
  signal: AbortSignal,
): Promise<Omit<Upstream, "cluster" | "host"> & Pick<OpenedEnd, "peer" | "localAddress">> {
  const stream = await openTunnel(socket, tunnel, model.connectTimeoutMs, signal);
  // Its slot goes with the socket.
  return { end: new DuplexEnd(stream), peer, localAddress: localAddressOf(socket), release: () => {} };
}
