import { RE2JS } from "re2js";
import type { CelExpression, CelOperator } from "../../mesh/cel/expression.ts";
import type { HttpRecord, TrafficRecord } from "../telemetry/records.ts";

type Evaluate = (record: TrafficRecord, durationMs: number) => unknown;

/** What an expression that cannot be told comes to: an attribute that is not there, types that do not fit. */
const NOTHING = undefined;

/**
 * Compiles a condition on a request or connection (Envoy's attributes). What cannot be told is not true, as in Envoy.
 * Undefined: it asks for an attribute that is not known; `unknown` gets its name.
 */
export function compileCondition(
  expression: CelExpression,
  unknown: (attribute: string) => void,
): (record: TrafficRecord, durationMs: number) => boolean {
  const evaluate = compile(expression, unknown);
  return (record, durationMs) => evaluate(record, durationMs) === true;
}

function compile(expression: CelExpression, unknown: (attribute: string) => void): Evaluate {
  const inner = (one: CelExpression): Evaluate => compile(one, unknown);
  switch (expression.kind) {
    case "literal":
      return () => expression.value;
    case "attribute":
    case "has": {
      const read = attribute(expression.path);
      if (read === undefined) unknown(expression.path.join("."));
      if (expression.kind === "has") return (record, ms) => read?.(record, ms) !== NOTHING;
      return read ?? (() => NOTHING);
    }
    case "list": {
      const items = expression.items.map(inner);
      return (record, ms) => items.map((item) => item(record, ms));
    }
    case "not": {
      const of = inner(expression.of);
      return (record, ms) => {
        const value = of(record, ms);
        return typeof value === "boolean" ? !value : NOTHING;
      };
    }
    case "size": {
      const of = inner(expression.of);
      return (record, ms) => {
        const value = of(record, ms);
        return typeof value === "string" || Array.isArray(value) ? value.length : NOTHING;
      };
    }
    case "binary":
      if (expression.operator === "in") {
        const header = headerAsked(expression);
        if (header !== undefined) return inner({ kind: "has", path: header });
      }
      return binary(expression.operator, inner(expression.left), inner(expression.right));
    case "method":
      return method(expression, inner);
    default:
      return expression satisfies never;
  }
}

/** `"x" in request.headers`: whether it is there. */
function headerAsked({ left, right }: Extract<CelExpression, { kind: "binary" }>): string[] | undefined {
  if (right.kind !== "attribute" || right.path.length !== 2 || right.path[1] !== "headers") return undefined;
  return left.kind === "literal" && typeof left.value === "string" ? [...right.path, left.value] : undefined;
}

function binary(operator: CelOperator, left: Evaluate, right: Evaluate): Evaluate {
  // One side can decide alone, even where the other cannot be told.
  if (operator === "&&" || operator === "||") {
    const decides = operator === "||";
    return (record, ms) => {
      const one = left(record, ms);
      if (one === decides) return decides;
      const other = right(record, ms);
      if (other === decides) return decides;
      return typeof one === "boolean" && typeof other === "boolean" ? !decides : NOTHING;
    };
  }
  return (record, ms) => compare(operator, left(record, ms), right(record, ms));
}

function compare(operator: Exclude<CelOperator, "&&" | "||">, a: unknown, b: unknown): boolean | undefined {
  if (a === NOTHING || b === NOTHING) return NOTHING;
  if (operator === "==") return a === b;
  if (operator === "!=") return a !== b;
  if (operator === "in") return Array.isArray(b) ? b.includes(a) : NOTHING;
  const numbers = typeof a === "number" && typeof b === "number";
  const texts = typeof a === "string" && typeof b === "string";
  if (!numbers && !texts) return NOTHING;
  switch (operator) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    default:
      return operator satisfies never;
  }
}

function method(
  { method: name, of, argument }: Extract<CelExpression, { kind: "method" }>,
  inner: (one: CelExpression) => Evaluate,
): Evaluate {
  const read = inner(of);
  const readArgument = inner(argument);
  if (name === "matches") {
    if (argument.kind !== "literal" || typeof argument.value !== "string") return () => NOTHING;
    const pattern = RE2JS.compile(argument.value);
    return (record, ms) => {
      const text = read(record, ms);
      return typeof text === "string" ? pattern.matcher(text).find() : NOTHING;
    };
  }
  const test = TESTS[name];
  return (record, ms) => {
    const [text, part] = [read(record, ms), readArgument(record, ms)];
    return typeof text === "string" && typeof part === "string" ? test(text, part) : NOTHING;
  };
}

const TESTS = {
  startsWith: (text: string, part: string) => text.startsWith(part),
  endsWith: (text: string, part: string) => text.endsWith(part),
  contains: (text: string, part: string) => text.includes(part),
} as const;

const ofHttp =
  (read: (record: HttpRecord, ms: number) => unknown): Evaluate =>
  (record, ms) =>
    record.kind === "http" ? read(record, ms) : NOTHING;

/** Envoy's attributes, by name. */
const ATTRIBUTES: Readonly<Record<string, Evaluate>> = {
  "request.method": ofHttp(({ method }) => method),
  "request.path": ofHttp(({ target }) => target),
  "request.url_path": ofHttp(({ target }) => target.split("?")[0]),
  "request.query": ofHttp(({ target }) => target.split("?")[1] ?? ""),
  "request.host": ofHttp(({ calledAuthority }) => calledAuthority),
  "request.id": ofHttp(({ requestId }) => requestId || NOTHING),
  "request.protocol": ofHttp(({ protocol }) => protocol),
  "request.size": ofHttp(({ bytesReceived }) => bytesReceived),
  "request.useragent": ofHttp(({ requestHeaders }) => requestHeaders.first("user-agent")),
  "response.code": ofHttp(({ status }) => (status === 0 ? NOTHING : status)),
  "response.code_details": ofHttp(({ details }) => details || NOTHING),
  "response.grpc_status": ofHttp(({ grpcStatus }) => grpcStatus ?? NOTHING),
  "response.size": ofHttp(({ bytesSent }) => bytesSent),
  "connection.mtls": ({ ends }) => ends.clientId !== undefined,
  "connection.requested_server_name": ({ ends }) => ends.serverName,
  "connection.uri_san_peer_certificate": ({ ends }) => ends.clientId,
  "source.address": ({ ends }) => ends.remoteAddress,
  "destination.address": ({ ends }) => ends.localAddress,
  "upstream.address": ({ upstream }) => upstream.host || NOTHING,
  "upstream.transport_failure_reason": ({ upstream }) => upstream.failure,
  "xds.cluster_name": ({ upstream }) => upstream.cluster || NOTHING,
  "xds.route_name": ofHttp(({ route }) => route),
};

function attribute(path: readonly string[]): Evaluate | undefined {
  const [first, second, name, ...rest] = path;
  if (second === "headers" && name !== undefined && rest.length === 0) {
    const header = name.toLowerCase();
    if (first === "request")
      return ofHttp((record) => pseudo(record, header) ?? record.requestHeaders.first(header));
    if (first === "response") return ofHttp(({ responseHeaders }) => responseHeaders?.first(header));
  }
  const spelled = path.join(".");
  return Object.hasOwn(ATTRIBUTES, spelled) ? ATTRIBUTES[spelled] : undefined;
}

function pseudo({ method, target, calledAuthority }: HttpRecord, header: string): string | undefined {
  switch (header) {
    case ":method":
      return method;
    case ":path":
      return target;
    case ":authority":
      return calledAuthority;
    default:
      return undefined;
  }
}
