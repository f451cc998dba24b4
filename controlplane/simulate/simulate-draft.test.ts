import assert from "node:assert/strict";
import { test } from "node:test";
import { type CountedCalls, httpCallKind, REFUSED_TOKEN } from "../../mesh/calls/call-kind.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { port, type SampleParts, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { ISSUER, jwks } from "../../test/harness/test-tokens.ts";
import { createTranslator } from "../translate/translator.ts";
import type { AuthzMesh } from "./authz.ts";
import { simulateDraft } from "./simulate-draft.ts";

const WEB = workload("web");
const CLIENT = "spiffe://cluster.local/ns/default/sa/client";

interface Seen {
  readonly source?: string;
  readonly method?: string;
  readonly path?: string;
  readonly issuer?: string;
  readonly over?: Partial<CountedCalls>;
}

function calls({
  source = CLIENT,
  method = "GET",
  path = "/orders/1",
  issuer = "",
  over,
}: Seen): CountedCalls {
  const call = { source, port: 9080, method, host: "web", target: path, issuer, details: "" };
  return { ...httpCallKind(call), count: 1, firstSeenMs: 1, lastSeenMs: 2, ...over };
}

function policy(name: string, action: string, rule: string): string {
  return `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name} }\nspec: { action: ${action}, rules: [${rule}] }\n`;
}

const TOKENS = `---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: tokens }\nspec: { jwtRules: [{ issuer: "${ISSUER}", jwks: ${JSON.stringify(jwks())} }] }\n`;
const STRICT = `---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default }\nspec: { mtls: { mode: STRICT } }\n`;

/** An authorizer of CUSTOM policies. */
const AUTHORIZER = `---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { extensionProviders: [{ name: opa, envoyExtAuthzGrpc: { service: opa.test, port: 9000 } }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: opa }
spec: { hosts: [opa.test], resolution: STATIC, ports: [{ number: 9000, name: grpc, protocol: GRPC }], endpoints: [{ address: 192.0.2.9 }] }
`;
const custom = (name: string, rule: string): string =>
  policy(name, "CUSTOM", rule).replace("action:", "provider: { name: opa }, action:");
const HEADER = '{ when: [{ key: "request.headers[x-a]", values: [b] }] }';

interface Case {
  readonly name: string;
  readonly before?: string;
  readonly after: string;
  readonly seen: Seen;
  readonly want: "none" | "undecided" | readonly [before: boolean, after: boolean, by: string];
}

const cases: readonly Case[] = [
  {
    name: "a DENY that is for the call",
    after: policy("draft", "DENY", "{ to: [{ operation: { paths: [/orders/*] } }] }"),
    seen: {},
    want: [true, false, "draft"],
  },
  {
    name: "a DENY that is for another path",
    after: policy("draft", "DENY", "{ to: [{ operation: { paths: [/admin*] } }] }"),
    seen: {},
    want: "none",
  },
  {
    name: "a first ALLOW that is for another caller",
    after: policy("draft", "ALLOW", "{ from: [{ source: { serviceAccounts: [default/other] } }] }"),
    seen: {},
    want: [true, false, ""],
  },
  {
    name: "the end of a DENY",
    before: policy("draft", "DENY", "{ to: [{ operation: { methods: [GET] } }] }"),
    after: "",
    seen: {},
    want: [false, true, ""],
  },
  {
    name: "mutual TLS for all, of a caller without",
    after: STRICT,
    seen: { source: "" },
    want: [true, false, ""],
  },
  { name: "mutual TLS for all, of a caller with", after: STRICT, seen: {}, want: "none" },
  {
    name: "a rule about a header that is not recorded",
    after: policy("draft", "DENY", '{ when: [{ key: "request.headers[x-a]", values: [b] }] }'),
    seen: {},
    want: "undecided",
  },
  {
    name: "the same, where the rest of the rule is not for the call",
    after: policy(
      "draft",
      "DENY",
      '{ to: [{ operation: { methods: [PUT] } }], when: [{ key: "request.headers[x-a]", values: [b] }] }',
    ),
    seen: {},
    want: "none",
  },
  {
    name: "a rule about addresses, which are not recorded",
    after: policy("draft", "DENY", "{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }] }"),
    seen: {},
    want: "undecided",
  },
  {
    name: "a rule that asks for a header as before, beside a draft about something else",
    before: policy("old", "DENY", '{ when: [{ key: "request.headers[x-a]", values: [b] }] }'),
    after:
      policy("old", "DENY", '{ when: [{ key: "request.headers[x-a]", values: [b] }] }') +
      policy("draft", "DENY", "{ to: [{ operation: { paths: [/admin*] } }] }"),
    seen: {},
    want: "none",
  },
  {
    name: "a DENY for all, whatever a header says",
    before: policy("old", "DENY", '{ when: [{ key: "request.headers[x-a]", values: [b] }] }'),
    after: policy("draft", "DENY", "{}"),
    seen: {},
    want: "undecided",
  },
  {
    name: "a DENY below a folder, of paths that are only known to be in it",
    after: policy("draft", "DENY", "{ to: [{ operation: { paths: [/orders/*] } }] }"),
    seen: { path: "/orders/", over: { precision: "start" } },
    want: [true, false, "draft"],
  },
  {
    name: "a DENY of one path, of paths that are only known to be beside it",
    after: policy("draft", "DENY", "{ to: [{ operation: { paths: [/orders/1] } }] }"),
    seen: { path: "/orders/", over: { precision: "start" } },
    want: "undecided",
  },
  {
    name: "a DENY of a caller, whose calls are too many to be told apart",
    after: policy("draft", "DENY", "{ from: [{ source: { namespaces: [default] } }] }"),
    seen: { method: "", path: "", over: { precision: "rest", host: "" } },
    want: [true, false, "draft"],
  },
  {
    name: "tokens of an issuer that is known, of a caller that had one",
    before: TOKENS,
    after:
      TOKENS +
      policy("draft", "ALLOW", `{ when: [{ key: "request.auth.claims[iss]", values: ["${ISSUER}"] }] }`),
    seen: { issuer: ISSUER },
    want: "none",
  },
  {
    name: "tokens, of a caller that had none",
    before: TOKENS,
    after: TOKENS + policy("draft", "ALLOW", '{ from: [{ source: { requestPrincipals: ["*"] } }] }'),
    seen: {},
    want: [true, false, ""],
  },
  {
    name: "a claim that is not recorded, of a caller that had a token",
    before: TOKENS,
    after:
      TOKENS + policy("draft", "ALLOW", '{ when: [{ key: "request.auth.claims[group]", values: [a] }] }'),
    seen: { issuer: ISSUER },
    want: "undecided",
  },
  {
    name: "the end of the checks that refused a token",
    before: TOKENS,
    after: "",
    seen: { issuer: REFUSED_TOKEN, over: { denied: true } },
    want: [false, true, ""],
  },
  {
    name: "an authorizer that is asked about the call",
    before: AUTHORIZER,
    after: AUTHORIZER + custom("draft", "{ to: [{ operation: { methods: [GET] } }] }"),
    seen: {},
    want: "undecided",
  },
  {
    name: "an authorizer that may be asked, by a header that is not recorded",
    before: AUTHORIZER,
    after: AUTHORIZER + custom("draft", HEADER),
    seen: {},
    want: "undecided",
  },
  {
    name: "an authorizer that is asked about other calls",
    before: AUTHORIZER,
    after: AUTHORIZER + custom("draft", "{ to: [{ operation: { methods: [PUT] } }] }"),
    seen: {},
    want: "none",
  },
  {
    name: "something else, beside an authorizer that may be asked as before",
    before: AUTHORIZER + custom("old", HEADER),
    after:
      AUTHORIZER +
      custom("old", HEADER) +
      policy("draft", "DENY", "{ to: [{ operation: { methods: [PUT] } }] }"),
    seen: {},
    want: "none",
  },
];

for (const { name, before = "", after, seen, want } of cases) {
  test(`${name}: ${typeof want === "string" ? want : `${want[0]} → ${want[1]}`}`, async () => {
    const { changes, undecided } = await simulated({ before, after, calls: calls(seen) });
    const [change] = changes;
    if (want === "none") assert.deepEqual([changes, undecided], [[], []]);
    else if (want === "undecided") assert.deepEqual([changes, undecided.length], [[], 1]);
    else {
      const by = change?.after.decidedBy?.name ?? "";
      assert.deepEqual([change?.before.allowed, change?.after.allowed, by], want);
    }
  });
}

test("calls of a workload that is gone are those of one that is like it, or nobody knows", async () => {
  const after = policy("draft", "DENY", "{}");
  const gone = { ...WEB, name: "web-0" };
  const { changes } = await simulated({ after, calls: calls({}), called: gone });
  assert.deepEqual(
    changes.map((one) => [one.calls.to, one.after.allowed]),
    [["default/web-0", false]],
  );
  const other = await simulated({ after, calls: calls({}), called: { ...gone, labels: { app: "x" } } });
  assert.deepEqual([other.changes.length, other.undecided.length], [0, 1]);
  const unknown = await simulated({ after, calls: calls({ over: { port: 1 } }) });
  assert.deepEqual([unknown.changes.length, unknown.undecided.length], [0, 1]);
});

for (const [protocol, changed] of [
  ["http", []],
  ["tcp", [[true, false]]],
] as const) {
  test(`at a port that says nothing of its protocol, a call is judged as the ${protocol} that was seen`, async () => {
    const web = { ...WEB, ports: [port({ protocol: "auto" })] };
    const after = policy("draft", "ALLOW", "{ to: [{ operation: { paths: [/orders/1] } }] }");
    const { changes } = await simulated({
      after,
      calls: calls({ over: { protocol } }),
      called: web,
      workloads: [web],
    });
    assert.deepEqual(
      changes.map((one) => [one.before.allowed, one.after.allowed]),
      changed,
    );
  });
}

test("of very many kinds of calls the most frequent are told, while the server goes on", async () => {
  const kinds = Array.from({ length: 1500 }, (_, index) =>
    calls({ path: `/${index}`, over: { count: index + 1 } }),
  );
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const { changes, untold, compared } = await simulated({
    after: policy("draft", "DENY", "{}"),
    calls: kinds,
  });
  clearInterval(timer);
  assert.deepEqual([changes.length, untold, compared.kinds], [1000, 500, 1500]);
  assert.deepEqual([changes[0]?.calls.count, changes.at(-1)?.calls.count], [1500, 501]);
  assert.ok(turns >= 5, `${turns}`);
});

test("a simulation that is no longer wanted stops", async () => {
  const signal = AbortSignal.abort();
  await assert.rejects(simulated({ after: STRICT, calls: calls({}), signal }), { name: "AbortError" });
});

async function simulated(given: {
  readonly before?: string;
  readonly after: string;
  readonly calls: CountedCalls | readonly CountedCalls[];
  readonly called?: PlacedWorkload;
  readonly workloads?: readonly PlacedWorkload[];
  readonly signal?: AbortSignal;
}): ReturnType<typeof simulateDraft> {
  const { called = WEB, workloads = [WEB], signal = new AbortController().signal } = given;
  return await simulateDraft({
    before: meshOf({ yaml: given.before ?? "", workloads }),
    after: meshOf({ yaml: given.after, workloads }),
    isDrafted: ({ name }) => name === "draft",
    history: [{ workload: called, calls: [given.calls].flat(), leftOut: 0 }],
    nowMs: Date.UTC(2026, 0, 1),
    signal,
  });
}

function meshOf(parts: SampleParts): AuthzMesh {
  const { snapshot, changed } = sampleState(parts).next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  return { snapshot, translator };
}
