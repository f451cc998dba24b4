import { type ClientHttp2Session, type ClientHttp2Stream, connect as openHttp2 } from "node:http2";
import type { Duplex } from "node:stream";
import { adsService } from "../../mesh/xds/ads-service.ts";
import { Node } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";

const METHOD = adsService.deltaAggregatedResources;

/** A delta client on bare HTTP/2, which leaves what comes unread until it is told to read (grpc-js reads ahead). */
export class UnreadClient implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  #node: { readonly id: string } | undefined;

  constructor(node: { readonly id: string }, createConnection: () => Duplex) {
    this.#node = node;
    this.#session = openHttp2("http://localhost", { createConnection });
    this.#session.on("error", () => undefined);
    this.#stream = this.#session.request({
      ":method": "POST",
      ":path": METHOD.path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.#stream.on("error", () => undefined);
  }

  request(typeUrl: string, resourceNamesSubscribe: string[]): void {
    const node = this.#node === undefined ? undefined : Node.fromPartial(this.#node);
    this.#node = undefined;
    const message = DeltaDiscoveryRequest.fromPartial({ node, typeUrl, resourceNamesSubscribe });
    const bytes = METHOD.requestSerialize(message);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes.length, 1);
    this.#stream.write(Buffer.concat([head, bytes]));
  }

  async read(count: number): Promise<readonly DeltaDiscoveryResponse[]> {
    const responses: DeltaDiscoveryResponse[] = [];
    let bytes = Buffer.alloc(0);
    for await (const chunk of this.#stream) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
        const end = 5 + bytes.readUInt32BE(1);
        responses.push(METHOD.responseDeserialize(bytes.subarray(5, end)));
        bytes = bytes.subarray(end);
      }
      if (responses.length >= count) break;
    }
    return responses;
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}
