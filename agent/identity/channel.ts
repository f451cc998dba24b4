import { createSecureContext, type PeerCertificate } from "node:tls";
import { type ChannelOptions, Client, connectivityState, credentials } from "@grpc/grpc-js";
import { MeshError } from "../../mesh/errors.ts";
import { serverSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { Changes } from "../state/changes.ts";

/** What a TLS connection to the server is made with. */
interface ChannelIdentity {
  /** PEM: the only certificates that the server is verified against. */
  readonly roots: readonly string[];
  /** The agent's own; undefined while it joins. */
  readonly certificate: { readonly keyPem: string; readonly chainPem: string } | undefined;
}

export interface ServerChannelOptions {
  /** `host:port`, at least one, tried in their order. */
  readonly addresses: readonly string[];
  readonly trustDomain: string;
  /** Asked whenever a connection is made anew. */
  readonly identity: () => ChannelIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

const NEXT_ADDRESS = { firstMs: 100, maxMs: 10_000 } as const;

/** What may be on its way: at 100 ms there and back, 10 MiB/s. With HTTP/2's 64 KiB it would be a twentieth of that. */
const WINDOW_BYTES = 1 << 20;

const CHANNEL_OPTIONS: ChannelOptions = {
  // The server is known by its SPIFFE ID; its name is not looked at, and an IP address must not be sent as SNI.
  "grpc.ssl_target_name_override": "lateen-server",
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 10_000,
  "grpc.max_receive_message_length": 256 << 20,
  "grpc-node.flow_control_window": WINDOW_BYTES,
  // Each channel has sockets of its own, so that one with a renewed certificate does not reuse the old connection.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
};

/**
 * The one connection to the server: TLS 1.3, the agent's certificate on our side, the server's SPIFFE ID checked on the
 * other. Whoever calls takes `client` anew for each call or stream; a stream that breaks finds the next server there.
 */
export class ServerChannel {
  /** Notified when a connection has come or is lost. */
  readonly changes: Changes = new Changes();
  readonly #options: ServerChannelOptions;
  #index = 0;
  #client: Client;
  #connected = false;

  constructor(options: ServerChannelOptions) {
    if (options.addresses.length === 0) {
      throw new MeshError("config.invalid", "connect to a server: no address is known", {
        hint: "join with a token, or set `servers` in the agent's configuration",
      });
    }
    this.#options = options;
    this.#client = this.#connect();
  }

  get client(): Client {
    return this.#client;
  }

  get address(): string {
    return this.#options.addresses[this.#index] ?? "";
  }

  /** True while there is a connection. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Connects with the identity as it is now. Streams on the old connection go on until they end. */
  renew(): void {
    this.#replace(this.#index);
  }

  /** Keeps the connection up and goes on to the next address when one fails, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { addresses, clock, logger, random } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const channel = this.#client.getChannel();
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) failures = 0;
      this.#note(state === connectivityState.READY);
      if (state === connectivityState.TRANSIENT_FAILURE && addresses.length > 1) {
        const next = (this.#index + 1) % addresses.length;
        logger.warn("server does not answer, trying the next", {
          address: this.address,
          next: addresses[next],
        });
        await clock.sleep(backoffMs(NEXT_ADDRESS, Math.floor(failures / addresses.length), random()), signal);
        failures += 1;
        if (!signal.aborted) this.#replace(next);
        continue;
      }
      await stateChange(this.#client, state, signal);
    }
    this.close();
  }

  close(): void {
    this.#client.close();
    this.#connected = false;
  }

  #note(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    if (connected) this.#options.logger.info("connected to the server", { address: this.address });
    else this.#options.logger.warn("lost the connection to the server", { address: this.address });
    this.changes.notify();
  }

  #replace(index: number): void {
    const old = this.#client;
    this.#index = index;
    this.#client = this.#connect();
    old.close();
  }

  #connect(): Client {
    const { roots, certificate } = this.#options.identity();
    const context = createSecureContext({
      ca: [...roots],
      // What a join token pins may be a CA's key that an older root signed, while the mesh goes from one to the next.
      allowPartialTrustChain: true,
      minVersion: "TLSv1.3",
      ...(certificate === undefined ? {} : { key: certificate.keyPem, cert: certificate.chainPem }),
    });
    return new Client(
      this.address,
      credentials.createFromSecureContext(context, {
        checkServerIdentity: (_host, peer) => serverProblem(peer, this.#options.trustDomain),
      }),
      CHANNEL_OPTIONS,
    );
  }
}

/** What keeps a verified certificate from being the server's; undefined when it is the server's. */
function serverProblem(peer: Pick<PeerCertificate, "raw">, trustDomain: string): Error | undefined {
  const verdict = verifyPeerSvid(peer.raw, trustDomain);
  const wanted = serverSpiffeId(trustDomain);
  if (!verdict.ok) return new MeshError("identity.invalid", `verify the server: ${verdict.reason}`);
  if (verdict.spiffeId === wanted) return undefined;
  return new MeshError("identity.invalid", `verify the server: it is ${verdict.spiffeId}, not ${wanted}`);
}

/** How long a replaced client may be watched before its successor is looked at. */
const WATCH_MS = 1000;

async function stateChange(client: Client, state: connectivityState, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  try {
    client.getChannel().watchConnectivityState(state, Date.now() + WATCH_MS, stop);
  } catch {
    // The channel was closed because it was replaced.
    resolve();
  }
  await promise;
  signal.removeEventListener("abort", stop);
}
