import { once } from "node:events";
import type { Socket } from "node:net";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../../mesh/xds/gen/grpc/health/v1/health.ts";
import type { HealthProbe, StatusRange } from "../../model/health-check.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { CheckOutcome } from "../../tables/health.ts";
import { type Answer, askOnce } from "../http/ask-once.ts";
import { frameOf, messageOf } from "../http/grpc-message.ts";
import type { HostPool } from "../upstream/host-pool.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";

const MOST_ANSWER_BYTES = 64 * 1024;
const GRPC_CHECK = "/grpc.health.v1.Health/Check";

export interface Probing {
  readonly cluster: UpstreamCluster;
  readonly host: UpstreamHost;
  readonly pool: HostPool;
  readonly timeoutMs: number;
  readonly gone: AbortSignal;
}

type HttpProbe = Extract<HealthProbe, { readonly kind: "http" }>;
type TcpProbe = Extract<HealthProbe, { readonly kind: "tcp" }>;
type GrpcProbe = Extract<HealthProbe, { readonly kind: "grpc" }>;

/** Asks a host once whether it is well. Never rejects. */
export async function probeHost(probe: HealthProbe, probing: Probing): Promise<CheckOutcome> {
  switch (probe.kind) {
    case "http":
      return await probeHttp(probe, probing);
    case "tcp":
      return await probeTcp(probe, probing);
    case "grpc":
      return await probeGrpc(probe, probing);
    default:
      return probe satisfies never;
  }
}

async function probeHttp(probe: HttpProbe, probing: Probing): Promise<CheckOutcome> {
  const headers = new HeaderList();
  headers.append("user-agent", "Lateen/HC");
  const { method, path, host } = probe;
  const answer = await ask(probing, { method, target: path, authority: host, headers });
  if (answer === undefined) return "fail";
  const within = (ranges: readonly StatusRange[]): boolean =>
    ranges.some(({ start, end }) => answer.status >= start && answer.status < end);
  if (within(probe.expected)) return "pass";
  return within(probe.retriable) ? "fail" : "dead";
}

async function probeGrpc({ service, authority }: GrpcProbe, probing: Probing): Promise<CheckOutcome> {
  const headers = new HeaderList();
  headers.append("content-type", "application/grpc");
  headers.append("grpc-timeout", `${Math.ceil(probing.timeoutMs)}m`);
  const body = frameOf(HealthCheckRequest.encode({ service }).finish());
  const answer = await ask(probing, { method: "POST", target: GRPC_CHECK, authority, headers, body });
  if (answer === undefined) return "fail";
  const status = (answer.trailers ?? answer.headers).get("grpc-status");
  const message = answer.status === 200 && status === "0" ? messageOf(answer.body) : undefined;
  if (message === undefined) return "fail";
  try {
    return HealthCheckResponse.decode(message).status === Serving.SERVING ? "pass" : "dead";
  } catch {
    return "fail";
  }
}

interface Question {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly headers: HeaderList;
  readonly body?: Buffer;
}

async function ask(
  { cluster, pool, timeoutMs, gone }: Probing,
  { method, target, authority, headers, body }: Question,
): Promise<Answer | undefined> {
  return await askOnce({
    pool,
    head: {
      method,
      target,
      authority: authority || cluster.model.name.replace(/[^\w.-]/g, "-"),
      scheme: undefined,
      upgrade: undefined,
      headers,
      body: body ? { kind: "sized", bytes: body.length } : { kind: "none" },
      expectsContinue: false,
    },
    ...(body && { body }),
    alarms: cluster.alarms,
    timeoutMs,
    mostBytes: MOST_ANSWER_BYTES,
    gone,
  });
}

async function probeTcp(probe: TcpProbe, { cluster, host, timeoutMs, gone }: Probing): Promise<CheckOutcome> {
  const patience = AbortSignal.any([gone, AbortSignal.timeout(timeoutMs)]);
  try {
    const { socket } = await cluster.connectForCheck(host, patience);
    try {
      if (probe.send.length > 0) socket.write(probe.send);
      return (await brings(socket, probe.receive, patience)) ? "pass" : "fail";
    } finally {
      socket.destroy();
    }
  } catch {
    return "fail";
  }
}

/** Whether all of it comes, in order, whatever is between. */
async function brings(socket: Socket, wanted: readonly Buffer[], patience: AbortSignal): Promise<boolean> {
  let left = [...wanted];
  let seen = Buffer.alloc(0);
  while (left.length > 0) {
    const [chunk] = (await once(socket, "data", { signal: patience })) as [Buffer];
    seen = Buffer.concat([seen, chunk]);
    for (let [next] = left; next !== undefined; [next] = left) {
      const at = seen.indexOf(next);
      if (at < 0) break;
      seen = seen.subarray(at + next.length);
      left = left.slice(1);
    }
    if (seen.length > MOST_ANSWER_BYTES) return false;
  }
  return true;
}
