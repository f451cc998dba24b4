import type { MethodDefinition } from "@grpc/grpc-js";
import { IstioCertificateRequest, IstioCertificateResponse } from "../xds/gen/istio/v1/auth/ca.ts";
import {
  CallReport,
  CallReportResult,
  JoinRequest,
  JoinResponse,
  JwtSvidRequest,
  JwtSvidResponse,
  ReportResult,
  TrustBundleAck,
  TrustBundleAckResult,
  TrustBundleRequest,
  TrustBundleResponse,
  WorkloadReport,
} from "../xds/gen/lateen/agent/v1/agent.ts";
import {
  JWTBundlesRequest,
  JWTBundlesResponse,
  JWTSVIDRequest,
  JWTSVIDResponse,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponse,
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
  readonly issueJwtSvid: MethodDefinition<JwtSvidRequest, JwtSvidResponse>;
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
  issueJwtSvid: grpcMethod(
    { path: "/lateen.agent.v1.AgentService/IssueJwtSvid", ...UNARY },
    JwtSvidRequest,
    JwtSvidResponse,
  ),
};

const ANSWERED_BY_A_STREAM = { requestStream: false, responseStream: true } as const;

/** The SPIFFE Workload API, which an agent serves to applications on its host. */
export const workloadApi: {
  readonly fetchX509SVID: MethodDefinition<X509SVIDRequest, X509SVIDResponse>;
  readonly fetchX509Bundles: MethodDefinition<X509BundlesRequest, X509BundlesResponse>;
  readonly fetchJWTSVID: MethodDefinition<JWTSVIDRequest, JWTSVIDResponse>;
  readonly fetchJWTBundles: MethodDefinition<JWTBundlesRequest, JWTBundlesResponse>;
  readonly validateJWTSVID: MethodDefinition<ValidateJWTSVIDRequest, ValidateJWTSVIDResponse>;
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
  fetchJWTSVID: grpcMethod(
    { path: "/SpiffeWorkloadAPI/FetchJWTSVID", ...UNARY },
    JWTSVIDRequest,
    JWTSVIDResponse,
  ),
  fetchJWTBundles: grpcMethod(
    { path: "/SpiffeWorkloadAPI/FetchJWTBundles", ...ANSWERED_BY_A_STREAM },
    JWTBundlesRequest,
    JWTBundlesResponse,
  ),
  validateJWTSVID: grpcMethod(
    { path: "/SpiffeWorkloadAPI/ValidateJWTSVID", ...UNARY },
    ValidateJWTSVIDRequest,
    ValidateJWTSVIDResponse,
  ),
};
