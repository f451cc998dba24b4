import { randomBytes } from "node:crypto";
import type { HeaderList } from "../../tables/header-list.ts";
import type { SpanContext } from "./span.ts";

/** What the caller says of the trace that its request is part of. */
export interface Incoming extends Omit<SpanContext, "sampled"> {
  /** Undefined: it leaves that to us. */
  readonly sampled: boolean | undefined;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;
const ID = /^(?!0+$)(?:[\da-f]{16}){1,2}$/;
const SPAN_ID = /^(?!0{16}$)[\da-f]{16}$/;

/**
 * Reads W3C's `traceparent`, or Zipkin's B3 in one header or several, whichever is there and of valid form. Undefined:
 * the trace begins here.
 */
export function extract(headers: HeaderList): Incoming | undefined {
  return fromTraceparent(headers) ?? fromSingleB3(headers.first("b3")) ?? fromB3(headers);
}

function fromTraceparent(headers: HeaderList): Incoming | undefined {
  const found = TRACEPARENT.exec(headers.first("traceparent") ?? "");
  if (found === null) return undefined;
  const [, traceId = "", spanId = "", flags = ""] = found;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceId, spanId, sampled, state: headers.get("tracestate") ?? "" };
}

function fromSingleB3(b3: string | undefined): Incoming | undefined {
  if (b3 === undefined) return undefined;
  const [trace = "", spanId = "", sampled] = b3.toLowerCase().split("-");
  return ID.test(trace) && SPAN_ID.test(spanId) ? incomingB3(trace, spanId, sampled) : undefined;
}

function fromB3(headers: HeaderList): Incoming | undefined {
  const trace = headers.first("x-b3-traceid")?.toLowerCase();
  const spanId = headers.first("x-b3-spanid")?.toLowerCase() ?? "";
  if (trace === undefined || !ID.test(trace) || !SPAN_ID.test(spanId)) return undefined;
  const isDebug = headers.first("x-b3-flags") === "1";
  return incomingB3(trace, spanId, isDebug ? "d" : headers.first("x-b3-sampled"));
}

function incomingB3(trace: string, spanId: string, sampled: string | undefined): Incoming {
  const said = sampled === undefined || sampled === "" ? undefined : /^(?:1|d|true)$/.test(sampled);
  return { traceId: trace.padStart(32, "0"), spanId, sampled: said, state: "" };
}

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
  if (!b3 && !headers.has("x-b3-traceid")) return;
  headers.set("x-b3-traceid", traceId);
  headers.set("x-b3-spanid", spanId);
  headers.set("x-b3-sampled", flag);
  if (parentId === undefined) headers.delete("x-b3-parentspanid");
  else headers.set("x-b3-parentspanid", parentId);
}

/** A number of random bytes as hexadecimal: an ID of a trace (16) or a span (8). */
export function randomId(bytes: 8 | 16): string {
  return randomBytes(bytes).toString("hex");
}
