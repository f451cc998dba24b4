import type { StoredAuthority } from "./authority-store.ts";

/**
 * What follows a leaf in its chain, root last. While the authority before is trusted, the path goes over the
 * cross-signature to its root, which every peer has: those who were away when the new root was told find their way too.
 */
export function pathToRoot(active: StoredAuthority, all: readonly StoredAuthority[]): readonly string[] {
  const below = active.roots.includes(active.certificate)
    ? []
    : [active.certificate, ...active.intermediates];
  const { cross, crossRoot } = active;
  const crossed =
    crossRoot !== undefined &&
    all.some(({ state, roots }) => state !== "active" && state !== "prepared" && roots.includes(crossRoot));
  if (cross !== undefined && crossed) return [...below, cross, crossRoot];
  return [...below, ...active.roots.slice(0, 1)];
}

/** Every root that an authority still leads to; that of the one that signs is the first. */
export function trustedRoots(all: readonly StoredAuthority[]): readonly string[] {
  const ranked = [...all.filter(({ state }) => state === "active"), ...all];
  return [...new Set(ranked.flatMap(({ roots }) => roots))];
}
