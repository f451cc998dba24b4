import { type Action, isSayable, type Ruling, type Statement } from "./access-terms.ts";
import type { Intentions, JwtProvider, Permission } from "./entry-schemas.ts";
import type { Loss } from "./manifest.ts";
import { namespaceOf, objectName } from "./names.ts";
import { jwtParts, permissionParts } from "./permission-parts.ts";
import type { RequestPart } from "./request-part.ts";
import { byExactness, type Source } from "./source.ts";

type IntentionSource = Intentions["Sources"][number];

export interface RulingContext {
  /** What a call gets that no intention decides. */
  readonly otherwise: Action;
  readonly namespace: string;
  readonly providers: ReadonlyMap<string, JwtProvider>;
}

/** The rulings of a `service-intentions`, the more exact sources first; what cannot be said denies instead. */
export function rulingsOf(
  entry: Intentions,
  context: RulingContext,
): { readonly rulings: readonly Ruling[]; readonly losses: readonly Loss[] } {
  const losses: Loss[] = [];
  const lose = (field: string, meaning: string): void =>
    void losses.push({ kind: "service-intentions", name: entry.Name, field, meaning });
  const rulings = entry.Sources.flatMap((source): readonly Ruling[] => {
    const elsewhere = source.Peer ?? source.SamenessGroup ?? otherPartition(source);
    if (elsewhere !== undefined) {
      lose("Sources[]", `${source.Name} of ${elsewhere} is no workload of this mesh: nothing is said of it`);
      return [];
    }
    const ruling = {
      source: sourceOf(source, context.namespace, lose),
      statements: statementsOf(entry, source, context, lose),
    };
    if (isSayable(ruling)) return [ruling];
    lose(
      "Sources[].Permissions",
      `those of ${source.Name} are too many to be written without an order: ${DENIED}`,
    );
    return [{ source: ruling.source, statements: DENIED_ALTOGETHER }];
  });
  return { rulings: rulings.sort((a, b) => byExactness(a.source, b.source)), losses };
}

const DENIED = "it is denied altogether until you write its policy";
const DENIED_ALTOGETHER: readonly Statement[] = [{ action: "deny", parts: [] }];

function otherPartition({ Partition }: IntentionSource): string | undefined {
  return Partition === undefined || Partition === "default" ? undefined : `partition ${Partition}`;
}

/** `*` in a namespace is its services; in the community edition, which has none, it is everybody. */
function sourceOf(
  { Name, Namespace }: IntentionSource,
  home: string,
  lose: (field: string, meaning: string) => void,
): Source {
  if (Name === "*" && (Namespace === undefined || Namespace === "*")) return { kind: "any" };
  const namespace = namespaceOf(Namespace, home);
  if (Name === "*") return { kind: "namespace", namespace };
  const name = objectName(Name);
  if (name !== Name)
    lose(
      "Sources[].Name",
      `${Name} is no name of a service account: give the service meta lateen-sa=${name}`,
    );
  return { kind: "service", namespace, name };
}

function statementsOf(
  entry: Intentions,
  source: IntentionSource,
  context: RulingContext,
  lose: (field: string, meaning: string) => void,
): readonly Statement[] {
  const token = jwtParts(entry.JWT, context.providers);
  if ("problem" in token) {
    lose(token.field, `${token.problem}: ${source.Name} ${DENIED.slice(3)}`);
    return DENIED_ALTOGETHER;
  }
  if (source.Permissions.length === 0) return withToken(source.Action ?? "deny", token.parts);
  const statements: Statement[] = [];
  for (const permission of source.Permissions) {
    const asked = permissionParts(permission, context.providers);
    if ("parts" in asked) {
      statements.push({
        action: permission.Action,
        parts: withTokenParts(permission, asked.parts, token.parts),
      });
      continue;
    }
    const field = `Sources[].Permissions[].${asked.field}`;
    if (permission.Action === "deny") {
      lose(field, `${asked.problem}, and ${source.Name} must not do it: ${DENIED}`);
      return DENIED_ALTOGETHER;
    }
    lose(field, `${asked.problem}: ${source.Name} is not let in by this permission`);
  }
  return [...statements, ...withToken(context.otherwise, token.parts)];
}

/** An intention's token is asked for besides those of its permissions, but by no permission that denies. */
function withTokenParts(
  { Action: action }: Permission,
  parts: readonly RequestPart[],
  token: readonly RequestPart[],
): readonly RequestPart[] {
  return action === "allow" ? [...parts, ...token] : parts;
}

function withToken(action: Action, token: readonly RequestPart[]): readonly Statement[] {
  if (action === "deny" || token.length === 0) return [{ action, parts: [] }];
  return [{ action, parts: token }, ...DENIED_ALTOGETHER];
}
