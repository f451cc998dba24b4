/** An object as it is printed: what a person would write. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Something that an entry says and that no object of ours can say, or not by itself. */
export interface Loss {
  /** Of the entry. */
  readonly kind: string;
  readonly name: string;
  /** `Routes[].Match.HTTP.Header[].Contains`; empty for the whole entry. */
  readonly field: string;
  /** What it means here, and what to do. */
  readonly meaning: string;
}

/** What becomes of one entry, or of several. */
export interface Translation {
  readonly manifests: readonly Manifest[];
  readonly losses: readonly Loss[];
}

const GROUPS = { networking: "networking.istio.io/v1", security: "security.istio.io/v1" } as const;

/** An object of one of Istio's two groups. */
export function manifest(
  group: keyof typeof GROUPS,
  kind: string,
  { name, namespace }: Manifest["metadata"],
  spec: Readonly<Record<string, unknown>>,
): Manifest {
  return { apiVersion: GROUPS[group], kind, metadata: { name, namespace }, spec };
}

/** The fields that are there: what is undefined is not written. */
export function said(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
