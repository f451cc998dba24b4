import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthzReply } from "../mesh/admin-api/replies.ts";
import { runCli, startCli } from "../test/harness/run-cli.ts";
import { claims, ISSUER, jwks, token } from "../test/harness/test-tokens.ts";

function workload(name: string, namespace = "default"): string {
  return `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}-1, namespace: ${namespace} }
spec: { address: 10.0.0.${name.length}, labels: { app: ${name} }, serviceAccount: ${name}, ports: { http: 8080 } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  hosts: [${name}.${namespace}.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 8080, name: http, protocol: HTTP }]
  workloadSelector: { labels: { app: ${name} } }
`;
}

const POLICIES = `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec: { jwtRules: [{ issuer: "${ISSUER}", jwks: ${JSON.stringify(jwks())} }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-deletes }
spec: { selector: { matchLabels: { app: reviews } }, action: DENY, rules: [{ to: [{ operation: { methods: [DELETE] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers }
spec:
  selector: { matchLabels: { app: reviews } }
  rules:
    - from: [{ source: { serviceAccounts: [default/web] } }]
      to: [{ operation: { paths: [/public] } }]
    - from: [{ source: { requestPrincipals: ["*"] } }]
`;

const MESH = [workload("web"), workload("reviews"), workload("batch", "other"), POLICIES].join("---");

async function inFiles(args: readonly string[]): Promise<Awaited<ReturnType<typeof runCli>>> {
  return await runCli([...args, "-f", "-"], { readStdin: async () => await Promise.resolve(MESH) });
}

test("authz check tells the order in which policies are asked, and the rule that lets a call in", async () => {
  const { code, stdout } = await inFiles(["authz", "check", "web-1", "reviews-1", "--path", "/public"]);
  assert.equal(code, 0, stdout);
  assert.equal(
    stdout,
    `default/web-1 (spiffe://cluster.local/ns/default/sa/web) calls default/reviews-1 at port 8080

ASKED                   SAYS                POLICY
RequestAuthentication   there is no token   -
DENY                    no rule matches     -
ALLOW                   a rule matches      AuthorizationPolicy default/readers rules[0]

allowed: no policy refuses it, by AuthorizationPolicy default/readers rules[0]
`,
  );
});

const answers: readonly (readonly [args: readonly string[], code: number, last: RegExp])[] = [
  [["web-1", "reviews-1"], 1, /^denied: RBAC: access denied; the caller is answered 403$/m],
  [
    ["web-1", "reviews-1", "--method", "DELETE", "--path", "/public"],
    1,
    /^denied: RBAC: access denied, by AuthorizationPolicy default\/no-deletes rules\[0\]; the caller is answered 403$/m,
  ],
  [["batch-1.other", "reviews-1", "--path", "/public"], 1, /^denied/m],
  [["outside", "reviews-1"], 1, /^denied/m],
  [["outside", "reviews-1", "--jwt", token()], 0, /^allowed: .* readers rules\[1\]$|^allowed: /m],
  [
    ["outside", "reviews-1", "--jwt", token(claims({ exp: 1_000_000_000 }))],
    1,
    /^denied: Jwt is expired; the caller is answered 401$/m,
  ],
  [["outside", "reviews-1", "-H", `authorization: Bearer ${token()}`], 0, /^allowed/m],
  [["spiffe://cluster.local/ns/default/sa/web", "reviews-1", "--path", "/public"], 0, /^allowed/m],
  [["spiffe://else.example/ns/default/sa/web", "reviews-1", "--path", "/public"], 1, /^denied/m],
  [["web-1", "web-1"], 0, /^allowed: no policy refuses it$/m],
  [["web-1", "gone-1"], 2, /^$/],
  [["web-1", "reviews-1", "--port", "1"], 2, /^$/],
];
for (const [args, code, last] of answers) {
  // A token has no place in what tests print.
  const told = args.map((one) => (one.includes(token().slice(0, 20)) ? "(token)" : one));
  test(`authz check ${told.join(" ")} exits ${code}: ${String(last).slice(2, 40)}`, async () => {
    const result = await inFiles(["authz", "check", ...args]);
    assert.equal(result.code, code, result.stdout + result.stderr);
    assert.match(result.stdout, last);
  });
}

test("authz who lists the identities that may call, and with --all the others too", async () => {
  const some = await inFiles(["authz", "who", "reviews-1", "--path", "/public"]);
  assert.deepEqual([some.code, some.stdout.trim().split("\n").length], [0, 2]);
  assert.match(
    some.stdout,
    /^spiffe:\/\/cluster\.local\/ns\/default\/sa\/web +allowed +AuthorizationPolicy default\/readers rules\[0\]$/m,
  );
  const all = await inFiles(["authz", "who", "reviews-1", "--path", "/public", "--all"]);
  assert.match(all.stdout, /^spiffe:\/\/cluster\.local\/ns\/other\/sa\/batch +denied/m);
  assert.match(all.stdout, /^outside +denied/m);
  const nobody = await inFiles(["authz", "who", "reviews-1", "--method", "DELETE"]);
  assert.deepEqual([nobody.code, nobody.stdout], [0, "nobody\n"]);
});

test("the server is asked with all that is said of the call, and the token is not in a URL", async (t) => {
  const cli = await startCli(t);
  const reply: AuthzReply = {
    from: "default/web-1",
    principal: null,
    to: "shop/reviews-1",
    port: 80,
    allowed: null,
    status: null,
    reason: "no policy refuses it; an authorizer is asked, and may",
    decidedBy: null,
    undecided: [],
    steps: [],
  };
  cli.server.callers.set("shop/reviews-1", [reply]);
  const call = "--port 80 --method put --path /a?b --jwt a.b.c -o json".split(" ");
  const { code, stdout } = await cli.run([
    "authz",
    "check",
    "web-1",
    "reviews-1.shop",
    ...call,
    "-H",
    "x-a: b",
  ]);
  assert.deepEqual([code, JSON.parse(stdout)], [2, reply]);
  const { nowMs: _, ...asked } = cli.server.authzAsked.at(-1) ?? { nowMs: 0 };
  assert.deepEqual(asked, {
    port: 80,
    method: "PUT",
    path: "/a?b",
    headers: [
      ["authorization", "Bearer a.b.c"],
      ["x-a", "b"],
    ],
  });
  const who = await cli.run(["authz", "who", "reviews-1.shop"]);
  assert.match(who.stdout, /^default\/web-1 +undecided/m);
});
