import { type Client, routingKey } from "../../policy/client.ts";
import { findService } from "../../policy/services.ts";
import { meshVirtualServices } from "../../policy/virtual-services.ts";
import { MESH_GATEWAY } from "../../snapshot/object-lists.ts";
import { byText } from "../../snapshot/text-order.ts";
import type { Scope } from "../memo.ts";
import type { EgressClass } from "./egress-class.ts";

interface WrittenHost {
  readonly host: string;
  /** Of the VirtualService that it is written in. */
  readonly namespace: string;
}

/** Hosts that VirtualServices have and no registry knows, as far as clients of a class may call them. */
export function foreignHosts(scope: Scope, of: EgressClass, client: Client): readonly string[] {
  if (of.source.kind === "hosts") return of.source.foreign;
  return scope.get(
    `foreign-hosts/${routingKey({ ...client, labels: {} })}`,
    (inner) => {
      const { view } = inner;
      const foreign = writtenHosts(inner).filter(
        ({ host, namespace }) =>
          findService(view, host, namespace, client.namespace) === undefined &&
          meshVirtualServices(view, client, host.toLowerCase()).length > 0,
      );
      return [...new Set(foreign.map(({ host }) => host.toLowerCase()))].sort(byText);
    },
    sameText,
  );
}

/** Of all VirtualServices for the mesh that have HTTP routes: what else is in them makes no difference here. */
function writtenHosts(scope: Scope): readonly WrittenHost[] {
  return scope.get(
    "written-hosts",
    ({ view }) => {
      const all = new Map<string, WrittenHost>();
      for (const { spec, metadata } of view.virtualServicesOf(MESH_GATEWAY)) {
        if (spec.http.length === 0) continue;
        for (const host of spec.hosts) {
          const one = { host, namespace: metadata.namespace };
          all.set(JSON.stringify(one), one);
        }
      }
      return [...all.values()];
    },
    sameText,
  );
}

function sameText<T>(a: T, b: T): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
