import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { JwtRule } from "../../mesh/model/request-authentication.ts";
import type { SnapshotKey } from "./mesh-snapshot.ts";

/** Before the name of an issuer whose OpenID configuration says where its keys are. */
export const OPENID = "openid:";

/**
 * Where the keys of a rule's issuer are had when the rule does not bring them: its `jwksUri`, or what the issuer's OpenID
 * configuration says. Undefined: the rule brings them.
 */
export function keySource({ jwks, jwksUri, issuer }: JwtRule): string | undefined {
  if (jwks !== "") return undefined;
  return jwksUri === "" ? `${OPENID}${issuer}` : jwksUri;
}

/** Keys of token issuers as they were fetched, with what has changed since the last snapshot. */
export class KeySets {
  readonly #texts = new Map<string, string>();
  readonly #dirty = new Set<string>();

  /** Undefined: the keys are asked for no longer. */
  set(source: string, text: string | undefined): void {
    if (text === undefined) this.#texts.delete(source);
    else this.#texts.set(source, text);
    this.#dirty.add(source);
  }

  copyTo(to: KeySets): void {
    for (const [source, text] of this.#texts) to.set(source, text);
  }

  next(before: SharedMap<string>, changed: Set<SnapshotKey>): SharedMap<string> {
    const edits: [string, string | undefined][] = [];
    for (const source of this.#dirty) {
      const now = this.#texts.get(source);
      if (before.get(source) === now) continue;
      edits.push([source, now]);
      changed.add(`key-set/${source}`);
    }
    this.#dirty.clear();
    return before.edited(edits);
  }
}
