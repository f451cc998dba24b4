import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { adsService } from "../mesh/xds/ads-service.ts";
import { Node } from "../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { HttpConnectionManager } from "../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { DeltaDiscoveryRequest } from "../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL } from "../mesh/xds/type-urls.ts";
import { type ScannedResource, type ScannedResponse, scanResponse } from "./xds-response.ts";

const METHOD = adsService.deltaAggregatedResources;
const HTTP_CONNECTION_MANAGER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const NO_BYTES: Buffer = Buffer.alloc(0);

/** Told what a client receives. */
export interface ClientEvents {
  readonly onResponse: (response: ScannedResponse, bytes: number) => void;
  /** It has all that its clusters and listeners refer to, for the first time. */
  readonly onComplete: () => void;
  readonly onError: (error: Error) => void;
}

/**
 * One proxy's delta ADS stream, asked and answered as Envoy does: all clusters, the endpoints of those that are EDS, then
 * all listeners and the routes that these name. Everything is acknowledged at once.
 */
export class XdsClient {
  readonly #stream: ClientHttp2Stream;
  readonly #events: ClientEvents;
  #received: Buffer = NO_BYTES;
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Names that were asked for and have not come, per type. */
  readonly #missing = { endpoints: 0, routes: 0 };
  readonly #asked = { endpoints: new Set<string>(), routes: new Set<string>() };
  #listening = false;
  #complete = false;

  /** Goes on until the session ends. */
  static start(session: ClientHttp2Session, nodeId: string, events: ClientEvents): XdsClient {
    return new XdsClient(session, nodeId, events);
  }

  private constructor(session: ClientHttp2Session, nodeId: string, events: ClientEvents) {
    this.#events = events;
    this.#stream = session.request({
      ":method": "POST",
      ":path": METHOD.path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.#stream.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#stream.on("error", (error) => events.onError(error));
    this.#stream.on("trailers", (headers) => {
      const { "grpc-status": code, "grpc-message": message } = headers;
      events.onError(new Error(`${nodeId}: ended with status ${String(code)} ${String(message)}`));
    });
    this.#send({ node: Node.fromPartial({ id: nodeId, userAgentName: "bench" }), typeUrl: TYPE_URL.cluster });
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < 5 || this.#buffered < this.#wanted()) return;
    const [first = NO_BYTES] = this.#chunks;
    this.#received = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    for (let length = lengthOf(this.#received); length !== undefined && this.#received.length >= length; ) {
      this.#take(this.#received.subarray(5, length));
      this.#received = this.#received.subarray(length);
      length = lengthOf(this.#received);
    }
    this.#chunks = this.#received.length > 0 ? [this.#received] : [];
    this.#buffered = this.#received.length;
  }

  /** Bytes of the message that is coming in, with its head. */
  #wanted(): number {
    const [first = NO_BYTES] = this.#chunks;
    const head = first.length >= 5 ? first : Buffer.concat(this.#chunks);
    if (head !== first) this.#chunks = [head];
    return lengthOf(head) ?? 5;
  }

  #take(message: Buffer): void {
    const response = scanResponse(message);
    const { typeUrl, nonce, resources } = response;
    this.#events.onResponse(response, message.length + 5);
    if (typeUrl === TYPE_URL.cluster) this.#ask("endpoints", resources.map(nameOf).filter(isEds));
    this.#send({ typeUrl, responseNonce: nonce });
    if (typeUrl === TYPE_URL.listener) this.#ask("routes", resources.flatMap(routesOf));
    else if (typeUrl === TYPE_URL.endpoints) this.#missing.endpoints -= resources.length;
    else if (typeUrl === TYPE_URL.route) this.#missing.routes -= resources.length;
    if (this.#complete || this.#missing.endpoints > 0) return;
    if (!this.#listening) {
      this.#listening = true;
      this.#send({ typeUrl: TYPE_URL.listener });
    } else if (this.#missing.routes <= 0 && (typeUrl === TYPE_URL.route || this.#asked.routes.size === 0)) {
      this.#complete = true;
      this.#events.onComplete();
    }
  }

  #ask(type: "endpoints" | "routes", names: readonly string[]): void {
    const asked = this.#asked[type];
    const added = names.filter((name) => !asked.has(name));
    for (const name of added) asked.add(name);
    if (added.length === 0) return;
    this.#missing[type] += added.length;
    const typeUrl = type === "endpoints" ? TYPE_URL.endpoints : TYPE_URL.route;
    this.#send({ typeUrl, resourceNamesSubscribe: added });
  }

  #send(fields: Partial<DeltaDiscoveryRequest>): void {
    const message = METHOD.requestSerialize(DeltaDiscoveryRequest.fromPartial(fields));
    const framed = Buffer.allocUnsafe(message.length + 5);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, 5);
    this.#stream.write(framed);
  }
}

function lengthOf(bytes: Buffer): number | undefined {
  return bytes.length < 5 ? undefined : 5 + bytes.readUInt32BE(1);
}

function nameOf({ name }: ScannedResource): string {
  return name;
}

/** Services of a catalog are EDS clusters; BlackHole, Passthrough and inbound ones are not. */
function isEds(name: string): boolean {
  return name.startsWith("outbound|");
}

/** By name and version: all clients of this process get the same listeners. */
const parsedListeners = new Map<string, readonly string[]>();

function routesOf({ name, version, bytes }: ScannedResource): readonly string[] {
  const key = `${name} ${version}`;
  const known = parsedListeners.get(key);
  if (known !== undefined) return known;
  const listener = Listener.decode(bytes);
  const chains = [
    ...listener.filterChains,
    ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : []),
  ];
  const routes = chains.flatMap(({ filters }) =>
    filters.flatMap(({ typedConfig }) =>
      typedConfig?.typeUrl === HTTP_CONNECTION_MANAGER
        ? [HttpConnectionManager.decode(typedConfig.value).rds?.routeConfigName ?? ""]
        : [],
    ),
  );
  const names = routes.filter((route) => route !== "");
  parsedListeners.set(key, names);
  return names;
}
