import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import { openDeltaStream, openSotwStream } from "../../mesh/xds/ads-service.ts";
import { Node } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DiscoveryRequest,
  type DiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";

/** Reads one stream's responses in order; each wait fails after a second instead of hanging. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #wake: (() => void) | undefined;
  /** The gRPC status code with which the stream ended. */
  readonly ended: Promise<number>;

  constructor(stream: ClientDuplexStream<never, T>) {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ended = promise;
    stream.on("data", (item: T) => {
      this.#items.push(item);
      this.#wake?.();
    });
    stream.on("error", (error: Error & { code?: number }) => resolve(error.code ?? -1));
    stream.on("end", () => resolve(0));
  }

  async next(): Promise<T> {
    const item = await this.#take(1000);
    if (item === undefined) throw new Error("no response within a second");
    return item;
  }

  /** Undefined when nothing comes for a few milliseconds. */
  async quiet(): Promise<T | undefined> {
    return await this.#take(30);
  }

  async #take(ms: number): Promise<T | undefined> {
    if (this.#items.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
    }
    return this.#items.shift();
  }
}

/** Fields of a request, as far as tests set them. */
type Fields<Q> = Partial<Omit<Q, "node" | "errorDetail">> & {
  readonly node?: { readonly id: string };
  readonly error?: string;
};

/** The fields that are messages of their own. */
function parts({ node, error }: Fields<unknown>): Pick<DiscoveryRequest, "node" | "errorDetail"> {
  return {
    node: node === undefined ? undefined : Node.fromPartial(node),
    errorDetail: error === undefined ? undefined : { code: 3, message: error, details: [] },
  };
}

export class DeltaClient {
  readonly stream: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly inbox: Inbox<DeltaDiscoveryResponse>;

  constructor(client: Client) {
    this.stream = openDeltaStream(client);
    this.inbox = new Inbox(this.stream);
  }

  request(typeUrl: string, fields: Fields<DeltaDiscoveryRequest> = {}): void {
    this.stream.write({ ...DeltaDiscoveryRequest.fromPartial({}), ...fields, ...parts(fields), typeUrl });
  }

  ack({ typeUrl, nonce }: DeltaDiscoveryResponse): void {
    this.request(typeUrl, { responseNonce: nonce });
  }

  nack({ typeUrl, nonce }: DeltaDiscoveryResponse, message: string): void {
    this.request(typeUrl, { responseNonce: nonce, error: message });
  }

  /** The next response, acknowledged: `cluster +a@1 -b`. */
  async take(): Promise<string> {
    const response = await this.inbox.next();
    this.ack(response);
    return deltaLine(response);
  }
}

export function deltaLine(response: DeltaDiscoveryResponse): string {
  const short = Object.entries(TYPE_URL).find(([, url]) => url === response.typeUrl)?.[0];
  const upserts = response.resources.map(({ name, version }) => `+${name}@${version}`);
  return [short, ...upserts, ...response.removedResources.map((name) => `-${name}`)].join(" ");
}

export class SotwClient {
  readonly stream: ClientDuplexStream<DiscoveryRequest, DiscoveryResponse>;
  readonly inbox: Inbox<DiscoveryResponse>;

  constructor(client: Client) {
    this.stream = openSotwStream(client);
    this.inbox = new Inbox(this.stream);
  }

  request(typeUrl: string, fields: Fields<DiscoveryRequest> = {}): void {
    this.stream.write({ ...DiscoveryRequest.fromPartial({}), ...fields, ...parts(fields), typeUrl });
  }
}
