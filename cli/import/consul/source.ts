/** Whom an intention is about: a service, a whole namespace, or everybody. */
export type Source =
  | { readonly kind: "service"; readonly namespace: string; readonly name: string }
  | { readonly kind: "namespace"; readonly namespace: string }
  | { readonly kind: "any" };

const RANK = { service: 0, namespace: 1, any: 2 } as const;

/** Consul's precedence: the more exact source first. */
export function byExactness(a: Source, b: Source): number {
  return RANK[a.kind] - RANK[b.kind];
}

export function isSame(a: Source, b: Source): boolean {
  return covers(a, b) && covers(b, a);
}

/** Whether everybody of `inner` is of `outer`. */
export function covers(outer: Source, inner: Source): boolean {
  if (outer.kind === "any") return true;
  if (inner.kind === "any") return false;
  if (outer.namespace !== inner.namespace) return false;
  return outer.kind === "namespace" || (inner.kind === "service" && inner.name === outer.name);
}

/** The principal of a service's account, whatever the mesh's trust domain is called. */
export function principalOf({ namespace, name }: Extract<Source, { kind: "service" }>): string {
  return `*/ns/${namespace}/sa/${name}`;
}
