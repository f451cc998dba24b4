import type { Input, Output, Wire } from "../../proxy/transport/wire.ts";

/** One end of a connection in memory: what is written stays here until `deliver` brings it to the other end. */
export class FakeWire implements Wire, Output {
  readonly output = this;
  other: FakeWire | undefined;
  /** What the kernel is said to hold; tests set it to hold a writer back. */
  pending = 0;
  state: "open" | "ended" | "destroyed" = "open";
  paused = false;
  /** Came before anybody listened. */
  early: Buffer | undefined;
  #input: Input | undefined;
  #written: Buffer[] = [];

  latin1(text: string): void {
    this.#written.push(Buffer.from(text, "latin1"));
  }

  bytes(chunk: Uint8Array): void {
    this.#written.push(Buffer.from(chunk));
  }

  reserve(count: number): Buffer {
    const room = Buffer.alloc(count);
    this.#written.push(room);
    return room;
  }

  end(): void {
    if (this.state === "open") this.state = "ended";
  }

  destroy(): void {
    this.state = "destroyed";
  }

  listen(input: Input): void {
    this.#input = input;
    if (this.early) input.bytes(this.early);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** Takes what was written. */
  take(): Buffer {
    const bytes = Buffer.concat(this.#written);
    this.#written = [];
    return bytes;
  }

  /** As if it came from the other end. */
  feed(bytes: Buffer): void {
    this.#input?.bytes(bytes);
  }

  drain(): void {
    this.pending = 0;
    this.#input?.drained();
  }

  fail(reason: string): void {
    this.#input?.closed(reason);
  }

  finish(): void {
    this.#input?.ended();
  }
}

export interface WirePair {
  readonly client: FakeWire;
  readonly server: FakeWire;
  /** Brings bytes to and fro until there are none; in pieces of `size()` octets. */
  readonly settle: (size?: () => number) => void;
}

export function wirePair(): WirePair {
  const client = new FakeWire();
  const server = new FakeWire();
  return {
    client,
    server,
    settle(size = () => Number.MAX_SAFE_INTEGER) {
      for (;;) {
        const up = client.take();
        const down = server.take();
        if (up.length === 0 && down.length === 0) break;
        deliver(up, server, size);
        deliver(down, client, size);
      }
      if (client.state === "ended") server.finish();
      if (server.state === "ended") client.finish();
      if (client.state === "destroyed") server.fail("reset");
      if (server.state === "destroyed") client.fail("reset");
    },
  };
}

function deliver(bytes: Buffer, to: FakeWire, size: () => number): void {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + Math.max(1, size()));
    // A copy of its own that is spoiled afterwards: who keeps bytes without copying them is found out.
    const chunk = Buffer.from(bytes.subarray(at, end));
    to.feed(chunk);
    chunk.fill(0xee);
    at = end;
  }
}
