import { readinessProbe } from "../../../mesh/model/readiness-probe.schema.ts";
import type { ReadinessProbe } from "../../../mesh/model/readiness-probe.ts";
import { parseHostPort } from "../../../mesh/model/vocabulary-upstreams.ts";
import { isObject, WrittenObject } from "./written-keys.ts";

export interface ReadChecks {
  /** The first check that can be asked. */
  readonly probe: ReadinessProbe | undefined;
  /** What is passed over, with its path and why. */
  readonly passedOver: readonly { readonly path: string; readonly message: string }[];
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** Consul's `check` and `checks` of a service: one becomes the probe of its application. */
export function readChecks(service: WrittenObject): ReadChecks {
  const one = service.get("check");
  const many = service.get("checks");
  const written = [
    ...(isObject(one) ? [new WrittenObject(one, service.pathOf("check"))] : []),
    ...(Array.isArray(many) ? many : []).flatMap((check: unknown, index) =>
      isObject(check) ? [new WrittenObject(check, `${service.pathOf("checks")}[${index}]`)] : [],
    ),
  ];
  const passedOver: { path: string; message: string }[] = [];
  let probe: ReadinessProbe | undefined;
  for (const check of written) {
    const asked = probeOf(check);
    if (asked === undefined) passedOver.push({ path: check.path, message: "is no check that an agent asks" });
    else if (probe !== undefined) passedOver.push({ path: check.path, message: "is one check too many" });
    else {
      probe = asked;
      for (const path of check.unread()) passedOver.push({ path, message: "means nothing here" });
    }
  }
  return { probe, passedOver };
}

/** Undefined: it is of a kind that is not asked (TTL, script in a container, alias, UDP). */
function probeOf(check: WrittenObject): ReadinessProbe | undefined {
  for (const key of ["id", "check_id", "name", "notes", "status", "service_id"]) check.get(key);
  const method = httpOf(check) ?? tcpOf(check) ?? grpcOf(check) ?? execOf(check);
  if (method === undefined) return undefined;
  const parsed = readinessProbe.safeParse({
    ...method,
    periodSeconds: secondsOf(check.get("interval")) ?? 10,
    timeoutSeconds: secondsOf(check.get("timeout")) ?? 0,
    successThreshold: (wholeOf(check.get("success_before_passing")) ?? 0) + 1,
    failureThreshold: (wholeOf(check.get("failures_before_critical")) ?? 0) + 1,
  });
  return parsed.data;
}

function httpOf(check: WrittenObject): object | undefined {
  const url = check.get("http");
  if (typeof url !== "string" || !URL.canParse(url)) return undefined;
  const { protocol, hostname, port, pathname, search } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") return undefined;
  const number = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  const scheme = protocol === "https:" ? "HTTPS" : "HTTP";
  return { httpGet: { path: `${pathname}${search}`, port: number, scheme, host: elsewhere(hostname) } };
}

function tcpOf(check: WrittenObject): object | undefined {
  const place = placeOf(check.get("tcp"));
  return place && { tcpSocket: { port: place.port, host: elsewhere(place.address) } };
}

function grpcOf(check: WrittenObject): object | undefined {
  const text = check.get("grpc");
  const [at, ...service] = typeof text === "string" ? text.split("/") : [];
  const place = placeOf(at);
  return place && elsewhere(place.address) === ""
    ? { grpc: { port: place.port, service: service.join("/") } }
    : undefined;
}

function execOf(check: WrittenObject): object | undefined {
  const command = check.get("args");
  return Array.isArray(command) && check.get("docker_container_id") === undefined
    ? { exec: { command: command.map(String) } }
    : undefined;
}

function placeOf(text: unknown): ReturnType<typeof parseHostPort> {
  return typeof text === "string" ? parseHostPort(text) : undefined;
}

/** Empty for the host itself: the agent knows better where its applications listen. */
function elsewhere(host: string): string {
  return /^(localhost|127\.[\d.]+|\[?::1\]?|0\.0\.0\.0)$/.test(host) ? "" : host;
}

/** Go's durations, in whole seconds and at least one. */
function secondsOf(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) return undefined;
  const seconds = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNIT_SECONDS[unit ?? ""] ?? 0),
    0,
  );
  return Math.max(1, Math.round(seconds));
}

function wholeOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}
