import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { messageOf } from "../../mesh/errors.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { Slices } from "../../mesh/lifecycle/slices.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { openDeltaByteStream } from "../../mesh/xds/ads-service.ts";
import { Node } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type { Status } from "../../mesh/xds/gen/google/rpc/status.ts";
import { readDeltaResponse } from "../../mesh/xds/read-delta-response.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { ASK_ORDER, changeOfInterest, firstNames, type Interest, type Interests, isOf } from "./interest.ts";

export interface ResourceUpdate {
  readonly type: TypeUrl;
  readonly upserts: readonly {
    readonly name: string;
    readonly version: string;
    readonly bytes: Uint8Array;
  }[];
  readonly removed: readonly string[];
}

/** A resource that was not taken; what was there before it stays in force. */
export interface Rejection {
  readonly name: string;
  readonly reason: string;
}

export interface ResourceSink {
  /** Takes an update, as much of it as can be taken. Rejects when it is being stopped. */
  apply(update: ResourceUpdate): Promise<readonly Rejection[]>;
  /** What is wanted now; may change with each update. */
  interests(): Interests;
}

export interface AdsClientOptions {
  /** Path of the agent's unix socket. */
  readonly socketPath: string;
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly metadata: Record<string, unknown>;
  };
  readonly sink: ResourceSink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

export type AdsState =
  | { readonly kind: "connecting"; readonly attempt: number }
  | { readonly kind: "streaming"; readonly sinceMs: number }
  | { readonly kind: "waiting"; readonly reason: string }
  | { readonly kind: "stopped" };

type Stream = ClientDuplexStream<DeltaDiscoveryRequest, Uint8Array>;

const RECONNECT = { firstMs: 50, maxMs: 5000 };
/** The agent, on its own socket, decides what is too large: a limit here could only lose a large mesh. */
const UNLIMITED = -1;
const INVALID_ARGUMENT = 3;
const TYPES: ReadonlySet<string> = new Set(Object.values(TYPE_URL));

/**
 * Keeps a delta ADS stream to the agent. When the stream is lost everything stays in force; the next one starts with
 * the versions that are held, so that only what has changed comes again.
 */
export class AdsClient {
  readonly #options: AdsClientOptions;
  /** Accepted versions, by type and name. */
  readonly #versions = new Map<TypeUrl, Map<string, string>>();
  /** What this stream has been told. */
  #told = new Map<TypeUrl, Interest>();
  #stream: Stream | undefined;
  readonly #slices: Slices;
  #state: AdsState = { kind: "stopped" };

  constructor(options: AdsClientOptions) {
    this.#options = options;
    this.#slices = new Slices({ now: () => options.clock.monotonic() });
  }

  get state(): AdsState {
    return this.#state;
  }

  /** Until the signal is aborted; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      this.#state = { kind: "connecting", attempt };
      const outcome = await this.#runStream(signal);
      if (signal.aborted) break;
      if (outcome.progress) attempt = 0;
      this.#state = { kind: "waiting", reason: outcome.reason };
      logger.debug("configuration stream lost, all stays in force", { reason: outcome.reason });
      await clock.sleep(backoffMs(RECONNECT, attempt, random()), signal);
    }
    this.#state = { kind: "stopped" };
  }

  /** Tells the server what has become of the interests, after a change that no response caused. */
  refresh(): void {
    const interests = this.#options.sink.interests();
    for (const type of ASK_ORDER) this.#tellChange(type, interests.get(type));
  }

  async #runStream(signal: AbortSignal): Promise<{ readonly progress: boolean; readonly reason: string }> {
    const client = new Client(`unix:${this.#options.socketPath}`, credentials.createInsecure(), {
      "grpc.max_receive_message_length": UNLIMITED,
      "grpc.use_local_subchannel_pool": 1,
    });
    const stream = openDeltaByteStream(client);
    const cancel = (): void => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    let progress = false;
    try {
      this.#start(stream);
      for await (const bytes of stream as AsyncIterable<Uint8Array>) {
        const response = await this.#slices.run(readDeltaResponse(bytes), signal);
        progress = true;
        if (this.#state.kind !== "streaming")
          this.#state = { kind: "streaming", sinceMs: this.#options.clock.now() };
        await unlessAborted(this.#take(response, signal), signal);
      }
      return { progress, reason: "the agent closed the stream" };
    } catch (error) {
      return { progress, reason: messageOf(error) };
    } finally {
      this.#stream = undefined;
      signal.removeEventListener("abort", cancel);
      stream.on("error", () => {});
      stream.cancel();
      client.close();
    }
  }

  #start(stream: Stream): void {
    this.#stream = stream;
    this.#told = new Map();
    const { node } = this.#options;
    const interests = this.#options.sink.interests();
    let first = true;
    for (const type of ASK_ORDER) {
      const interest = interests.get(type);
      if (interest === undefined || interest.size === 0) continue;
      this.#told.set(type, interest);
      this.#send(type, {
        ...(first ? { node: Node.fromPartial({ ...node, userAgentName: "lateen" }) } : {}),
        resourceNamesSubscribe: [...firstNames(interest)],
        initialResourceVersions: this.#heldVersions(type, interest),
      });
      first = false;
    }
  }

  #heldVersions(type: TypeUrl, interest: Interest): Record<string, string> {
    const held = this.#versions.get(type) ?? new Map<string, string>();
    return Object.fromEntries([...held].filter(([name]) => isOf(interest, name)));
  }

  async #take(response: DeltaDiscoveryResponse, signal: AbortSignal): Promise<void> {
    const type = response.typeUrl as TypeUrl;
    if (!TYPES.has(type)) {
      this.#send(type, {
        responseNonce: response.nonce,
        errorDetail: reject(`type ${type} was not asked for`),
      });
      return;
    }
    const update: ResourceUpdate = {
      type,
      upserts: response.resources.map(({ name, version, resource }) => ({
        name,
        version,
        bytes: resource?.value ?? new Uint8Array(),
      })),
      removed: response.removedResources,
    };
    const rejections = await this.#apply(update);
    if (signal.aborted) return;
    this.#record(update, rejections);
    this.#send(type, {
      responseNonce: response.nonce,
      ...(rejections.length > 0
        ? { errorDetail: reject(rejections.map(({ reason }) => reason).join("; ")) }
        : {}),
    });
    this.refresh();
  }

  async #apply(update: ResourceUpdate): Promise<readonly Rejection[]> {
    try {
      return await this.#options.sink.apply(update);
    } catch (error) {
      // A defect must not end the stream: the update is refused as a whole.
      return update.upserts.map(({ name }) => ({ name, reason: `${name}: ${messageOf(error)}` }));
    }
  }

  #record(update: ResourceUpdate, rejections: readonly Rejection[]): void {
    const versions = this.#versions.get(update.type) ?? new Map<string, string>();
    this.#versions.set(update.type, versions);
    const rejected = new Set(rejections.map(({ name }) => name));
    for (const { name, version } of update.upserts) if (!rejected.has(name)) versions.set(name, version);
    for (const name of update.removed) versions.delete(name);
  }

  #tellChange(type: TypeUrl, interest: Interest | undefined): void {
    const change = changeOfInterest(this.#told.get(type), interest);
    if (change === undefined || interest === undefined) return;
    this.#told.set(type, interest);
    for (const name of change.unsubscribe) if (!isOf(interest, name)) this.#versions.get(type)?.delete(name);
    this.#send(type, {
      resourceNamesSubscribe: [...change.subscribe],
      resourceNamesUnsubscribe: [...change.unsubscribe],
    });
  }

  #send(type: string, request: Partial<DeltaDiscoveryRequest>): void {
    this.#stream?.write({ ...DeltaDiscoveryRequest.fromPartial({ typeUrl: type }), ...request });
  }
}

/** Resolves with the work, or as soon as the signal is aborted: whoever does the work is then stopped by others. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const stop = (): void => aborted.resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function reject(message: string): Status {
  return { code: INVALID_ARGUMENT, message, details: [] };
}
