import type { AccessGrant } from "../../../mesh/admin-api/replies.ts";
import { MeshError } from "../../../mesh/errors.ts";
import { permits, type Resource, type Verb } from "./roles.ts";

/** Without namespaces: all of them, and what belongs to none. */
export type Grant = AccessGrant;

/** How a caller proved who it is. */
type Credential = "socket" | "admin-token" | "access-token" | "certificate" | "oidc";

/** Who calls, and what it may do. The name is for people: the log, the audit log. */
export interface Caller {
  readonly credential: Credential;
  readonly name: string;
  readonly grant: Grant;
}

/** What a route concerns: one or more namespaces, which its handler looks at; the mesh as a whole; neither. */
type Reach = "namespace" | "mesh" | "any";

/** What a route is about, and what its caller does to it. */
export interface Need {
  readonly resource: Resource;
  readonly verb: Verb;
  readonly reach: Reach;
}

/** Throws `admin.forbidden` unless the caller's role permits it; a role in some namespaces is no role in the mesh. */
export function assertPermitted({ name, grant }: Caller, { resource, verb, reach }: Need): void {
  if (!permits(grant.role, verb, resource)) {
    throw forbidden(`${name} has the role ${grant.role}, which may not ${verb} ${resource}`);
  }
  if (reach === "mesh" && grant.namespaces !== undefined) {
    throw forbidden(
      `${name} has its role in ${grant.namespaces.join(", ")}, and this concerns the whole mesh`,
    );
  }
}

/** Whether the caller's role holds in a namespace; undefined is what belongs to none. */
export function holdsIn({ grant: { namespaces } }: Caller, namespace: string | undefined): boolean {
  return namespaces === undefined || (namespace !== undefined && namespaces.includes(namespace));
}

/** Throws `admin.forbidden` unless the caller's role holds in the namespace. */
export function assertHoldsIn(caller: Caller, namespace: string | undefined): void {
  if (holdsIn(caller, namespace)) return;
  const namespaces = caller.grant.namespaces?.join(", ") ?? "";
  const where = namespace === undefined ? "the whole mesh" : `the namespace ${namespace}`;
  throw forbidden(`${caller.name} has its role in ${namespaces}, and this concerns ${where}`);
}

function forbidden(why: string): MeshError {
  return new MeshError("admin.forbidden", `not permitted: ${why}`, {
    hint: "docs/access.md has what each role may do; an admin gives out others with lateen access create",
  });
}
