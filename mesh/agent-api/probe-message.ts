import { readinessProbe } from "../model/readiness-probe.schema.ts";
import type { ReadinessProbe } from "../model/readiness-probe.ts";
import type * as wire from "../xds/gen/lateen/agent/v1/agent.ts";

/** A probe as it goes to an agent. */
export function toProbeMessage({ check, ...probe }: ReadinessProbe): wire.Probe {
  const message: wire.Probe = {
    initialDelaySeconds: probe.initialDelayMs / 1000,
    timeoutSeconds: probe.timeoutMs / 1000,
    periodSeconds: probe.periodMs / 1000,
    successThreshold: probe.successThreshold,
    failureThreshold: probe.failureThreshold,
    http: undefined,
    tcp: undefined,
    grpc: undefined,
    exec: undefined,
  };
  switch (check.kind) {
    case "http": {
      const { path, port, host, scheme, headers } = check;
      return { ...message, http: { path, port, host, scheme, headers: headers.map((one) => ({ ...one })) } };
    }
    case "tcp":
      return { ...message, tcp: { host: check.host, port: check.port } };
    case "grpc":
      return { ...message, grpc: { port: check.port, service: check.service } };
    case "exec":
      return { ...message, exec: { command: [...check.command] } };
    default:
      return check satisfies never;
  }
}

/** Reads one; undefined: none that this version can run. It is judged like one that people write. */
export function parseProbeMessage({
  http,
  tcp,
  grpc,
  exec,
  ...probe
}: wire.Probe): ReadinessProbe | undefined {
  const httpGet = http && {
    path: http.path,
    port: http.port,
    host: http.host,
    scheme: http.scheme,
    httpHeaders: http.headers,
  };
  const checks = { httpGet, tcpSocket: tcp, grpc, exec };
  const there = Object.fromEntries(Object.entries(checks).filter(([, check]) => check !== undefined));
  return readinessProbe.safeParse({ ...probe, ...there }).data;
}
