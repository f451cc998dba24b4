import { HTTPFault } from "../../mesh/xds/gen/envoy/extensions/filters/http/fault/v3/fault.ts";
import type { Fault } from "../model/route.ts";
import { parseHeaderMatch } from "./match.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { decode, fraction, milliseconds } from "./values.ts";

export const FAULT_TYPE = "envoy.extensions.filters.http.fault.v3.HTTPFault";

/** Undefined when the message is empty: the filter then waits for what the route says. */
export function parseFault(parent: string, bytes: Uint8Array): Fault | undefined {
  const where = `${parent}: fault`;
  const from = decode(where, HTTPFault, bytes);
  onlyFields(where, from, ["delay", "abort", "upstreamCluster", "headers"]);
  if (!from.delay && !from.abort) return undefined;
  return {
    delay: parseDelay(where, from),
    abort: parseAbort(where, from),
    headers: from.headers.map((header) => parseHeaderMatch(where, header)),
    upstreamCluster: from.upstreamCluster,
  };
}

function parseDelay(where: string, { delay }: HTTPFault): Fault["delay"] {
  if (delay === undefined) return undefined;
  if (delay.fixedDelay === undefined) throw unsupported(where, "a delay that the request's header chooses");
  return { ms: milliseconds(delay.fixedDelay, 0), fraction: fraction(delay.percentage, 0) };
}

function parseAbort(where: string, { abort }: HTTPFault): Fault["abort"] {
  if (abort === undefined) return undefined;
  if (abort.headerAbort !== undefined) throw unsupported(where, "an abort that the request's header chooses");
  const share = fraction(abort.percentage, 0);
  // Who does not speak gRPC is told 200 (Envoy).
  if (abort.grpcStatus !== undefined) return { status: 200, grpcStatus: abort.grpcStatus, fraction: share };
  const status = abort.httpStatus ?? 0;
  if (status < 200 || status > 599) throw invalid(where, `abort with status ${status}`);
  return { status, grpcStatus: undefined, fraction: share };
}
