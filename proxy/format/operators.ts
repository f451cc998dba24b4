import { isIP } from "node:net";
import { hostname } from "node:os";
import type { HttpRecord, TrafficRecord, UpstreamEnd } from "../telemetry/records.ts";
import { flagsLong, flagsText } from "../telemetry/response-flags.ts";
import type { Command } from "./format.ts";
import { headerOperator } from "./header-operators.ts";
import { compileTime } from "./time-format.ts";

/** Undefined: there is no such value. */
export type Value = string | number | undefined;

/** Reads a value off what is known of a request or connection by then; `durationMs` is its age. */
export type Extractor = (record: TrafficRecord, durationMs: number) => Value;

type Plain = (record: TrafficRecord, durationMs: number) => Value;

/** Nothing of its kind is ever known here: always a dash, as in an Envoy that has no such thing. */
const NEVER: Plain = () => undefined;

const ofHttp =
  (read: (record: HttpRecord, durationMs: number) => Value): Plain =>
  (record, durationMs) =>
    record.kind === "http" ? read(record, durationMs) : undefined;

const some = (text: string | undefined): Value => (text === "" ? undefined : text);
const whole = (ms: number | undefined): Value => (ms === undefined ? undefined : Math.trunc(ms));

/** Commands without an argument, by Envoy's names. */
const PLAIN: Readonly<Record<string, Plain>> = {
  ACCESS_LOG_TYPE: ({ kind }) => (kind === "http" ? "DownstreamEnd" : "TcpConnectionEnd"),
  BYTES_RECEIVED: ({ bytesReceived }) => bytesReceived,
  BYTES_SENT: ({ bytesSent }) => bytesSent,
  CONNECTION_TERMINATION_DETAILS: NEVER,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ({ ends }) => ends.remoteAddress,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: ({ ends }) => hostOf(ends.remoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_PORT: ({ ends }) => portOf(ends.remoteAddress),
  DOWNSTREAM_LOCAL_ADDRESS: ({ ends }) => ends.localAddress,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ({ ends }) => hostOf(ends.localAddress),
  DOWNSTREAM_LOCAL_PORT: ({ ends }) => portOf(ends.localAddress),
  DOWNSTREAM_LOCAL_URI_SAN: ({ ends }) => (ends.secure ? ends.ownId : undefined),
  DOWNSTREAM_PEER_URI_SAN: ({ ends }) => ends.clientId,
  DOWNSTREAM_REMOTE_ADDRESS: (record) => callerAddress(record),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (record) => hostOf(callerAddress(record)),
  DOWNSTREAM_REMOTE_PORT: (record) => portOf(callerAddress(record)),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: NEVER,
  DURATION: (_record, durationMs) => Math.trunc(durationMs),
  GRPC_STATUS_NUMBER: ofHttp(({ grpcStatus }) => grpcStatus),
  HOSTNAME: () => HOST,
  PROTOCOL: ofHttp(({ protocol }) => protocol),
  REQUEST_DURATION: ofHttp(({ requestMs }) => whole(requestMs)),
  REQUESTED_SERVER_NAME: ({ ends }) => some(ends.serverName),
  RESPONSE_CODE: (record) => (record.kind === "http" ? record.status : 0),
  RESPONSE_CODE_DETAILS: ofHttp(({ details }) => some(details)),
  RESPONSE_DURATION: ofHttp(({ responseMs }) => whole(responseMs)),
  RESPONSE_FLAGS: ({ flags }) => flagsText(flags),
  RESPONSE_FLAGS_LONG: ({ flags }) => flagsLong(flags),
  RESPONSE_TX_DURATION: ofHttp(({ responseMs }, durationMs) =>
    responseMs === undefined ? undefined : Math.trunc(durationMs - responseMs),
  ),
  ROUTE_NAME: ofHttp(({ route }) => some(route)),
  TRACE_ID: ofHttp(({ span }) => span?.context.traceId),
  UPSTREAM_CLUSTER: ({ upstream }) => some(upstream.cluster),
  UPSTREAM_CLUSTER_RAW: ({ upstream }) => some(upstream.cluster),
  UPSTREAM_HOST: ({ upstream }) => some(upstream.host),
  UPSTREAM_LOCAL_ADDRESS: ({ upstream }) => some(upstream.localAddress),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ({ upstream }) => hostOf(upstream.localAddress),
  UPSTREAM_LOCAL_PORT: ({ upstream }) => portOf(upstream.localAddress),
  UPSTREAM_PEER_URI_SAN: ({ upstream }) => upstream.id,
  UPSTREAM_REMOTE_ADDRESS: ({ upstream }) => some(connectedTo(upstream)),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ({ upstream }) => hostOf(connectedTo(upstream)),
  UPSTREAM_REMOTE_PORT: ({ upstream }) => portOf(connectedTo(upstream)),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: (record) => (record.kind === "http" ? record.attempts : 0),
  UPSTREAM_TRANSPORT_FAILURE_REASON: ({ upstream }) => some(upstream.failure.replaceAll(" ", "_")),
  VIRTUAL_CLUSTER_NAME: NEVER,
};

const GRPC_CODES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/** Commands whose argument says what is meant. Undefined: the argument means nothing. */
const WITH_ARGUMENT: Readonly<Record<string, (argument: string) => Plain | undefined>> = {
  DYNAMIC_METADATA: (argument) => {
    const [filter = "", ...path] = argument.split(":");
    return filter === "" ? undefined : ofHttp(({ metadata }) => asText(metadata?.get(filter, path)));
  },
  EMIT_TIME: (argument) => {
    const format = compileTime(argument);
    return format && ((record, durationMs) => format(record.startedAt + durationMs));
  },
  ENVIRONMENT: (argument) => () => process.env[argument],
  // Filters leave state for each other only inside Envoy.
  FILTER_STATE: (argument) => (argument === "" ? undefined : NEVER),
  GRPC_STATUS: (argument) => compileGrpcStatus(argument),
  PATH: (argument) => compilePath(argument),
  QUERY_PARAM: (argument) =>
    argument === ""
      ? undefined
      : ofHttp(({ target }) => new URLSearchParams(target.split("?")[1] ?? "").get(argument) ?? undefined),
  START_TIME: (argument) => {
    const format = compileTime(argument);
    return format && (({ startedAt }) => format(startedAt));
  },
};

/** Commands that may stand without the argument they take. */
const OPTIONAL_ARGUMENT = new Set(["EMIT_TIME", "GRPC_STATUS", "PATH", "START_TIME"]);

const HOST = hostname();

/** How a command's value is read. Undefined: there is no such command, or its argument means nothing. */
export function compileCommand({ name, argument }: Command): Extractor | undefined {
  if (Object.hasOwn(PLAIN, name)) return argument === undefined ? PLAIN[name] : undefined;
  const header = headerOperator(name, argument);
  if (header !== undefined) return header;
  if (!Object.hasOwn(WITH_ARGUMENT, name)) return undefined;
  if (argument === undefined && !OPTIONAL_ARGUMENT.has(name)) return undefined;
  return WITH_ARGUMENT[name]?.(argument ?? "");
}

function compileGrpcStatus(argument: string): Plain | undefined {
  const upper = (name: string): string => name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
  const spell: ((code: number) => Value) | undefined = {
    "": (code: number) => GRPC_CODES[code] ?? code,
    CAMEL_STRING: (code: number) => GRPC_CODES[code] ?? code,
    SNAKE_STRING: (code: number) => upper(GRPC_CODES[code] ?? String(code)),
    NUMBER: (code: number) => code,
  }[argument];
  return spell && ofHttp(({ grpcStatus }) => (grpcStatus === undefined ? undefined : spell(grpcStatus)));
}

/** `PATH(WQ|NQ)`: with its query or without. */
function compilePath(argument: string): Plain | undefined {
  const [query = "WQ", which = "PATH_OR_ORIG", ...rest] = argument === "" ? [] : argument.split(":");
  if (
    rest.length > 0 ||
    !["WQ", "NQ"].includes(query) ||
    !["ORIG", "PATH", "ORIG_OR_PATH", "PATH_OR_ORIG"].includes(which)
  )
    return undefined;
  const original = which.startsWith("ORIG");
  return ofHttp(({ path, target }) => {
    const written = original ? path : target;
    return query === "WQ" ? written : written.split("?")[0];
  });
}

function asText(value: unknown): Value {
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);
}

/** Empty: the connection did not come about. */
function connectedTo({ host, localAddress }: UpstreamEnd): string {
  return localAddress === "" ? "" : host;
}

/** Who is behind a proxy before this one, as far as that says so (Envoy: the last address of `x-forwarded-for`). */
function callerAddress(record: TrafficRecord): string {
  const forwarded = record.kind === "http" ? record.requestHeaders.get("x-forwarded-for") : undefined;
  const last = forwarded?.slice(forwarded.lastIndexOf(",") + 1).trim();
  if (last === undefined || isIP(last) === 0) return record.ends.remoteAddress;
  return isIP(last) === 6 ? `[${last}]:0` : `${last}:0`;
}

function hostOf(address: string): Value {
  if (address === "") return undefined;
  const host = address.slice(0, address.lastIndexOf(":"));
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

function portOf(address: string): Value {
  return address === "" ? undefined : Number(address.slice(address.lastIndexOf(":") + 1));
}
