import assert from "node:assert/strict";
import { test } from "node:test";
import { type Call, PLAIN_CALL } from "./call.ts";
import { simulate } from "./simulate.ts";
import { configOf, httpManager, type Json, listener, named, routeConfig } from "./testing/json-config.ts";

/** A sequence that is the same in every run (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A match, and the same said a second time in plain code. */
interface Rule {
  readonly match: {
    readonly [key: string]: unknown;
    readonly headers?: readonly Json[];
    readonly queryParameters?: readonly Json[];
  };
  readonly accepts: (call: Call) => boolean;
}

const pathOf = ({ path }: Call): string => path.split("?")[0] ?? "";
const queryOf = ({ path }: Call): URLSearchParams => new URLSearchParams(path.split("?")[1] ?? "");
const valueOf = ({ headers }: Call, name: string): string | undefined =>
  headers.find(([key]) => key === name)?.[1];

const SEGMENTS = ["a", "b", "ab", "A"];
const NAMES = ["x", "y"];
const VALUES = ["", "1", "2", "12"];

function pathRule(pick: <T>(list: readonly T[]) => T): Rule {
  const path = `/${pick(SEGMENTS)}${pick(["", `/${pick(SEGMENTS)}`])}`;
  return pick<Rule>([
    { match: { prefix: "/" }, accepts: () => true },
    { match: { prefix: path }, accepts: (call) => pathOf(call).indexOf(path) === 0 },
    { match: { path }, accepts: (call) => pathOf(call) === path },
    {
      match: { path, caseSensitive: false },
      accepts: (call) => pathOf(call).toUpperCase() === path.toUpperCase(),
    },
    {
      match: { pathSeparatedPrefix: path },
      accepts: (call) => `${pathOf(call)}/`.startsWith(`${path}/`),
    },
    {
      match: { safeRegex: { regex: `${path}.?` } },
      accepts: (call) => new RegExp(`^(?:${path}.?)$`).test(pathOf(call)),
    },
  ]);
}

function headerRule(pick: <T>(list: readonly T[]) => T): Rule {
  const [name, value, invertMatch] = [pick(NAMES), pick(VALUES), pick([true, false])];
  const of = (rest: Json): Rule["match"] => ({ headers: [{ name, invertMatch, ...rest }] });
  const test = (accepts: (sent: string) => boolean) => (call: Call) => {
    const sent = valueOf(call, name);
    return sent === undefined ? false : accepts(sent) ? !invertMatch : invertMatch;
  };
  return pick<Rule>([
    { match: of({ stringMatch: { exact: value } }), accepts: test((sent) => sent === value) },
    {
      match: of({ stringMatch: { prefix: `${value}1` } }),
      accepts: test((sent) => sent.startsWith(`${value}1`)),
    },
    {
      match: of({ presentMatch: true }),
      accepts: (call) => (valueOf(call, name) === undefined ? invertMatch : !invertMatch),
    },
    {
      match: of({ stringMatch: { exact: value }, treatMissingHeaderAsEmpty: true }),
      accepts: (call) => ((valueOf(call, name) ?? "") === value ? !invertMatch : invertMatch),
    },
  ]);
}

function queryRule(pick: <T>(list: readonly T[]) => T): Rule {
  const [name, value] = [pick(NAMES), pick(VALUES)];
  return pick<Rule>([
    {
      match: { queryParameters: [{ name, presentMatch: true }] },
      accepts: (call) => queryOf(call).has(name),
    },
    {
      match: { queryParameters: [{ name, stringMatch: { exact: value } }] },
      accepts: (call) => queryOf(call).get(name) === value,
    },
  ]);
}

function ruleOf(pick: <T>(list: readonly T[]) => T): Rule {
  const rules = [
    pathRule(pick),
    ...pick([[], [headerRule(pick)], [headerRule(pick), headerRule(pick)], [queryRule(pick)]]),
  ];
  return {
    match: {
      ...rules[0]?.match,
      headers: rules.flatMap(({ match }) => match.headers ?? []),
      queryParameters: rules.flatMap(({ match }) => match.queryParameters ?? []),
    },
    accepts: (call) => rules.every(({ accepts }) => accepts(call)),
  };
}

function callOf(pick: <T>(list: readonly T[]) => T): Call {
  const path = `/${pick(SEGMENTS)}${pick(["", "/", `/${pick(SEGMENTS)}`])}`;
  const query = pick(["", `?${pick(NAMES)}=${pick(VALUES)}`, `?${pick(NAMES)}`]);
  const headers = NAMES.flatMap((name): [string, string][] => pick([[], [[name, pick(VALUES)]]]));
  return { ...PLAIN_CALL, path: path + query, headers };
}

test("the first route that accepts a call takes it, in 200 random tables and 4,000 calls", () => {
  const random = sequence(20_260_102);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  let taken = 0;
  for (let table = 0; table < 200; table += 1) {
    const rules = Array.from({ length: 1 + Math.floor(random() * 8) }, () => ruleOf(pick));
    const routes = rules.map(({ match }, index) => named(`r${index}`, match));
    const filters = [httpManager(routeConfig("r", routes))];
    const config = configOf({ listeners: [listener("l", "127.0.0.1", 80, { filterChains: [{ filters }] })] });
    for (let number = 0; number < 20; number += 1) {
      const call = callOf(pick);
      const first = rules.findIndex(({ accepts }) => accepts(call));
      const found = simulate(config, call).route?.index ?? -1;
      assert.equal(found, first, JSON.stringify({ routes, call }));
      if (found > 0) taken += 1;
    }
  }
  assert.ok(taken > 400, `routes beyond the first are taken too: ${taken}`);
});
