import type { StoredObject } from "../../../mesh/model/object.ts";
import type { Finding } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

interface Rule {
  readonly name: string;
  readonly match: readonly unknown[];
}

/** Rules that no call reaches: one before them takes everything, or has all of their matches. */
export function* virtualServiceRules(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("VirtualService")) {
    const { http, tls, tcp } = subject.spec;
    yield* checkRules(subject, "http", http);
    yield* checkRules(
      subject,
      "tls",
      tls.map(({ match }) => ({ name: "", match })),
    );
    yield* checkRules(
      subject,
      "tcp",
      tcp.map(({ match }) => ({ name: "", match })),
    );
  }
}

function* checkRules(
  subject: StoredObject<"VirtualService">,
  list: string,
  rules: readonly Rule[],
): Iterable<Finding> {
  /** By what a match asks: the rule that asks it first. */
  const seen = new Map<string, string>();
  let everything: string | undefined;
  for (const [index, { name, match }] of rules.entries()) {
    const label = name === "" ? `#${index}` : JSON.stringify(name);
    const path = ["spec", list, index];
    if (everything !== undefined) {
      const message = `rule ${label} is never used: rule ${everything} before it has no match and takes everything`;
      yield { code: "IST0130", subject, path, message };
      continue;
    }
    if (match.length === 0) everything = label;
    let repeated = 0;
    for (const [position, one] of match.entries()) {
      const first = seen.get(conditionOf(one));
      if (first === undefined) {
        seen.set(conditionOf(one), label);
        continue;
      }
      repeated++;
      const message = `match #${position} of rule ${label} is that of rule ${first}, which comes first`;
      yield { code: "IST0131", subject, path: [...path, "match", position], message };
    }
    if (match.length > 0 && repeated === match.length) {
      const message = `rule ${label} is never used: rules before it have all of its matches`;
      yield { code: "IST0130", subject, path, message };
    }
  }
}

/** What a match asks of a call; its name and its statistics ask nothing. */
function conditionOf(match: unknown): string {
  return JSON.stringify({ ...(match as object), name: undefined, statPrefix: undefined });
}
