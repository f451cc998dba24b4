import type { StoredObject } from "../../../mesh/model/object.ts";
import type { HttpMatch, HttpRoute } from "../../../mesh/model/virtual-service.ts";
import type { Finding } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";
import { covers } from "./covers.ts";

interface Rule {
  readonly name: string;
  readonly match: readonly unknown[];
}

/** Rules that no call reaches: one before them takes everything, or has all of their matches. */
export function* virtualServiceRules(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("VirtualService")) {
    const { http, tls, tcp } = subject.spec;
    yield* checkRules(subject, "http", http);
    yield* checkCoveredMatches(subject, http);
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
    const label = labelOf(name, index);
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

/** So many matches before one are compared with it: the work grows with their product. */
const MOST_COMPARED = 200;

/** Matches for which a wider one before them takes every call, such as the prefix /a before the prefix /ab. */
function* checkCoveredMatches(
  subject: StoredObject<"VirtualService">,
  rules: readonly HttpRoute[],
): Iterable<Finding> {
  const before: { readonly match: HttpMatch; readonly label: string }[] = [];
  for (const [index, { name, match }] of rules.entries()) {
    if (match.length === 0) return;
    const rule = labelOf(name, index);
    for (const [position, one] of match.entries()) {
      const label = `match #${position} of rule ${rule}`;
      const wider = before.find((other) => covers(other.match, one));
      if (wider === undefined) {
        if (before.length < MOST_COMPARED) before.push({ match: one, label });
      } else if (conditionOf(wider.match) !== conditionOf(one)) {
        const message = `${label} is never used: ${wider.label}, which comes first, takes all of its calls`;
        yield { code: "IST0131", subject, path: ["spec", "http", index, "match", position], message };
      }
    }
  }
}

function labelOf(name: string, index: number): string {
  return name === "" ? `#${index}` : JSON.stringify(name);
}

/** What a match asks of a call; its name and its statistics ask nothing. */
function conditionOf(match: unknown): string {
  return JSON.stringify({ ...(match as object), name: undefined, statPrefix: undefined });
}
