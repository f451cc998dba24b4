import { randomUUID } from "node:crypto";
import type { EdgeRules } from "../../model/listener.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { compileCidr } from "../../tables/matchers.ts";
import type { Connection } from "../connection.ts";

/** What tells the proxies of a mesh something, and callers from outside cannot say (Envoy's list). */
const NOT_FROM_OUTSIDE: ReadonlySet<string> = new Set([
  "x-envoy-decorator-operation",
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-force-trace",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-ip-tags",
  "x-envoy-max-retries",
  "x-envoy-original-url",
  "x-envoy-retriable-header-names",
  "x-envoy-retriable-status-codes",
  "x-envoy-retry-grpc-on",
  "x-envoy-retry-on",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-upstream-rq-timeout-ms",
]);

/** Takes a request in from outside: it comes from where its connection does, whatever it says. */
export type EdgeGate = (headers: HeaderList, connection: Connection) => void;

export function compileEdge({ internal }: EdgeRules): EdgeGate {
  const ranges = internal.map(compileCidr);
  return (headers, { facts: { remoteAddress }, ends }) => {
    const before = headers.get("x-forwarded-for");
    headers.set("x-forwarded-for", before ? `${before},${remoteAddress}` : remoteAddress);
    headers.set("x-forwarded-proto", ends.secure ? "https" : "http");
    // Who forwards for others may be inside; those are not.
    const isInternal = before === undefined && ranges.some((contains) => contains(remoteAddress));
    if (isInternal) {
      headers.set("x-envoy-internal", "true");
      return;
    }
    headers.delete("x-envoy-internal");
    headers.keep((name) => !NOT_FROM_OUTSIDE.has(name));
    headers.set("x-envoy-external-address", remoteAddress);
    headers.set("x-request-id", randomUUID());
  };
}
