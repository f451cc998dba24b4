import { isIP } from "node:net";
import { z } from "zod";
import { gateways } from "./destination.schema.ts";
import { isWildcardHost } from "./dns-names.ts";
import { hostMatches } from "./hosts.ts";
import { httpRoute } from "./http-route.schema.ts";
import { tcpRoute, tlsRoute } from "./l4-route.schema.ts";
import { exportTo, textThat } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { type Report, rule } from "./schema-rule.ts";
import type { TlsRoute, VirtualServiceSpec } from "./virtual-service.ts";

const host = textThat(
  (written) => isWildcardHost(written) || isIP(written) !== 0,
  "a host name or an IP address: labels joined by dots, `*` only at the start",
);

/** VirtualService's spec, by Istio's rules. */
export const virtualServiceSpec: z.ZodType<VirtualServiceSpec> = z
  .object({
    hosts: z.array(host).min(1),
    gateways,
    http: z.array(httpRoute).default([]),
    tls: notYet(z.array(tlsRoute).default([])),
    tcp: z.array(tcpRoute).default([]),
    exportTo,
  })
  .check(
    rule(["hosts", "gateways"], ({ hosts, gateways }, report) => {
      checkDuplicateHosts(hosts, report);
      const inMesh = gateways.length === 0 || gateways.includes("mesh");
      const all = hosts.indexOf("*");
      if (inMesh && all >= 0) report(["hosts", all], "must not be `*` for the proxies of the mesh");
    }),
    rule(["http", "tls", "tcp"], ({ http, tls, tcp }, report) => {
      if (http.length + tls.length + tcp.length === 0) report([], "must have an http, tls or tcp route");
    }),
    rule(["hosts", "tls"], ({ hosts, tls }, report) => checkServerNames(hosts, tls, report)),
  );

function checkDuplicateHosts(hosts: readonly string[], report: Report): void {
  const seen = new Set<string>();
  for (const [index, host] of hosts.entries()) {
    if (seen.has(host.toLowerCase())) report(["hosts", index], `names ${host} a second time`);
    seen.add(host.toLowerCase());
  }
}

/** A TLS route can only choose among the connections that its hosts bring in. */
function checkServerNames(hosts: readonly string[], routes: readonly TlsRoute[], report: Report): void {
  for (const [routeIndex, route] of routes.entries()) {
    for (const [matchIndex, match] of route.match.entries()) {
      for (const [index, name] of match.sniHosts.entries()) {
        if (hosts.some((host) => hostMatches(host, name))) continue;
        const path = ["tls", routeIndex, "match", matchIndex, "sniHosts", index];
        report(path, `${name} is not covered by the hosts of this VirtualService`);
      }
    }
  }
}
