import type { MethodDefinition } from "@grpc/grpc-js";
import { IstioCertificateRequest, IstioCertificateResponse } from "../xds/gen/istio/v1/auth/ca.ts";
import {
  JoinRequest,
  JoinResponse,
  ReportResult,
  TrustBundleAck,
  TrustBundleAckResult,
  TrustBundleRequest,
  TrustBundleResponse,
  WorkloadReport,
} from "../xds/gen/lateen/agent/v1/agent.ts";
import {
  X509BundlesRequest,
  X509BundlesResponse,
  X509SVIDRequest,
  X509SVIDResponse,
} from "../xds/gen/spiffe/workload/workload.ts";

/** The part of a generated message type that a gRPC method needs. */
interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

interface Shape {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

function method<Q, S>(shape: Shape, request: Codec<Q>, response: Codec<S>): MethodDefinition<Q, S> {
  return {
    ...shape,
    requestSerialize: (message) => asBuffer(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => asBuffer(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

/** grpc-js insists on a Buffer; this is a view, not a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const UNARY = { requestStream: false, responseStream: false } as const;

/** Istio's certificate service, on Istio's path. */
export const certificateService: {
  readonly createCertificate: MethodDefinition<IstioCertificateRequest, IstioCertificateResponse>;
} = {
  createCertificate: method(
    { path: "/istio.v1.auth.IstioCertificateService/CreateCertificate", ...UNARY },
    IstioCertificateRequest,
    IstioCertificateResponse,
  ),
};

/** What an agent says to its server beside ADS and certificates. */
export const agentService: {
  readonly join: MethodDefinition<JoinRequest, JoinResponse>;
  readonly register: MethodDefinition<WorkloadReport, ReportResult>;
  readonly watchTrustBundle: MethodDefinition<TrustBundleRequest, TrustBundleResponse>;
  readonly acknowledgeTrustBundle: MethodDefinition<TrustBundleAck, TrustBundleAckResult>;
} = {
  join: method({ path: "/lateen.agent.v1.AgentService/Join", ...UNARY }, JoinRequest, JoinResponse),
  register: method(
    { path: "/lateen.agent.v1.AgentService/Register", requestStream: true, responseStream: true },
    WorkloadReport,
    ReportResult,
  ),
  watchTrustBundle: method(
    { path: "/lateen.agent.v1.AgentService/WatchTrustBundle", requestStream: false, responseStream: true },
    TrustBundleRequest,
    TrustBundleResponse,
  ),
  acknowledgeTrustBundle: method(
    { path: "/lateen.agent.v1.AgentService/AcknowledgeTrustBundle", ...UNARY },
    TrustBundleAck,
    TrustBundleAckResult,
  ),
};

const ANSWERED_BY_A_STREAM = { requestStream: false, responseStream: true } as const;

/** The X.509 profile of the SPIFFE Workload API, which an agent serves to applications on its host. */
export const workloadApi: {
  readonly fetchX509SVID: MethodDefinition<X509SVIDRequest, X509SVIDResponse>;
  readonly fetchX509Bundles: MethodDefinition<X509BundlesRequest, X509BundlesResponse>;
} = {
  fetchX509SVID: method(
    { path: "/SpiffeWorkloadAPI/FetchX509SVID", ...ANSWERED_BY_A_STREAM },
    X509SVIDRequest,
    X509SVIDResponse,
  ),
  fetchX509Bundles: method(
    { path: "/SpiffeWorkloadAPI/FetchX509Bundles", ...ANSWERED_BY_A_STREAM },
    X509BundlesRequest,
    X509BundlesResponse,
  ),
};
