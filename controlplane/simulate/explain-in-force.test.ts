import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../mesh/model/object.ts";
import { objects, port, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { createTranslator } from "../translate/translator.ts";
import { explainWith } from "./explain-workload.ts";

const to = (host: string): string => `route: [{ destination: { host: ${host} } }]`;

function revised(spec: string, revision: number): StoredObject {
  const [object] = objects(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: routes }
spec: { ${spec} }
`);
  assert.ok(object);
  return { ...object, createdAt: 1, revision };
}

const WORKLOADS = [
  workload("caller", {
    ports: [],
    upstreams: [
      { host: "web", port: 9080, bind: { address: "127.0.0.1", port: 9001 } },
      { host: "db", port: 5432, bind: { address: "127.0.0.1", port: 9002 } },
    ],
  }),
  workload("web"),
  ...["db", "db2"].map((name) =>
    workload(name, { ports: [port({ protocol: "tcp", name: "tcp", servicePort: 5432 })] }),
  ),
];

/** The rule that a call is told to be routed by, and what is told beside, where of two revisions the first is kept. */
function ruleUnder(kept: string, newest: string, url: string): readonly [rule: string, notes: string] {
  const state = sampleState({ workloads: WORKLOADS });
  const after = revised(newest, 2);
  state.setConfig([{ key: keyOf(after), before: undefined, after, kept: revised(kept, 1) }], 2);
  const { snapshot, changed } = state.next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  translator.preview("default/caller-1");
  const { warnings } = translator.publish(snapshot, new Set());
  const question = { to: url, method: "GET", headers: [] };
  const reply = explainWith(snapshot, translator, "default/caller-1", question, () => warnings);
  const rules = reply?.steps.flatMap(({ object }) =>
    object?.kind === "VirtualService" ? [object.rule] : [],
  );
  return [rules?.join() ?? "", reply?.notes.join() ?? ""];
}

const A = `{ name: a, match: [{ uri: { prefix: /a } }], ${to("web")} }`;
const REST = `{ name: rest, ${to("web")} }`;
const BROKEN = `{ name: broken, match: [{ uri: { prefix: /b } }], ${to("nothing")} }`;
const HTTP = "hosts: [web], http: ";

test("the rule of the newest revision, where that is in force, is told by its place there", () => {
  const [rule, notes] = ruleUnder(`${HTTP}[${A}, ${REST}]`, `${HTTP}[${REST}]`, "http://web:9080/");
  assert.deepEqual([rule, notes], ['http[0] "rest"', ""]);
});

test("the rule of an earlier revision that stays in force is told by its place there, and the revision beside", () => {
  for (const newest of [`${HTTP}[${BROKEN}, ${A}, ${REST}]`, `${HTTP}[${BROKEN}, ${REST}]`]) {
    const [rule, notes] = ruleUnder(`${HTTP}[${A}, ${REST}]`, newest, "http://web:9080/a");
    assert.equal(rule, 'http[0] "a"');
    assert.match(notes, /VirtualService default\/routes: .* revision 1, .*stays in force/);
  }
});

test("the same of connections", () => {
  const tcp = (subnet: string, host: string): string =>
    `{ match: [{ sourceSubnet: ${subnet} }], ${to(host)} }`;
  const kept = `hosts: [db], tcp: [${tcp("127.0.0.0/8", "db2")}]`;
  const newest = `hosts: [db], tcp: [${tcp("10.0.0.0/8", "nothing")}, ${tcp("127.0.0.0/8", "db")}]`;
  assert.equal(ruleUnder(kept, newest, "tcp://db:5432")[0], "tcp[0]");
});
