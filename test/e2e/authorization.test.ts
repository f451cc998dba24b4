import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import type { Reply } from "../harness/mesh-calls.ts";
import { authorizationPolicy } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const REVIEWS = "reviews.default.svc.cluster.local";
const HOSTS = [
  { name: "caller", service: "caller", upstreams: [REVIEWS] },
  { name: "stranger", service: "stranger", namespace: "other", upstreams: [REVIEWS] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;

type Caller = "caller" | "stranger" | "outside";
interface Case {
  readonly name: string;
  readonly policies: readonly (readonly [action: "ALLOW" | "DENY", ...rules: readonly unknown[]])[];
  /** Who gets which status; a text as `POST /x end-user=jason` says how. */
  readonly want: readonly (readonly [Caller, string, number])[];
}

const CASES: readonly Case[] = [
  {
    name: "by principal",
    policies: [["ALLOW", { from: [{ source: { principals: ["e2e.local/ns/default/sa/caller"] } }] }]],
    want: [
      ["caller", "GET /", 200],
      ["stranger", "GET /", 403],
      ["outside", "GET /", 403],
    ],
  },
  {
    name: "by principal with a wildcard",
    policies: [["ALLOW", { from: [{ source: { principals: ["*/sa/stranger"] } }] }]],
    want: [
      ["caller", "GET /", 403],
      ["stranger", "GET /", 200],
    ],
  },
  {
    name: "by namespace, and by not being in one",
    policies: [
      ["ALLOW", { from: [{ source: { namespaces: ["default", "other"] } }] }],
      ["DENY", { from: [{ source: { notNamespaces: ["default"] } }] }],
    ],
    want: [
      ["caller", "GET /", 200],
      ["stranger", "GET /", 403],
      ["outside", "GET /", 403],
    ],
  },
  {
    name: "by method and path",
    policies: [
      [
        "ALLOW",
        { to: [{ operation: { methods: ["GET"], paths: ["/public", "/api/*"] } }] },
        { to: [{ operation: { methods: ["PUT"], paths: ["*/own"], notPaths: ["/not/own"] } }] },
      ],
    ],
    want: [
      ["caller", "GET /public", 200],
      ["outside", "GET /public", 200],
      ["caller", "GET /public?x=1", 200],
      ["caller", "GET /public/more", 403],
      ["caller", "GET /api/x/y", 200],
      ["caller", "POST /public", 403],
      ["caller", "PUT /my/own", 200],
      ["caller", "PUT /not/own", 403],
      ["caller", "GET /secret/../public", 200],
      ["caller", "GET /api/../secret", 403],
      ["caller", "GET //public", 200],
      ["caller", "GET /api/%2e%2e/secret", 403],
    ],
  },
  {
    name: "by header",
    policies: [
      ["ALLOW", { when: [{ key: "request.headers[x-team]", values: ["blue", "red*"] }] }],
      ["DENY", { when: [{ key: "request.headers[x-banned]", values: ["*"] }] }],
    ],
    want: [
      ["caller", "GET / x-team=blue", 200],
      ["caller", "GET / x-team=reddish", 200],
      ["caller", "GET / x-team=green", 403],
      ["caller", "GET /", 403],
      ["caller", "GET / x-team=blue x-banned=1", 403],
    ],
  },
  {
    name: "by ALLOW only if no DENY matches",
    policies: [
      ["ALLOW", {}],
      [
        "DENY",
        { from: [{ source: { namespaces: ["other"] } }], to: [{ operation: { paths: ["/admin*"] } }] },
      ],
    ],
    want: [
      ["caller", "GET /admin", 200],
      ["stranger", "GET /", 200],
      ["stranger", "GET /admin", 403],
      ["stranger", "GET /admin/x", 403],
    ],
  },
  {
    name: "never by an ALLOW without rules",
    policies: [["ALLOW"]],
    want: [
      ["caller", "GET /", 403],
      ["outside", "GET /", 403],
    ],
  },
];

describeMesh("authorization", { hosts: HOSTS }, (mesh) => {
  const ask = async (who: Caller, how: string): Promise<Reply> => {
    const [method = "", path = "", ...pairs] = how.split(" ");
    const options = { method, headers: Object.fromEntries(pairs.map((pair) => pair.split("="))) };
    return who === "outside"
      ? mesh().plaintext("reviews-v1", path, options)
      : mesh().call(who, REVIEWS, path, options);
  };

  /**
   * Envoy lets a connection that it had before a change serve one more request by the old rules, so a single answer does
   * not say that they are gone: three rounds do, but for a straggler.
   */
  const inForce = async (want: Case["want"]): Promise<void> => {
    let rounds = 0;
    let wrong = "";
    await eventually("the policies in force", async () => {
      for (const [who, how, status] of want) {
        const reply = await ask(who, how);
        if (reply.status === status) continue;
        rounds = 0;
        wrong = `${who}: ${how} got ${reply.status}, not ${status}`;
        return false;
      }
      return ++rounds >= 3;
    }).catch((error: unknown) => assert.fail(`${String(error)}: ${wrong}`));
  };

  for (const { name, policies, want } of CASES) {
    test(`requests are let in ${name}`, async () => {
      const yaml = policies.map(([action, ...rules], index) =>
        authorizationPolicy(`p${index}`, "reviews", { action, rules }),
      );
      await mesh().apply(yaml.join(""));
      await inForce(want);
      for (const [who, how, status] of want) {
        let taken = 0;
        const reply = await eventually(`${status} for ${who}: ${how}`, async () => {
          taken = mesh().host("reviews-v1").app.taken();
          const reply = await ask(who, how);
          return reply.status === status && reply;
        });
        if (status !== 403) continue;
        assert.equal(reply.body, "RBAC: access denied", `${who}: ${how}`);
        assert.equal(mesh().host("reviews-v1").app.taken(), taken, "the application saw a refused request");
      }
    });
  }

  test("a policy that is gone refuses nobody", async () => {
    await mesh().apply(authorizationPolicy("nobody", "reviews", { action: "ALLOW", rules: [] }));
    await eventually("403", async () => (await ask("caller", "GET /")).status === 403);
    await mesh().delete("AuthorizationPolicy", "nobody");
    await eventually("200", async () => (await ask("caller", "GET /")).status === 200);
  });
});
