import type { Client, ClientDuplexStream, MethodDefinition } from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "./gen/envoy/service/discovery/v3/discovery.ts";
import { asBuffer, type Codec } from "./grpc-method.ts";

/** Bytes of a message, made when the transport takes them: they are copied before anything else can happen. */
export type LateBytes = () => Uint8Array;

/** A server may answer with a message, or with bytes that already are one; a client always reads a message. */
export interface AdsMethod<Q, S> extends MethodDefinition<Q, S | Uint8Array | LateBytes> {
  readonly responseDeserialize: (bytes: Buffer) => S;
}

const ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const SDS = "/envoy.service.secret.v3.SecretDiscoveryService";

/** Aggregated discovery on Envoy's paths; both methods are streams of requests and of responses. */
export const adsService: {
  readonly deltaAggregatedResources: AdsMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly streamAggregatedResources: AdsMethod<DiscoveryRequest, DiscoveryResponse>;
} = {
  deltaAggregatedResources: method(
    `${ADS}/DeltaAggregatedResources`,
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
  ),
  streamAggregatedResources: method(`${ADS}/StreamAggregatedResources`, DiscoveryRequest, DiscoveryResponse),
};

/** Secret discovery by itself, for an Envoy that gets nothing else from here. */
export const secretDiscoveryService: {
  readonly deltaSecrets: AdsMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly streamSecrets: AdsMethod<DiscoveryRequest, DiscoveryResponse>;
} = {
  deltaSecrets: method(`${SDS}/DeltaSecrets`, DeltaDiscoveryRequest, DeltaDiscoveryResponse),
  streamSecrets: method(`${SDS}/StreamSecrets`, DiscoveryRequest, DiscoveryResponse),
};

export type DeltaClientStream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** Opens a delta stream. It fails (`error`) when the server cannot be reached; cancel it to be done with it. */
export function openDeltaStream(client: Client): DeltaClientStream {
  return open(client, adsService.deltaAggregatedResources);
}

/** The same, with responses as bytes: `readDeltaResponse` decodes them in steps. */
export function openDeltaByteStream(client: Client): ClientDuplexStream<DeltaDiscoveryRequest, Uint8Array> {
  const { path, requestSerialize } = adsService.deltaAggregatedResources;
  return client.makeBidiStreamRequest(
    path,
    (request: DeltaDiscoveryRequest) => requestSerialize(request),
    asIs,
  );
}

/** Opens a state-of-the-world stream. */
export function openSotwStream(client: Client): ClientDuplexStream<DiscoveryRequest, DiscoveryResponse> {
  return open(client, adsService.streamAggregatedResources);
}

function open<Q, S>(client: Client, method: AdsMethod<Q, S>): ClientDuplexStream<Q, S> {
  return client.makeBidiStreamRequest(
    method.path,
    (request: Q) => method.requestSerialize(request),
    (bytes) => method.responseDeserialize(bytes),
  );
}

function asIs(bytes: Buffer): Uint8Array {
  return bytes;
}

function method<Q, S>(path: string, request: Codec<Q>, response: Codec<S>): AdsMethod<Q, S> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message) => asBuffer(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => asBuffer(bytesOf(message, response)),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

function bytesOf<S>(message: S | Uint8Array | LateBytes, codec: Codec<S>): Uint8Array {
  if (typeof message === "function") return (message as LateBytes)();
  return message instanceof Uint8Array ? message : codec.encode(message).finish();
}
