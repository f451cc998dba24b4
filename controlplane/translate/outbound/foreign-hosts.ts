import { type Client, routingKey } from "../../policy/client.ts";
import type { HostClaim } from "../../policy/export-to.ts";
import { MESH_GATEWAY } from "../../snapshot/object-lists.ts";
import type { Scope } from "../memo.ts";
import { type ForeignHosts, foreignHosts } from "../routes/foreign-hosts.ts";
import type { EgressClass, ForeignPlace } from "./egress-class.ts";

/** Hosts that VirtualServices have without a service, as far as clients of a class may call them. */
export function foreignHostsFor(scope: Scope, of: EgressClass, client: Client): ForeignHosts {
  if (of.source.kind === "hosts") return grouped(of.source.foreign);
  return scope.get(
    `foreign-hosts/${routingKey({ ...client, labels: {} })}`,
    (inner) => foreignHosts(inner.view, client, hostClaims(inner)),
    (a, b) => sameText([...a], [...b]),
  );
}

/** The same of one port: what comes and goes at others makes no difference to its routes. */
export function foreignHostsAt(
  scope: Scope,
  of: EgressClass,
  client: Client,
  port: number,
): readonly string[] {
  const ofClass = of.source.kind === "hosts" ? of.key : routingKey({ ...client, labels: {} });
  return scope.get(
    `foreign-hosts-at/${port}/${ofClass}`,
    (inner) => foreignHostsFor(inner, of, client).get(port) ?? [],
    sameText,
  );
}

/** Of all VirtualServices for the mesh that have HTTP routes: what else is in them makes no difference here. */
function hostClaims(scope: Scope): readonly HostClaim[] {
  return scope.get(
    "host-claims",
    ({ view }) =>
      view
        .virtualServicesOf(MESH_GATEWAY)
        .filter(({ spec }) => spec.http.length > 0)
        .map(({ kind, metadata: { name, namespace }, spec: { hosts, exportTo } }) => ({
          kind,
          metadata: { name, namespace },
          spec: { hosts, exportTo },
        })),
    sameText,
  );
}

function grouped(places: readonly ForeignPlace[]): ForeignHosts {
  const all = new Map<number, string[]>();
  for (const { host, port } of places) all.set(port, [...(all.get(port) ?? []), host]);
  return all;
}

function sameText<T>(a: T, b: T): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
