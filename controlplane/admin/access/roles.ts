import { ACCESS_ROLES, type AccessRole } from "../../../mesh/admin-api/replies.ts";

/** What the admin API is about. A route belongs to one of these. */
export const RESOURCES = [
  "objects",
  "catalog",
  "proxies",
  "analysis",
  "join-tokens",
  "agents",
  "ca",
  "access-tokens",
  "audit",
] as const;
export type Resource = (typeof RESOURCES)[number];

export type Verb = "read" | "write";

export const ROLES = ACCESS_ROLES;
export type Role = AccessRole;

const READ: readonly Verb[] = ["read"];
const WRITE: readonly Verb[] = ["read", "write"];

type Permissions = Partial<Readonly<Record<Resource, readonly Verb[]>>>;

const SEE: Permissions = { objects: READ, catalog: READ, proxies: READ, analysis: READ };

/**
 * What each role may do; what has no entry is refused (docs/access.md shows it as a table, and a test keeps the two
 * equal). Whoever may write also may read.
 */
const PERMISSIONS: Readonly<Record<Role, Permissions>> = {
  admin: {
    objects: WRITE,
    catalog: WRITE,
    proxies: READ,
    analysis: READ,
    "join-tokens": WRITE,
    agents: WRITE,
    ca: WRITE,
    "access-tokens": WRITE,
    audit: READ,
  },
  operator: {
    objects: WRITE,
    catalog: WRITE,
    proxies: READ,
    analysis: READ,
    "join-tokens": WRITE,
    agents: WRITE,
    ca: READ,
  },
  editor: { ...SEE, objects: WRITE },
  viewer: SEE,
  auditor: { ...SEE, "join-tokens": READ, agents: READ, ca: READ, "access-tokens": READ, audit: READ },
};

export function permits(role: Role, verb: Verb, resource: Resource): boolean {
  return PERMISSIONS[role][resource]?.includes(verb) ?? false;
}
