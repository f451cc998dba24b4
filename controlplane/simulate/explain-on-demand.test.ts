import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import { nodeId } from "../../mesh/xds/names.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { port, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translate/translator.ts";
import { explainWith } from "./explain-workload.ts";

const LAZY = { discovery: "on-demand", vips: "loopback", ports: [] } as const;
const FROM = "default/lazy-1";
const DB = "outbound|5432||db.default.svc.cluster.local";
const ROUTED = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web], http: [{ name: tea, match: [{ uri: { prefix: /tea } }], route: [{ destination: { host: other } }] }, { route: [{ destination: { host: web } }] }] }
`;

function start(yaml = ROUTED) {
  const state = sampleState({
    yaml,
    workloads: [
      workload("lazy", LAZY),
      workload("lazy", {
        ...LAZY,
        name: "lazy-2",
        vips: "none",
        httpProxy: { address: "127.0.0.1", port: 3128 },
      }),
      workload("web"),
      workload("other"),
      workload("db", { ports: [port({ protocol: "tcp", name: "tcp", servicePort: 5432 })] }),
    ],
  });
  const built: string[] = [];
  const translator = createTranslator({
    onBuild: (key) => built.push(key),
    onAsked: (id, names) => state.setObserved(id, names),
  });
  const publish = () => {
    const { snapshot, changed } = state.next();
    assert.deepEqual(translator.publish(snapshot, changed).failures, []);
    return snapshot;
  };
  let snapshot = publish();
  return {
    translator,
    built,
    explain: (to: string, from = FROM): ExplainReply => {
      const reply = explainWith(snapshot, translator, from, { to, method: "GET", headers: [] });
      assert.ok(reply);
      return reply;
    },
    ask: (name: string, from = FROM): void => {
      const [namespace = "", own = ""] = from.split("/");
      const node = { id: nodeId("10.0.0.1", own, namespace, "cluster.local"), workload: from };
      translator.asked?.(node, [name]);
      snapshot = publish();
    },
  };
}

const text = ({ steps }: ExplainReply): readonly string[] =>
  steps.map(
    ({ step, name, object }) => `${step} ${name}${object === null ? "" : ` < ${object.name} ${object.rule}`}`,
  );

const CASES = [
  {
    to: "http://web:9080/tea",
    from: FROM,
    asks: "9080/web:9080",
    cluster: "outbound|9080||other.default.svc.cluster.local",
  },
  {
    to: "http://web:9080/",
    from: "default/lazy-2",
    asks: "http_proxy/web:9080",
    cluster: "outbound|9080||web.default.svc.cluster.local",
    through: "http_proxy",
  },
  { to: "tcp://db:5432", from: FROM, asks: DB, cluster: DB },
] as const;
for (const { to, from, asks, cluster } of CASES) {
  test(`explains ${to} by ${from} with what its proxy gets for ${asks}, as it is after it has asked`, () => {
    const { explain, ask } = start();
    const before = explain(to, from);
    assert.deepEqual(before.notes, [`the proxy asks for ${asks} when it is called (discovery: on-demand)`]);
    assert.equal(before.outcome.arrives, true, before.outcome.text);
    assert.ok(
      before.steps.some(({ step, name }) => step === "cluster" && name === cluster),
      text(before).join("\n"),
    );
    ask(asks, from);
    const after = explain(to, from);
    assert.deepEqual(after.notes, []);
    assert.deepEqual([text(after), after.outcome], [text(before), before.outcome]);
  });
}

test("a question changes nothing of what is in force, and leaves nothing behind", () => {
  const { translator, explain, built } = start();
  const before = translator.preview(FROM)?.types;
  explain("http://web:9080/");
  explain("tcp://db:5432");
  const after = translator.preview(FROM)?.types;
  for (const type of Object.values(TYPE_URL)) assert.equal(after?.get(type), before?.get(type), type);
  built.length = 0;
  explain("tcp://db:5432");
  assert.ok(
    built.some((key) => key.includes("lazy-1?")),
    "what was supposed was not kept",
  );
  assert.equal(after?.get(TYPE_URL.cluster)?.has(DB), false);
});

test("a host that nobody has is answered as unknown, and asked for all the same", () => {
  const { explain } = start();
  const { outcome, notes } = explain("http://nobody.test:9080/", "default/lazy-2");
  assert.equal(outcome.status, 502, outcome.text);
  assert.match(notes.join(), /http_proxy\/nobody\.test:9080/);
});
