import type { TLSSocket } from "node:tls";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import { TunnelClient } from "../../codec/mux/tunnel-client.ts";
import { Alarm, type Alarms } from "../../transport/alarms.ts";
import { SocketWire } from "../../transport/socket-wire.ts";
import { breakOff } from "../break-off.ts";
import { type ByteEnd, WireEnd } from "../tcp/byte-end.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import { localAddressOf, UpstreamConnectError } from "./dial.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

/** A tunnel without a stream is closed after so long. */
const IDLE_MS = 60_000;

export interface OpenedEnd {
  readonly end: ByteEnd;
  /** The server's identity; undefined without TLS. */
  readonly peer: PeerCertificate | undefined;
  /** `address:port` of our end. */
  readonly localAddress: string;
}

interface OpenTunnel extends Omit<OpenedEnd, "end"> {
  readonly session: TunnelClient;
}

/** How TCP connections get to one host: through a tunnel if it speaks that, each by itself otherwise. */
export class HostTunnel {
  readonly #alarms: Alarms;
  readonly #dial: () => Promise<UpstreamConnection>;
  #tunnel: OpenTunnel | undefined;
  /** The first connection is being made: only then is it known what the host speaks. */
  #opening: Promise<OpenedEnd> | undefined;
  #speaksTunnel = true;

  constructor(alarms: Alarms, dial: () => Promise<UpstreamConnection>) {
    this.#alarms = alarms;
    this.#dial = dial;
  }

  /** Rejects as the dial does. */
  async open(): Promise<OpenedEnd> {
    while (this.#ready === undefined && this.#opening !== undefined && this.#speaksTunnel) {
      await this.#opening;
    }
    if (this.#ready) return openedOn(this.#ready);
    const opening = this.#connect();
    this.#opening = opening;
    try {
      return await opening;
    } finally {
      if (this.#opening === opening) this.#opening = undefined;
    }
  }

  /** Connections that are there come to their end. */
  retire(): void {
    this.#tunnel?.session.drain();
    this.#tunnel = undefined;
  }

  get #ready(): OpenTunnel | undefined {
    return this.#tunnel && this.#tunnel.session.capacity > 0 ? this.#tunnel : undefined;
  }

  async #connect(): Promise<OpenedEnd> {
    const { socket, peer } = await this.#dial();
    const wire = new SocketWire(socket, breakOff);
    this.#speaksTunnel = (socket as Partial<TLSSocket>).alpnProtocol === TUNNEL_ALPN;
    const localAddress = localAddressOf(socket);
    if (!this.#speaksTunnel) return { end: new WireEnd(wire, () => socket.destroy()), peer, localAddress };
    let session: TunnelClient | undefined;
    const idle = new Alarm(() => session?.drain());
    const watch = (): void => {
      if (session === undefined || session.active === 0) idle.set(this.#alarms, IDLE_MS);
      else idle.clear();
    };
    session = new TunnelClient(wire, { changed: () => watch(), closed: () => idle.clear() }, this.#alarms);
    if (session.capacity === 0) throw new UpstreamConnectError("UF", "the server leaves");
    this.#tunnel = { session, peer, localAddress };
    return openedOn(this.#tunnel);
  }
}

function openedOn({ session, peer, localAddress }: OpenTunnel): OpenedEnd {
  return { end: session.connect(), peer, localAddress };
}
