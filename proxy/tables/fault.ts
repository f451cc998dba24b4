import type { Fault } from "../model/route.ts";
import type { RequestFacts } from "./facts.ts";
import { compileHeader } from "./matchers.ts";
import type { Random } from "./weighted.ts";

/** What is done to one request on purpose. */
export interface InjectedFault {
  readonly delayMs: number;
  readonly abort: { readonly status: number; readonly grpcStatus: number | undefined } | undefined;
}

export type FaultFilter = (
  request: RequestFacts,
  cluster: string,
  random: Random,
) => InjectedFault | undefined;

/** Delay and abort are drawn independently, and a request may get both. */
export function compileFault(fault: Fault): FaultFilter {
  const headers = fault.headers.map(compileHeader);
  return (request, cluster, random) => {
    if (fault.upstreamCluster !== "" && fault.upstreamCluster !== cluster) return undefined;
    if (!headers.every((test) => test(request))) return undefined;
    const delayMs = fault.delay && random() < fault.delay.fraction ? fault.delay.ms : 0;
    const abort = fault.abort && random() < fault.abort.fraction ? fault.abort : undefined;
    return delayMs > 0 || abort ? { delayMs, abort } : undefined;
  };
}
