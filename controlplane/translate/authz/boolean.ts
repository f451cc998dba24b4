import { Permission, Principal } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";

/** And, or, not over one of RBAC's two condition types. */
export interface BooleanAlgebra<T> {
  readonly always: T;
  readonly never: T;
  all(parts: readonly T[]): T;
  any(parts: readonly T[]): T;
  not(part: T): T;
}

export const permissions: BooleanAlgebra<Permission> = {
  always: Permission.fromPartial({ any: true }),
  never: Permission.fromPartial({ notRule: { any: true } }),
  all: (parts) =>
    single(said(parts, permissions.always), permissions.always, (rules) =>
      Permission.fromPartial({ andRules: { rules: [...rules] } }),
    ),
  any: (parts) =>
    single(parts, permissions.never, (rules) => Permission.fromPartial({ orRules: { rules: [...rules] } })),
  not: (part) => Permission.fromPartial({ notRule: part }),
};

export const principals: BooleanAlgebra<Principal> = {
  always: Principal.fromPartial({ any: true }),
  never: Principal.fromPartial({ notId: { any: true } }),
  all: (parts) =>
    single(said(parts, principals.always), principals.always, (ids) =>
      Principal.fromPartial({ andIds: { ids: [...ids] } }),
    ),
  any: (parts) =>
    single(parts, principals.never, (ids) => Principal.fromPartial({ orIds: { ids: [...ids] } })),
  not: (part) => Principal.fromPartial({ notId: part }),
};

function single<T>(parts: readonly T[], none: T, several: (parts: readonly T[]) => T): T {
  const [first, ...others] = parts;
  if (first === undefined) return none;
  return others.length === 0 ? first : several(parts);
}

/** What is always true adds nothing to a conjunction. */
function said<T>(parts: readonly T[], always: T): readonly T[] {
  return parts.filter((part) => part !== always);
}
