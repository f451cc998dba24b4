import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExplainReply } from "../mesh/admin-api/replies.ts";
import { runCli, startCli } from "../test/harness/run-cli.ts";

const arrives: ExplainReply = {
  from: "default/productpage",
  to: "GET http://reviews:9080/",
  steps: [
    {
      step: "connect",
      name: "127.0.0.1:9082",
      why: "declared upstream reviews:9080",
      object: null,
      share: null,
    },
    {
      step: "route",
      name: "#1 canary",
      why: "any path",
      object: { kind: "VirtualService", namespace: "default", name: "reviews", rule: 'http[1] "canary"' },
      share: null,
    },
    { step: "cluster", name: "outbound|9080|v1|reviews", why: "EDS, ROUND_ROBIN", object: null, share: 0.8 },
    { step: "endpoint", name: "10.0.0.1:9080", why: "priority 0", object: null, share: 1 },
  ],
  outcome: { arrives: true, kind: "forward", status: null, text: "the call arrives" },
  notes: [],
};
const fails: ExplainReply = {
  ...arrives,
  steps: [],
  outcome: { arrives: false, kind: "no-route", status: 404, text: "404: none of the 2 routes matches" },
};

const CALL = ["--to", "http://reviews:9080/"];

test("explain lines up the way of a call and exits 0 when it arrives", async (t) => {
  const cli = await startCli(t);
  cli.server.explanations.set("default/productpage", arrives);
  assert.deepEqual(await cli.run(["explain", "--from", "productpage", ...CALL]), {
    code: 0,
    stdout: `default/productpage calls GET http://reviews:9080/

STEP         WHAT                       SHARE   WHY                              DECIDED BY
connect to   127.0.0.1:9082             -       declared upstream reviews:9080   -
route        #1 canary                  -       any path                         VirtualService default/reviews http[1] "canary"
cluster      outbound|9080|v1|reviews   80 %    EDS, ROUND_ROBIN                 -
  endpoint   10.0.0.1:9080              100 %   priority 0                       -

ok: the call arrives
`,
    stderr: "",
  });
});

test("explain exits 1 when the call would not arrive", async (t) => {
  const cli = await startCli(t);
  cli.server.explanations.set("shop/cart", fails);
  const { code, stdout } = await cli.run(["explain", "--from", "cart.shop", ...CALL]);
  assert.equal(code, 1);
  assert.match(stdout, /\nerror: 404: none of the 2 routes matches\n$/);
});

test("explain -o json prints what the server answers", async (t) => {
  const cli = await startCli(t);
  cli.server.explanations.set("shop/cart", fails);
  const { code, stdout } = await cli.run(["explain", "--from", "shop/cart", ...CALL, "-o", "json"]);
  assert.deepEqual([code, JSON.parse(stdout)], [1, fails]);
});

test("explain sends the method and the headers", async (t) => {
  const cli = await startCli(t);
  cli.server.explanations.set("default/a", arrives);
  await cli.run(["explain", "--from", "a", ...CALL, "--method", "post", "-H", "x-a: 1", "-H", "x-b:2&3=4"]);
  await cli.run(["explain", "--from", "a", ...CALL, "-H", "x-a: "]);
  assert.deepEqual(cli.server.asked, [
    {
      to: "http://reviews:9080/",
      method: "POST",
      headers: [
        ["x-a", "1"],
        ["x-b", "2&3=4"],
      ],
    },
    { to: "http://reviews:9080/", method: "GET", headers: [["x-a", ""]] },
  ]);
});

test("explain exits 2 when there is no such workload, which is no answer about the call", async (t) => {
  const cli = await startCli(t);
  const { code, stdout, stderr } = await cli.run(["explain", "--from", "nobody", ...CALL]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^error: workload default\/nobody does not exist\ntry: /);
});

const FILES = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  workloadSelector: { labels: { app: reviews } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: reviews-v1 }
spec: { address: 10.0.0.1, labels: { app: reviews }, serviceAccount: reviews }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ name: only, match: [{ uri: { prefix: /api } }], route: [{ destination: { host: reviews } }] }]
`;

test("explain -f answers from files alone", async () => {
  const from = (workload: string, path: string): readonly string[] => [
    "explain",
    "-f",
    "-",
    "--from",
    workload,
    "--to",
    `http://reviews:9080${path}`,
    "-o",
    "json",
  ];
  const readStdin = async (): Promise<string> => FILES;
  const arriving = await runCli(from("reviews-v1", "/api/1"), { readStdin });
  const reply = JSON.parse(arriving.stdout) as ExplainReply;
  assert.deepEqual([arriving.code, reply.from, reply.outcome.kind], [0, "default/reviews-v1", "forward"]);
  const route = reply.steps.find(({ step }) => step === "route");
  assert.deepEqual(route?.object, {
    kind: "VirtualService",
    namespace: "default",
    name: "reviews",
    rule: 'http[0] "only"',
  });
  const lost = await runCli(from("reviews-v1", "/"), { readStdin });
  assert.deepEqual([lost.code, (JSON.parse(lost.stdout) as ExplainReply).outcome.status], [1, 404]);
  const unknown = await runCli(from("nobody", "/"), { readStdin });
  assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
  const odd = await runCli([...from("reviews-v1", "/"), "-H", "odd"], { readStdin });
  assert.deepEqual([odd.code, odd.stdout], [64, ""]);
});

test("explain says what the deciding objects say and is not done", async () => {
  const readStdin = async (): Promise<string> =>
    FILES.replace("host: reviews } }]", "host: reviews, subset: v9 } }]");
  const argv = ["explain", "-f", "-", "--from", "reviews-v1", "--to", "http://reviews:9080/api"];
  const { code, stdout } = await runCli(argv, { readStdin });
  assert.equal(code, 1);
  assert.match(stdout, /\nerror: 503: [^\n]*\nnote: VirtualService default\/reviews: [^\n]*v9[^\n]*\n$/);
});

test("explain says that nobody knows a host, and goes on with an address of DNS", async () => {
  const readStdin = async (): Promise<string> => FILES;
  const argv = ["explain", "-f", "-", "--from", "reviews-v1", "--to", "http://reveiws:9080/"];
  const { stdout } = await runCli(argv, { readStdin });
  assert.match(stdout, /connect to .* no service of the mesh is called reveiws: an address that DNS gives/);
});

test("explain offers the URL that was meant", async () => {
  const readStdin = async (): Promise<string> => FILES;
  const argv = ["explain", "-f", "-", "--from", "reviews-v1", "--to", "reviews:9080/x"];
  const { stderr } = await runCli(argv, { readStdin });
  assert.match(stderr, /\ntry: http:\/\/reviews:9080\/x\n$/);
});

for (const [argv, hint] of [
  [["explain", "--from", "a", ...CALL], "explain from files: -f DIR"],
  [["diff", "-f", "-"], "compare with files: --against DIR"],
  [["analyze"], "analyze files alone: -f DIR, without -k"],
] as const) {
  test(`${argv[0]} says without a server that it can do with files`, async () => {
    const { code, stderr } = await runCli(argv, { environment: { LATEEN_ADDR: "unix:///nowhere.sock" } });
    assert.equal(code, 2);
    assert.ok(stderr.endsWith(`or set LATEEN_ADDR to where it is; or ${hint}\n`), stderr);
  });
}

for (const [name, argv] of [
  ["without a caller", CALL],
  ["without a callee", ["--from", "a"]],
  ["with half a header", ["--from", "a", ...CALL, "-H", "nothing"]],
  ["with a header over two lines", ["--from", "a", ...CALL, "-H", "x-a: 1\r\nx-b: 2"]],
  ["with an odd method", ["--from", "a", ...CALL, "--method", "GET /"]],
  ["with a caller of three parts", ["--from", "a/b/c", ...CALL]],
  ["with an odd format", ["--from", "a", ...CALL, "-o", "yaml"]],
] as const) {
  test(`explain exits 64 ${name}`, async (t) => {
    const cli = await startCli(t);
    const { code, stdout, stderr } = await cli.run(["explain", ...argv]);
    assert.deepEqual([code, stdout], [64, ""], stderr);
  });
}
