import { type At, entry, http, many, routes, rule, tcp, type WireCase } from "../wire-case.ts";

const HOST = "api.test";
const CALL = `${HOST}:80`;
const DB = "db.test";

const INTERNAL = "location: MESH_INTERNAL, resolution: STATIC";

/** One team's idea of the host: the applications that it means, and who is to have it. */
function described(at: At, team: string, apps: readonly string[], exportTo: string): string {
  const endpoints = apps.map((app) => ({ ...at(app), labels: { app } }));
  const spec = `${INTERNAL}, exportTo: [${exportTo}]`;
  return entry(HOST, "80 HTTP", endpoints, spec, `{ name: api, namespace: ${team} }`);
}

/** Two teams describe the host for all, the first of them longer; a third one, longest of all, for itself. */
const teams = (at: At): string =>
  described(at, "hidden", ["d"], "'.'") +
  described(at, "first", ["a"], "'*'") +
  described(at, "second", ["b", "c"], "'*'");

const callers: readonly (readonly [namespace: string, from: Readonly<Record<string, [number, number]>>])[] = [
  ["hidden", { d: [20, 20] }],
  ["first", { a: [20, 20] }],
  ["second", { b: [1, 19], c: [1, 19] }],
  ["other", { a: [20, 20] }],
];

const sidecar = (hosts: string): string => `
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: other }
spec: { egress: [{ hosts: [${hosts}] }] }`;

/** Each team's own word on its service. */
const rules = (to: string): string =>
  rule(
    HOST,
    `exportTo: [${to}], subsets: [{ name: only, labels: { app: a } }]`,
    "{ name: api, namespace: first }",
  ) +
  rule(
    HOST,
    `exportTo: [${to}], subsets: [{ name: only, labels: { app: c } }]`,
    "{ name: api, namespace: second }",
  );

const toSubset = routes(
  HOST,
  `http: [{ route: [{ destination: { host: ${HOST}, subset: only } }] }]`,
  "{ name: api, namespace: other }",
);

export const SHARED_HOST_CASES: readonly WireCase[] = [
  ...callers.map(
    ([namespace, shares]): WireCase => ({
      name: `a host that three teams describe, called from ${namespace}`,
      caller: { namespace, discovery: "mesh" },
      yaml: teams,
      calls: [many(20, http(CALL, {}), shares), many(20, http(`proxy ${CALL}`, {}), shares)],
    }),
  ),
  {
    name: "a Sidecar says which team's service a host is",
    caller: { namespace: "other", discovery: "mesh" },
    yaml: (at) => teams(at) + sidecar(`"second/${HOST}"`),
    calls: [many(20, http(`proxy ${CALL}`, {}), { b: [1, 19], c: [1, 19] })],
  },
  {
    name: "the rule for a service is that of its team",
    caller: { namespace: "other", discovery: "mesh" },
    yaml: (at) => teams(at) + rules("'*'") + toSubset,
    calls: [many(10, http(`proxy ${CALL}`, {}), { a: [10, 10] })],
  },
  {
    name: "the rule for a service that a Sidecar chose is that of its team",
    caller: { namespace: "other", discovery: "mesh" },
    yaml: (at) => teams(at) + rules("'*'") + toSubset + sidecar(`"second/${HOST}", "./*"`),
    calls: [many(10, http(`proxy ${CALL}`, {}), { c: [10, 10] })],
  },
  {
    name: "a host goes to the next team when the one that had it leaves, and to one's own when that comes",
    caller: { namespace: "other", discovery: "mesh" },
    yaml: teams,
    calls: [http(CALL, "a")],
    run: async (wire) => {
      const at: At = (app) => wire.apps.at(app);
      await wire.apply(described(at, "second", ["b"], "'*'"));
      await wire.check(http(CALL, "b"));
      await wire.apply(described(at, "second", ["b"], "'*'") + described(at, "other", ["c"], "'.'"));
      await wire.check(http(CALL, "c"));
    },
  },
  {
    name: "a namespace has a service for itself and one for the others",
    caller: { namespace: "other", discovery: "mesh" },
    yaml: (at) =>
      described(at, "other", ["a"], "'*'") +
      entry(HOST, "80 HTTP", [at("b")], `${INTERNAL}, exportTo: ["."]`, "{ name: own, namespace: other }"),
    calls: [http(CALL, "b"), http(`proxy ${CALL}`, "b")],
  },
  {
    name: "connections to a host that two teams describe",
    caller: { namespace: "second", discovery: "mesh", vips: "loopback" },
    yaml: (at) =>
      entry(DB, "5432 TCP", [at("ta")], INTERNAL, "{ name: db, namespace: first }") +
      entry(DB, "5432 TCP", [at("tb")], INTERNAL, "{ name: db, namespace: second }"),
    calls: [tcp(`vip ${DB}:5432`, "tb"), tcp(`${DB}:5432`, "tb")],
  },
];
