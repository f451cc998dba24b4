import type { MethodDefinition } from "@grpc/grpc-js";
import { IstioCertificateRequest, IstioCertificateResponse } from "../xds/gen/istio/v1/auth/ca.ts";
import {
  CallReport,
  CallReportResult,
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
import { grpcMethod } from "../xds/grpc-method.ts";

const UNARY = { requestStream: false, responseStream: false } as const;

/** Istio's certificate service, on Istio's path. */
export const certificateService: {
  readonly createCertificate: MethodDefinition<IstioCertificateRequest, IstioCertificateResponse>;
} = {
  createCertificate: grpcMethod(
    { path: "/istio.v1.auth.IstioCertificateService/CreateCertificate", ...UNARY },
    IstioCertificateRequest,
    IstioCertificateResponse,
  ),
};

/** What an agent says to its server beside ADS and certificates. */
export const agentService: {
  readonly join: MethodDefinition<JoinRequest, JoinResponse>;
  readonly register: MethodDefinition<WorkloadReport, ReportResult>;
  readonly reportCalls: MethodDefinition<CallReport, CallReportResult>;
  readonly watchTrustBundle: MethodDefinition<TrustBundleRequest, TrustBundleResponse>;
  readonly acknowledgeTrustBundle: MethodDefinition<TrustBundleAck, TrustBundleAckResult>;
} = {
  join: grpcMethod({ path: "/lateen.agent.v1.AgentService/Join", ...UNARY }, JoinRequest, JoinResponse),
  register: grpcMethod(
    { path: "/lateen.agent.v1.AgentService/Register", requestStream: true, responseStream: true },
    WorkloadReport,
    ReportResult,
  ),
  reportCalls: grpcMethod(
    { path: "/lateen.agent.v1.AgentService/ReportCalls", ...UNARY },
    CallReport,
    CallReportResult,
  ),
  watchTrustBundle: grpcMethod(
    { path: "/lateen.agent.v1.AgentService/WatchTrustBundle", requestStream: false, responseStream: true },
    TrustBundleRequest,
    TrustBundleResponse,
  ),
  acknowledgeTrustBundle: grpcMethod(
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
  fetchX509SVID: grpcMethod(
    { path: "/SpiffeWorkloadAPI/FetchX509SVID", ...ANSWERED_BY_A_STREAM },
    X509SVIDRequest,
    X509SVIDResponse,
  ),
  fetchX509Bundles: grpcMethod(
    { path: "/SpiffeWorkloadAPI/FetchX509Bundles", ...ANSWERED_BY_A_STREAM },
    X509BundlesRequest,
    X509BundlesResponse,
  ),
};
