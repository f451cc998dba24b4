import { randomFillSync } from "node:crypto";
import type { HeaderList } from "../../tables/header-list.ts";
import type { SpanContext } from "./span.ts";

/** What the caller says of tracing. */
export interface Incoming {
  /** The span of which its request is part. Undefined: the trace begins here. */
  readonly parent: Omit<SpanContext, "sampled"> | undefined;
  /** Undefined: it leaves that to us. */
  readonly sampled: boolean | undefined;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;
const ID = /^(?!0+$)(?:[\da-f]{16}){1,2}$/;
const SPAN_ID = /^(?!0{16}$)[\da-f]{16}$/;

const NOTHING: Incoming = { parent: undefined, sampled: undefined };

/**
 * Reads W3C's `traceparent`, or Zipkin's B3 in one header or several, whichever is there and of valid form. B3 may
 * decide about sampling without naming a trace.
 */
export function extract(headers: HeaderList): Incoming {
  return fromTraceparent(headers) ?? fromSingleB3(headers.first("b3")) ?? fromB3(headers) ?? NOTHING;
}

function fromTraceparent(headers: HeaderList): Incoming | undefined {
  const found = TRACEPARENT.exec(headers.first("traceparent") ?? "");
  if (found === null) return undefined;
  const [, traceId = "", spanId = "", flags = ""] = found;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { parent: { traceId, spanId, state: headers.get("tracestate") ?? "" }, sampled };
}

function fromSingleB3(b3: string | undefined): Incoming | undefined {
  if (b3 === undefined) return undefined;
  const alone = decisionOf(b3);
  if (alone !== undefined) return { parent: undefined, sampled: alone };
  const [trace = "", spanId = "", sampled] = b3.toLowerCase().split("-");
  return ID.test(trace) && SPAN_ID.test(spanId) ? incomingB3(trace, spanId, sampled) : undefined;
}

function fromB3(headers: HeaderList): Incoming | undefined {
  const decision = headers.first("x-b3-flags") === "1" ? "d" : headers.first("x-b3-sampled");
  const trace = headers.first("x-b3-traceid")?.toLowerCase();
  const spanId = headers.first("x-b3-spanid")?.toLowerCase() ?? "";
  if (trace !== undefined && ID.test(trace) && SPAN_ID.test(spanId))
    return incomingB3(trace, spanId, decision);
  const sampled = decisionOf(decision);
  return sampled === undefined ? undefined : { parent: undefined, sampled };
}

function incomingB3(trace: string, spanId: string, decision: string | undefined): Incoming {
  const parent = { traceId: trace.padStart(32, "0"), spanId, state: "" };
  return { parent, sampled: decisionOf(decision) };
}

/** B3's sampling state, with the words of its older versions. Undefined: there is none. */
function decisionOf(said: string | undefined): boolean | undefined {
  switch (said?.toLowerCase()) {
    case "1":
    case "d":
    case "true":
      return true;
    case "0":
    case "false":
      return false;
    default:
      return undefined;
  }
}

/** Each of them alone makes B3 in several headers. */
const SEVERAL = ["x-b3-traceid", "x-b3-sampled", "x-b3-flags"] as const;

/**
 * Tells the upstream: in W3C's form, and in each form of B3 that the request came with, so that an application that passes
 * on only one of them keeps its trace. `b3`: in B3 anyway.
 */
export function inject(
  headers: HeaderList,
  { traceId, spanId, sampled, state }: SpanContext,
  { parentId, b3 }: { readonly parentId: string | undefined; readonly b3: boolean },
): void {
  headers.set("traceparent", `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`);
  if (state === "") headers.delete("tracestate");
  else headers.set("tracestate", state);
  const flag = sampled ? "1" : "0";
  if (headers.has("b3"))
    headers.set("b3", [traceId, spanId, flag, ...(parentId === undefined ? [] : [parentId])].join("-"));
  if (!b3 && !SEVERAL.some((name) => headers.has(name))) return;
  headers.set("x-b3-traceid", traceId);
  headers.set("x-b3-spanid", spanId);
  headers.set("x-b3-sampled", flag);
  // To debug is to sample: what was decided otherwise must not say so.
  if (!sampled) headers.delete("x-b3-flags");
  if (parentId === undefined) headers.delete("x-b3-parentspanid");
  else headers.set("x-b3-parentspanid", parentId);
}

/** A number of random bytes as hexadecimal: an ID of a trace (16) or a span (8). */
export function randomId(bytes: 8 | 16): string {
  if (unused + bytes > pool.length) {
    randomFillSync(pool);
    unused = 0;
  }
  const start = unused;
  unused += bytes;
  return pool.toString("hex", start, unused);
}

/** Random bytes by the hundred: asked for by the eight they cost thirty times as much. */
const pool = Buffer.alloc(4096);
let unused = pool.length;
