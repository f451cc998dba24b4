import { EventEmitter } from "node:events";
import type { PeerCertificate } from "node:tls";
import { Metadata } from "@grpc/grpc-js";

/** What is asked of a connection's certificate: parsed once, as TLS does it once a connection. */
export interface FakePeer {
  readonly raw: Buffer;
  readonly validTo: string;
  readonly serialNumber: string;
}

/** A call as a handler sees it, from a peer with this certificate, without a connection under it. */
export class FakeCall<Q = unknown> extends EventEmitter {
  readonly metadata = new Metadata();
  readonly request: Q;
  readonly written: unknown[] = [];
  /** The gRPC status that it ended with; undefined while it is open or after a good end. */
  code: number | undefined;
  ended = false;
  cancelled = false;
  readonly #peer: FakePeer | undefined;

  constructor(request: Q, peer: FakePeer | undefined) {
    super();
    this.request = request;
    this.#peer = peer;
    this.on("error", ({ code }: { code?: number }) => {
      this.code = code;
      this.ended = true;
    });
  }

  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate } {
    if (this.#peer === undefined) return {};
    const { raw, validTo, serialNumber } = this.#peer;
    return { sslPeerCertificate: { raw, valid_to: validTo, serialNumber } as PeerCertificate };
  }

  getPeer(): string {
    return "10.0.0.1:4711";
  }

  sendMetadata(): void {}

  pause(): this {
    return this;
  }

  resume(): this {
    return this;
  }

  write(message: unknown, done?: () => void): boolean {
    this.written.push(typeof message === "function" ? (message as () => unknown)() : message);
    done?.();
    return true;
  }

  end(): void {
    this.ended = true;
  }

  /** The caller is gone. */
  hangUp(): void {
    this.ended = true;
    this.emit("close");
  }
}
