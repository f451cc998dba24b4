import type { Cidr, HeaderMatch, StringMatch } from "./match.ts";
import type { MetadataMatch } from "./metadata.ts";

/** One RBAC filter. */
export interface RbacFilter {
  /** Undefined: everything passes. */
  readonly enforced: Rbac | undefined;
  /** Evaluated and told, and nothing comes of it. */
  readonly shadow: Rbac | undefined;
  /** Of the names under which the shadow's result is in the metadata. */
  readonly shadowPrefix: string;
}

/** A set of policies and what a match of any of them means. */
export interface Rbac {
  readonly action: "ALLOW" | "DENY" | "LOG";
  readonly policies: readonly RbacPolicy[];
}

/** Matches when any permission and any principal do. */
interface RbacPolicy {
  readonly name: string;
  readonly permissions: readonly RbacRule[];
  readonly principals: readonly RbacRule[];
}

/** Permissions (what is asked for) and principals (who asks) in one tree: they are evaluated on the same facts. */
export type RbacRule =
  | { readonly kind: "any" }
  | { readonly kind: "and" | "or"; readonly rules: readonly RbacRule[] }
  | { readonly kind: "not"; readonly rule: RbacRule }
  | { readonly kind: "metadata"; readonly metadata: MetadataMatch }
  | { readonly kind: "header"; readonly header: HeaderMatch }
  /** On the path without its query. */
  | { readonly kind: "path"; readonly match: StringMatch }
  /** `[start, end)`. */
  | { readonly kind: "destination-port"; readonly start: number; readonly end: number }
  | { readonly kind: "destination-ip" | "direct-remote-ip" | "remote-ip"; readonly cidr: Cidr }
  | { readonly kind: "server-name"; readonly match: StringMatch }
  /** The peer's URI SAN; without `match` any authenticated peer. */
  | { readonly kind: "authenticated"; readonly match: StringMatch | undefined };
