import { resolve } from "node:path";
import { type GrpcEcho, startGrpcEcho } from "../../test/harness/grpc-echo.ts";
import { type ProgramPair, startProgramPair } from "../../test/harness/program-pair.ts";
import { CLUSTER, SERVER_ID } from "../../test/harness/proxy-pair.ts";
import { freePorts } from "../../test/harness/test-proxy.ts";
import {
  endpoints,
  httpOptions,
  inboundHttp,
  meshCluster,
  outboundHttp,
  routeConfig,
  routeTo,
  staticCluster,
} from "../../test/harness/xds-samples.ts";

const PLANTED = resolve(import.meta.dirname, "../../test/fakes/planted-faults.ts");
const GRPC_CLUSTER = "outbound|50051||server.default.svc.cluster.local";
const GRPC_ROUTES = "grpc";
const CONCURRENCY = 2;
const HTTP2 = httpOptions({ explicitHttpConfig: { http2ProtocolOptions: {} } });

/** Two built-in proxies of two workers each, with mTLS between them, and applications of all kinds behind the second. */
export interface SoakGround extends AsyncDisposable {
  readonly pair: ProgramPair;
  readonly grpcPort: number;
  /** Where the server's proxy takes HTTP, at two places. */
  readonly httpInbounds: readonly [number, number];
  /** Where it takes gRPC. */
  readonly grpcInbound: number;
}

export async function startSoakGround(): Promise<SoakGround> {
  const cleanup = new AsyncDisposableStack();
  const pair = cleanup.use(await startProgramPair(CONCURRENCY, PLANTED));
  const echo: GrpcEcho = cleanup.use(await startGrpcEcho("127.0.0.1", 0));
  const [grpcPort = 0, grpcInbound = 0, secondInbound = 0] = await freePorts(3);
  const { client, server } = pair;
  server.ads.set("cluster", "inbound|50051||", staticCluster("inbound|50051||", [echo.port], HTTP2));
  const inbounds = [
    [grpcInbound, "inbound|50051||"],
    [secondInbound, "inbound|80||"],
  ] as const;
  for (const [port, cluster] of inbounds) {
    const upgradeConfigs = [{ upgradeType: "websocket" }];
    const listener = inboundHttp({ mode: "STRICT", port, cluster, manager: { upgradeConfigs } });
    server.ads.set("listener", `127.0.0.1_${port}`, listener);
  }
  client.ads.set("cluster", GRPC_CLUSTER, meshCluster(GRPC_CLUSTER, SERVER_ID));
  client.ads.set("endpoints", GRPC_CLUSTER, endpoints(GRPC_CLUSTER, [grpcInbound], true));
  client.ads.set("endpoints", CLUSTER, endpoints(CLUSTER, [pair.httpInbound, secondInbound], true));
  client.ads.set("route", GRPC_ROUTES, routeConfig(GRPC_ROUTES, [routeTo(GRPC_CLUSTER)]));
  client.ads.set("listener", `127.0.0.1_${grpcPort}`, outboundHttp(grpcPort, GRPC_ROUTES));
  return {
    pair,
    grpcPort,
    grpcInbound,
    httpInbounds: [pair.httpInbound, secondInbound],
    [Symbol.asyncDispose]: async () => await cleanup.disposeAsync(),
  };
}
