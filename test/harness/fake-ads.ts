import { readFileSync } from "node:fs";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { adsService } from "../../mesh/xds/ads-service.ts";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";

type Kind = keyof typeof TYPE_URL;
type Stream = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse | Uint8Array>;

interface Held {
  readonly version: string;
  readonly bytes: Uint8Array;
}

interface Session {
  readonly stream: Stream;
  /** By type: names, or `*`. */
  readonly subscribed: Map<string, Set<string>>;
}

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

/** An agent's ADS socket for tests: holds resources written as ProtoJSON, and remembers every answer. */
export class FakeAds implements AsyncDisposable {
  readonly requests: DeltaDiscoveryRequest[] = [];
  readonly #resources = new Map<string, Map<string, Held>>();
  readonly #sessions = new Set<Session>();
  readonly #path: string;
  #server: Server | undefined;
  #nonce = 0;
  #version = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async start(): Promise<void> {
    const server = new Server();
    server.addService(
      { delta: adsService.deltaAggregatedResources },
      { delta: (stream: Stream) => this.#serve(stream) },
    );
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${this.#path}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    this.#server = server;
  }

  /** Ends every stream at once, as a killed agent does. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#sessions.clear();
  }

  // oxlint-disable-next-line typescript/require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }

  /** Sets a resource and pushes it to those who want it. */
  set(kind: Kind, name: string, resource: JsonValue): void {
    this.setAll(kind, [[name, resource]]);
  }

  /** Sets many, and pushes them in one response. */
  setAll(kind: Kind, resources: readonly (readonly [name: string, resource: JsonValue])[]): void {
    this.prepare(kind, resources)();
  }

  /** Encodes many now; returns what sets them, and pushes them in one response. */
  prepare(kind: Kind, resources: readonly (readonly [name: string, resource: JsonValue])[]): () => void {
    const type = TYPE_URL[kind];
    const encoded = resources.map(([name, resource]) => {
      return [name, { version: `v${++this.#version}`, bytes: json.jsonToResource(type, resource) }] as const;
    });
    return () => {
      for (const [name, held] of encoded) this.#held(type).set(name, held);
      const names = encoded.map(([name]) => name);
      for (const session of this.#sessions) this.#push(session, type, names, []);
    };
  }

  remove(kind: Kind, name: string): void {
    const type = TYPE_URL[kind];
    this.#held(type).delete(name);
    for (const session of this.#sessions) this.#push(session, type, [], [name]);
  }

  /** Reasons of all NACKs so far. */
  get nacks(): string[] {
    return this.requests.flatMap(({ errorDetail }) => (errorDetail ? [errorDetail.message] : []));
  }

  acks(kind: Kind): number {
    return this.requests.filter(
      ({ typeUrl, responseNonce, errorDetail }) =>
        typeUrl === TYPE_URL[kind] && responseNonce !== "" && !errorDetail,
    ).length;
  }

  #held(type: string): Map<string, Held> {
    const held = this.#resources.get(type) ?? new Map<string, Held>();
    this.#resources.set(type, held);
    return held;
  }

  #serve(stream: Stream): void {
    const session: Session = { stream, subscribed: new Map() };
    this.#sessions.add(session);
    stream.on("error", () => this.#sessions.delete(session));
    stream.on("end", () => {
      this.#sessions.delete(session);
      stream.end();
    });
    stream.on("data", (request: DeltaDiscoveryRequest) => {
      this.requests.push(request);
      this.#take(session, request);
    });
  }

  #take(session: Session, request: DeltaDiscoveryRequest): void {
    const { typeUrl } = request;
    const known = session.subscribed.get(typeUrl);
    const names = known ?? new Set(request.resourceNamesSubscribe.length === 0 ? ["*"] : []);
    session.subscribed.set(typeUrl, names);
    for (const name of request.resourceNamesSubscribe) names.add(name);
    for (const name of request.resourceNamesUnsubscribe) names.delete(name);
    const wanted = known ? request.resourceNamesSubscribe : [...this.#held(typeUrl).keys()];
    const news = wanted.filter(
      (name) => this.#held(typeUrl).get(name)?.version !== request.initialResourceVersions[name],
    );
    if (!known || news.length > 0) this.#push(session, typeUrl, news, []);
  }

  #push(session: Session, type: string, names: readonly string[], removed: readonly string[]): void {
    const subscribed = session.subscribed.get(type);
    if (subscribed === undefined) return;
    const wanted = (name: string): boolean => subscribed.has("*") || subscribed.has(name);
    const resources = names.filter(wanted).flatMap((name) => {
      const held = this.#held(type).get(name);
      return held ? [{ name, version: held.version, resource: { typeUrl: type, value: held.bytes } }] : [];
    });
    if (names.length > 0 && resources.length === 0) return;
    session.stream.write(
      DeltaDiscoveryResponse.fromPartial({
        typeUrl: type,
        nonce: String(++this.#nonce),
        resources,
        removedResources: removed.filter(wanted),
      }),
    );
  }
}
