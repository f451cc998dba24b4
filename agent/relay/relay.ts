import { dirname, join } from "node:path";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { accessLogService } from "../../mesh/xds/access-log-service.ts";
import { adsService } from "../../mesh/xds/ads-service.ts";
import type { DeltaDiscoveryRequest } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { parseNodeId } from "../../mesh/xds/names.ts";
import { workloadPaths } from "../state/paths.ts";
import { LastGoodStore } from "./last-good-store.ts";
import { type NameSink, RelaySession } from "./relay-session.ts";
import type { SecretSource } from "./secret-lane.ts";
import { prepareSocketPath, protectSocket } from "./socket-path.ts";
import type { UpstreamAds } from "./upstream-link.ts";

export interface RelayOptions {
  /** `<run>/xds.sock`; its directory is made 0700. */
  readonly socketPath: string;
  readonly upstream: UpstreamAds;
  readonly secrets: SecretSource;
  /** Answers `accessLogService` on the same socket. */
  readonly accessLog: UntypedServiceImplementation;
  /** Whether this agent serves the node of that id now; others are refused. */
  readonly serves: (nodeId: string) => boolean;
  /** What is kept on disk is used for this one alone. */
  readonly trustDomain: string;
  /** The agent's state directory; a node's files are in its workload's folder `xds`. */
  readonly stateDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
  /** Who takes the names of a workload (`namespace/name`); asked again after `namesChanged`. */
  readonly names?: (workload: string) => NameSink | undefined;
  /** Called when a data plane has answered, or gone: what is in use may be something else. */
  readonly onAnswer?: () => void;
}

/** One data plane, as the relay sees it. Times are milliseconds since the epoch. */
export interface RelayNodeStatus {
  readonly nodeId: string;
  /** Whether its data plane is connected to the relay. */
  readonly connected: boolean;
  /** Where its configuration comes from now. */
  readonly source: "server" | "cache";
  readonly lastAck: { readonly at: number; readonly typeUrl: string } | undefined;
  readonly lastNack:
    | {
        readonly at: number;
        readonly typeUrl: string;
        readonly message: string;
        readonly resources: readonly string[];
      }
    | undefined;
}

export interface Relay {
  /**
   * Serves data planes until the signal is aborted. `listening` is called when the socket is there. Throws when the
   * socket cannot be had (`agent.state`, `config.invalid`).
   */
  run(signal: AbortSignal, listening?: () => void): Promise<void>;
  /** Of each node that has been connected and is still served. */
  status(): readonly RelayNodeStatus[];
  /**
   * Whether the data plane of each of these workloads (`namespace/name`) is connected and has acknowledged its identity and
   * its trust as they are now. One that is not connected may still serve with what it had.
   */
  secretsSettled(workloads: readonly string[]): boolean;
  /** There may be somebody now who takes names that nobody took. */
  namesChanged(): void;
}

type Call = ServerDuplexStream<DeltaDiscoveryRequest, Uint8Array>;

interface NodeRecord {
  readonly store: LastGoodStore;
  /** The newest of the node's streams: what it acknowledges is stored. */
  current: RelaySession | undefined;
  status: RelayNodeStatus;
}

const MOST_STREAMS = 1024;
const LARGEST_REQUEST_BYTES = 4 << 20;

/** Delta ADS and SDS for the data planes of this host, on a unix socket. */
export function createRelay(options: RelayOptions): Relay {
  const { clock, logger, secrets, random = Math.random } = options;
  const nodes = new Map<string, NodeRecord>();
  const sessions = new Map<RelaySession, string>();
  let open = 0;

  function record(nodeId: string, workload: { name: string; namespace: string }): NodeRecord {
    const existing = nodes.get(nodeId);
    if (existing !== undefined) return existing;
    const { state } = workloadPaths(options.stateDir, dirname(options.socketPath), workload);
    const store = new LastGoodStore({
      dir: join(state, "xds"),
      node: nodeId,
      trustDomain: options.trustDomain,
      logger,
      clock,
    });
    const created: NodeRecord = {
      store,
      current: undefined,
      status: { nodeId, connected: false, source: "cache", lastAck: undefined, lastNack: undefined },
    };
    for (const known of nodes.keys()) if (!options.serves(known)) nodes.delete(known);
    nodes.set(nodeId, created);
    return created;
  }

  async function serve(call: Call, first: DeltaDiscoveryRequest, signal: AbortSignal): Promise<void> {
    const { node } = first;
    const workload = parseNodeId(node?.id ?? "");
    if (node === undefined || workload === undefined || !isPlainName(workload) || !options.serves(node.id)) {
      logger.warn("data plane refused", { node: node?.id });
      throw new MeshError("xds.refused", "this agent does not serve the node");
    }
    const entry = record(node.id, workload);
    const id = `${workload.namespace}/${workload.name}`;
    const session: RelaySession = new RelaySession({
      node,
      workload: id,
      lastGood: await entry.store.load(),
      save: (typeUrl, resources) => {
        if (entry.current === session) entry.store.save(typeUrl, resources);
      },
      send: (response) => {
        if (!signal.aborted) call.write(response);
      },
      upstream: options.upstream,
      secrets,
      names: () => options.names?.(id),
      onAnswer: (typeUrl, answer) => {
        const at = clock.now();
        const said =
          answer.kind === "ack"
            ? { lastAck: { at, typeUrl } }
            : { lastNack: { at, typeUrl, message: answer.message, resources: answer.rejected } };
        entry.status = { ...entry.status, ...said };
        options.onAnswer?.();
      },
      logger,
      clock,
      random,
    });
    entry.current = session;
    sessions.set(session, id);
    try {
      await hold(call, session, first, signal);
    } finally {
      sessions.delete(session);
      options.onAnswer?.();
      if (entry.current === session) entry.current = undefined;
      await entry.store.flush();
    }
  }

  async function accept(call: Call, stop: AbortSignal): Promise<void> {
    const over = new AbortController();
    for (const event of ["cancelled", "close", "error", "end"]) call.on(event, () => over.abort());
    const signal = AbortSignal.any([stop, over.signal]);
    open += 1;
    try {
      if (open > MOST_STREAMS) throw new MeshError("xds.refused", "too many streams");
      const first = await firstRequest(call, signal);
      if (first !== undefined && !signal.aborted) await serve(call, first, signal);
      end(call, status.UNAVAILABLE, "the agent is stopping");
    } catch (error) {
      const refused = error instanceof MeshError && error.code === "xds.refused";
      if (!refused) logger.error("data plane's stream failed", { error: messageOf(error) });
      end(call, refused ? status.PERMISSION_DENIED : status.INTERNAL, refused ? error.message : "internal");
    } finally {
      open -= 1;
    }
  }

  return {
    async run(signal, listening = () => {}) {
      const streams = new Set<Promise<void>>();
      const server = new Server({ "grpc.max_receive_message_length": LARGEST_REQUEST_BYTES });
      server.addService(
        { deltaAggregatedResources: adsService.deltaAggregatedResources },
        {
          deltaAggregatedResources: (call: Call) => {
            const stream = accept(call, signal).finally(() => streams.delete(stream));
            streams.add(stream);
          },
        },
      );
      server.addService({ ...accessLogService }, options.accessLog);
      await prepareSocketPath(options.socketPath);
      await bind(server, options.socketPath);
      secrets.onChange((workload) => {
        for (const [session, of] of sessions) if (of === workload) session.secretsChanged();
      }, signal);
      listening();
      await untilAborted(signal);
      await Promise.all(streams);
      server.forceShutdown();
    },
    secretsSettled(workloads) {
      const settled = new Set([...sessions].flatMap(([session, of]) => (session.secretsSettled ? [of] : [])));
      return workloads.every((workload) => settled.has(workload));
    },
    namesChanged() {
      for (const session of sessions.keys()) session.followNames();
    },
    status: () =>
      [...nodes.values()]
        .filter((entry) => options.serves(entry.status.nodeId))
        .map((entry) => ({
          ...entry.status,
          connected: entry.current !== undefined,
          source: entry.current?.source ?? "cache",
        })),
  };
}

/** Serves a session on its call until the signal is aborted, or a request asks for too much (then it throws). */
async function hold(
  call: Call,
  session: RelaySession,
  first: DeltaDiscoveryRequest,
  signal: AbortSignal,
): Promise<void> {
  const failure = new AbortController();
  const take = (request: DeltaDiscoveryRequest): void => {
    try {
      session.request(request);
    } catch (error) {
      failure.abort(error);
    }
  };
  const running = session.run(AbortSignal.any([signal, failure.signal]));
  take(first);
  call.on("data", take);
  call.resume();
  await running;
  call.off("data", take);
  failure.signal.throwIfAborted();
}

/** The first request; the call is paused after it. Undefined when the stream ends without one. */
async function firstRequest(call: Call, signal: AbortSignal): Promise<DeltaDiscoveryRequest | undefined> {
  const { promise, resolve } = Promise.withResolvers<DeltaDiscoveryRequest | undefined>();
  const take = (request: DeltaDiscoveryRequest): void => {
    call.pause();
    resolve(request);
  };
  const stop = (): void => resolve(undefined);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  call.once("data", take);
  return await promise;
}

function end(call: Call, code: status, details: string): void {
  if (!call.cancelled && !call.destroyed)
    call.emit("error", Object.assign(new Error(details), { code, details }));
}

async function bind(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
    if (error === null) resolve();
    else reject(new MeshError("agent.state", `listen on ${path}: ${error.message}`, { cause: error }));
  });
  await promise;
  await protectSocket(path);
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}

/** Names become a folder's name. */
function isPlainName({ name, namespace }: { name: string; namespace: string }): boolean {
  return /^[\w.-]{1,253}$/.test(name) && /^[\w-]{1,63}$/.test(namespace);
}
