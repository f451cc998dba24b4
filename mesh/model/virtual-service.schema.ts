import { isIP } from "node:net";
import * as z from "zod";
import { gateways } from "./destination.schema.ts";
import { isWildcardHost } from "./dns-names.ts";
import { quoted } from "./finding.ts";
import { hostCoverage } from "./host-coverage.ts";
import { httpRoute } from "./http-route.schema.ts";
import { tcpRoute, tlsRoute } from "./l4-route.schema.ts";
import { isJwtClaim } from "./match.schema.ts";
import { exportTo, textThat } from "./scalars.schema.ts";
import { presenceRule, type Report, rule } from "./schema-rule.ts";
import type { HttpRoute, TlsRoute, VirtualServiceSpec } from "./virtual-service.ts";

const host = textThat(
  (written) => isWildcardHost(written) || isIP(written) !== 0,
  "a host name or an IP address: labels joined by dots, `*` only at the start",
);

/** VirtualService's spec, by Istio's rules. One without hosts is a delegate, to which others hand a route over. */
export const virtualServiceSpec: z.ZodType<VirtualServiceSpec> = z
  .object({
    hosts: z.array(host).default([]),
    gateways,
    http: z.array(httpRoute).default([]),
    tls: z.array(tlsRoute).default([]),
    tcp: z.array(tcpRoute).default([]),
    exportTo,
  })
  .check(
    presenceRule((present, report) => checkRoutes(present, report)),
    rule(["hosts", "gateways"], ({ hosts, gateways }, report) => {
      const all = hosts.indexOf("*");
      if (isForMesh(gateways) && all >= 0)
        report(["hosts", all], "must not be `*` for the proxies of the mesh");
      else checkDuplicateHosts(hosts, report);
    }),
    rule(["hosts", "http"], ({ hosts, http }, report) => {
      for (const [index, { delegate }] of http.entries()) {
        if (hosts.length === 0 && delegate !== undefined)
          report(
            ["http", index, "delegate"],
            "must not be set in a delegate (a VirtualService without hosts)",
          );
      }
    }),
    rule(["gateways", "http"], ({ gateways, http }, report) => {
      if (isForMesh(gateways)) checkClaims(http, report);
    }),
    rule(["hosts", "tls"], ({ hosts, tls }, report) => checkServerNames(hosts, tls, report)),
  );

function isForMesh(gateways: readonly string[]): boolean {
  return gateways.length === 0 || gateways.includes("mesh");
}

function checkRoutes(present: ReadonlySet<string>, report: Report): void {
  if (!["http", "tls", "tcp"].some((field) => present.has(field)))
    report([], "must have an http, tls or tcp route");
  if (present.has("hosts")) return;
  for (const field of ["gateways", "tls", "tcp"]) {
    if (present.has(field)) report([field], "must not be set in a delegate (a VirtualService without hosts)");
  }
}

/** Two hosts are the same when one covers the other: the order in which they are looked up is not theirs to choose. */
function checkDuplicateHosts(hosts: readonly string[], report: Report): void {
  const { coverOf } = hostCoverage(hosts);
  const told = new Set<number>();
  for (const [index, host] of hosts.entries()) {
    const cover = coverOf(host, index);
    if (cover === undefined) continue;
    const later = Math.max(index, cover);
    const earlier = hosts[Math.min(index, cover)] ?? "";
    const same = host.toLowerCase() === hosts[cover]?.toLowerCase();
    if (!told.has(later))
      report(
        ["hosts", later],
        same ? `names ${quoted(earlier)} a second time` : `overlaps with ${quoted(earlier)}`,
      );
    told.add(later);
  }
}

/** Only a gateway looks at a caller's token before it chooses a route. */
function checkClaims(routes: readonly HttpRoute[], report: Report): void {
  for (const [routeIndex, { match }] of routes.entries()) {
    for (const [matchIndex, matches] of match.entries()) {
      for (const field of ["headers", "withoutHeaders"] as const) {
        for (const name of Object.keys(matches[field]).filter(isJwtClaim)) {
          const path = ["http", routeIndex, "match", matchIndex, field, name];
          report(path, "matches a claim of a token, which only gateways can");
        }
      }
    }
  }
}

/** A TLS route can only choose among the connections that its hosts bring in. */
function checkServerNames(hosts: readonly string[], routes: readonly TlsRoute[], report: Report): void {
  const { coverOf } = hostCoverage(hosts);
  for (const [routeIndex, route] of routes.entries()) {
    for (const [matchIndex, match] of route.match.entries()) {
      for (const [index, name] of match.sniHosts.entries()) {
        if (isIP(name) !== 0 || coverOf(name) !== undefined) continue;
        const path = ["tls", routeIndex, "match", matchIndex, "sniHosts", index];
        report(path, `${name} is not covered by the hosts of this VirtualService`);
      }
    }
  }
}
