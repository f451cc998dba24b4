import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { AdminServer } from "./admin/admin-server.ts";
import { AdsClient } from "./ads/ads-client.ts";
import type { Bootstrap, LogLevel } from "./config.ts";
import { ListeningSockets } from "./data-path/listener/listening-sockets.ts";
import { type Resolver, systemResolver } from "./data-path/upstream/dns-endpoints.ts";
import { type HandOver, handOver } from "./succession/hand-over.ts";
import type { Inheritance } from "./succession/messages.ts";
import { type ParentChannel, Predecessor } from "./succession/predecessor.ts";
import { type TextStream, writeTo } from "./telemetry/access-log/write-stream.ts";
import { TrafficWorker } from "./workers/traffic-worker.ts";
import { WorkerPool } from "./workers/worker-pool.ts";
import type { Workers } from "./workers/workers.ts";

export interface ProxyOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Aborted: stop accepting, let requests come to their end for `drainMs`, then cut. */
  readonly signal: AbortSignal;
  readonly drainMs: number;
  /** Threads that carry the traffic. One, which it is unless given, is the calling thread. */
  readonly concurrency?: number;
  /** Weights, balancing, jitter; of [0, 1). The calling thread's alone. */
  readonly random?: () => number;
  /** Looks up names; the system's resolver unless it is given. The calling thread's alone. */
  readonly resolve?: Resolver;
  /** Where lines of access logs to standard output go; the process's own unless it is given. */
  readonly stdout?: TextStream;
  /** Lets `/logging` change the level. */
  readonly setLogLevel?: (level: LogLevel) => void;
  /** Of a proxy that has its process for itself. */
  readonly succession?: Succession;
}

/** How one process takes over from another without a connection being refused. */
interface Succession {
  /** The listener is called whenever a successor is wanted. */
  readonly onWanted: (listener: () => void) => void;
  /** Program and arguments that start one. */
  readonly command: () => readonly string[];
  /** Of this process, which may be a successor itself. */
  readonly parent: ParentChannel;
}

/** How often a successor looks whether it is ready. */
const READY_POLL_MS = 20;

/**
 * Runs one proxy until the signal is aborted or a successor has taken over, and its connections are drained. Several
 * may run in one process.
 */
export async function runProxy(bootstrap: Bootstrap, options: ProxyOptions): Promise<void> {
  const { clock, signal, drainMs, succession } = options;
  const logger = options.logger.child("proxy");
  const predecessor = succession && (await Predecessor.meet(succession.parent));
  const workers = startWorkers(bootstrap, { ...options, logger }, predecessor, () => ads.refresh());
  const ads: AdsClient = new AdsClient({
    socketPath: bootstrap.xdsSocket,
    node: { ...bootstrap.node, metadata: { ...bootstrap.node.metadata } },
    sink: workers,
    clock,
    random: options.random ?? Math.random,
    logger,
  });
  const startAdmin = adminOf(bootstrap, options, workers);
  await using cleanup = new AsyncDisposableStack();
  const leaving = new AbortController();
  cleanup.defer(() => leaving.abort());
  const over = AbortSignal.any([signal, leaving.signal]);
  let admin = predecessor ? undefined : cleanup.use(await startAdmin());
  const configured = ads.run(over);
  const isOwner = predecessor === undefined || (await takeOver(predecessor, workers, clock, signal));
  if (isOwner) admin ??= cleanup.use(await startAdmin());
  predecessor?.leave();
  if (isOwner) logger.info("proxy started", { node: bootstrap.node.id });
  const succeeded = await Promise.race([
    configured.then(() => false),
    untilSucceeded(succession, { workers, logger, signal: over, letGo: async () => await admin?.close() }),
  ]);
  leaving.abort();
  await configured;
  logger.info("proxy drains", { drainMs });
  // With another process at the ports callers lose nothing by an answer that is their connection's last.
  await workers.stop(succeeded || !isOwner ? "leave" : "close");
  logger.info("proxy stopped");
}

function startWorkers(
  bootstrap: Bootstrap,
  options: ProxyOptions,
  predecessor: Predecessor | undefined,
  interestsChanged: () => void,
): Workers {
  const { logger, clock, drainMs, concurrency = 1, random = Math.random } = options;
  const { resolve = systemResolver, stdout = process.stdout } = options;
  const given = {
    bootstrap,
    logger,
    clock,
    drainMs,
    random,
    writeAccessLog: writeTo(stdout),
    interestsChanged,
  };
  const inherited = predecessor?.sockets ?? [];
  const mayJoin = predecessor !== undefined;
  return concurrency > 1
    ? new WorkerPool({ ...given, concurrency, inherited, mayJoin })
    : new TrafficWorker({ ...given, resolve, sockets: new ListeningSockets(inherited, mayJoin) });
}

function adminOf(
  bootstrap: Bootstrap,
  { clock, signal, concurrency = 1, setLogLevel }: ProxyOptions,
  workers: Workers,
): () => Promise<AdminServer> {
  const startedMs = clock.now();
  const setLevel = (level: LogLevel): void => {
    setLogLevel?.(level);
    void workers.setLogLevel(level);
  };
  return async () =>
    await AdminServer.start({
      bootstrap,
      workers,
      concurrency,
      startedMs,
      nowMs: () => clock.now(),
      draining: () => signal.aborted,
      setLogLevel: setLogLevel && setLevel,
    });
}

/**
 * Resolves with true when this proxy serves everything that the other one did, and that one has let go. With false when
 * the signal was aborted first: what the other one has stays its own.
 */
async function takeOver(
  predecessor: Predecessor,
  workers: Workers,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const isBehind = async (): Promise<boolean> =>
    (await workers.missing()).some((reason) => !predecessor.missing.includes(reason));
  while (!signal.aborted && (await isBehind())) await clock.sleep(READY_POLL_MS, signal);
  if (signal.aborted || !(await predecessor.takeOver(signal))) return false;
  await workers.settle();
  return true;
}

async function inheritanceOf(workers: Workers): Promise<Inheritance> {
  const [sockets, missing] = await Promise.all([workers.sockets(), workers.missing()]);
  return { sockets, missing };
}

/** Resolves with true when somebody wanted a successor and it has taken over; not at all as long as none has. */
async function untilSucceeded(
  succession: Succession | undefined,
  { workers, ...parts }: Pick<HandOver, "letGo" | "logger" | "signal"> & { readonly workers: Workers },
): Promise<true> {
  return await new Promise((resolve) => {
    let busy = false;
    const begin = async (): Promise<void> => {
      if (busy || succession === undefined) return;
      busy = true;
      if (
        await handOver({ ...parts, command: succession.command, inheritance: () => inheritanceOf(workers) })
      )
        resolve(true);
      busy = false;
    };
    succession?.onWanted(() => void begin());
  });
}
