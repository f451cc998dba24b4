import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { answerOf } from "../../test/fakes/nomad-answers.ts";
import { NomadState } from "../../test/fakes/nomad-state.ts";
import { parseAllocation } from "./nomad-allocation.ts";
import { parseChecks, parseNodeNames, parseRegistrations, parseServiceNames } from "./nomad-services.ts";
import { parseServiceLine } from "./service-changes.ts";

/** What a Nomad 2.0 answered while it ran one job with one native service. */
function recorded(name: string): string {
  return readFileSync(`test/fakes/nomad-recorded/${name}`, "utf8");
}

const json = (name: string): unknown => JSON.parse(recorded(name));

const ALLOCATION = "228d104e-e160-dd99-14e0-1cf784384419";
const NODE = "300e6c76-7021-ef5f-696f-8188d9e8214b";
const TAGS = ["lateen.inject=true", "lateen.version=v1"];
const REGISTRATION = {
  id: `_nomad-task-${ALLOCATION}-group-app-web-http`,
  service: "web",
  namespace: "default",
  nodeId: NODE,
  allocationId: ALLOCATION,
  tags: TAGS,
  address: "127.0.0.1",
  port: 28_156,
};

test("the answers that a real Nomad gave are read as they are meant", () => {
  assert.deepEqual(parseServiceNames(json("services.json")), [
    { namespace: "default", service: "web", tags: TAGS },
  ]);
  assert.deepEqual(parseRegistrations(json("service.json")), { registrations: [REGISTRATION], unusable: [] });
  assert.deepEqual([...parseChecks(json("checks.json"))], [["web", "failing"]]);
  assert.deepEqual([...parseNodeNames(json("nodes.json"))], [[NODE, "vm"]]);
  const [allocation] = json("allocations.json") as readonly unknown[];
  const read = parseAllocation(allocation);
  if (typeof read === "string") assert.fail(read);
  assert.equal(read.id, ALLOCATION);
  assert.deepEqual(read.services, [{ name: "web", provider: "nomad", tags: TAGS }]);
  assert.equal(read.address, undefined, "it has the host's network");
  assert.deepEqual(read.ports, [{ label: "http", value: 28_156, to: 0, hostAddress: "127.0.0.1" }]);
});

test("the event stream of a real Nomad begins with a heartbeat, and an event has the whole registration", () => {
  const lines = recorded("events.ndjson").trim().split("\n");
  assert.deepEqual(
    lines.map((line) => parseServiceLine(JSON.parse(line))),
    [
      { kind: "heartbeat" },
      { kind: "changes", index: 13, changes: [{ kind: "registered", registration: REGISTRATION }] },
    ],
  );
});

test("the double of tests answers in the same words", () => {
  const state = new NomadState();
  const node = state.nodeId("vm");
  const { ID } = state.putAllocation({ NodeID: node });
  state.register({
    ID: "a",
    ServiceName: "web",
    Namespace: "default",
    NodeID: node,
    Datacenter: "dc1",
    JobID: "web",
    AllocID: ID,
    Tags: TAGS,
    Address: "127.0.0.1",
    Port: 1,
  });
  const pairs = [
    ["/services", "services.json"],
    ["/service/web", "service.json"],
    ["/nodes", "nodes.json"],
    [`/node/${node}/allocations`, "allocations.json"],
  ] as const;
  for (const [path, name] of pairs) {
    const answer = answerOf(state, path, new URLSearchParams()) ?? assert.fail(path);
    const [own] = answer.body as readonly object[];
    const [real] = json(name) as readonly object[];
    const words = Object.keys(real ?? {});
    for (const word of Object.keys(own ?? {})) assert.ok(words.includes(word), `${path} has ${word}`);
  }
  const [event] = state.buffer[0]?.Events ?? [];
  const [, line = "{}"] = recorded("events.ndjson").split("\n");
  assert.deepEqual(Object.keys(event ?? {}).sort(), Object.keys(JSON.parse(line).Events[0]).sort());
});

const strange = [
  { name: "no object", line: 7 },
  { name: "an index of 0", line: { Index: 0, Events: [] } },
  {
    name: "a registration without a port",
    line: change("ServiceRegistration", { ...raw(), Port: undefined }),
  },
  { name: "an event of another type", line: change("NodeDeregistration", raw()) },
];

for (const { name, line } of strange) {
  test(`a line of the stream with ${name} has to be learnt from a list`, () => {
    assert.equal(parseServiceLine(line).kind, "unreadable");
  });
}

test("events of other topics are nobody's business", () => {
  const line = { Index: 9, Events: [{ Topic: "Job", Type: "JobRegistered", Payload: {} }] };
  assert.deepEqual(parseServiceLine(line), { kind: "changes", index: 9, changes: [] });
});

function raw(): object {
  return (json("service.json") as readonly object[])[0] ?? {};
}

function change(Type: string, Service: object): object {
  return { Index: 14, Events: [{ Topic: "Service", Type, Payload: { Service } }] };
}
