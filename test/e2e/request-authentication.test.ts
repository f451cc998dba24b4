import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import type { Reply } from "../harness/mesh-calls.ts";
import { authorizationPolicy, document } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { claims, ISSUER, jwks, token } from "../harness/test-tokens.ts";

const REVIEWS = "reviews.default.svc.cluster.local";
const HOSTS = [
  { name: "caller", service: "caller", upstreams: [REVIEWS] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;

let issuer: Server;
let keys: string | undefined;
let uri: string;

before(async () => {
  issuer = createServer((_request, response) => {
    if (keys === undefined) response.writeHead(503).end();
    else response.end(keys);
  });
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  uri = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`;
});

after(async () => {
  issuer.closeAllConnections();
  await new Promise((resolve) => issuer.close(resolve));
});

function authentication(): string {
  return document("security.istio.io/v1", "RequestAuthentication", "tokens", {
    selector: { matchLabels: { app: "reviews" } },
    jwtRules: [
      {
        issuer: ISSUER,
        jwksUri: uri,
        outputPayloadToHeader: "x-claims",
        outputClaimToHeaders: [
          { header: "x-sub", claim: "sub" },
          { header: "x-groups", claim: "groups" },
        ],
      },
    ],
  });
}

describeMesh("tokens", { hosts: HOSTS }, (mesh) => {
  const ask = async (
    authorization?: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> =>
    await mesh().call("caller", REVIEWS, "/", {
      headers: {
        ...headers,
        ...(authorization === undefined ? {} : { authorization: `Bearer ${authorization}` }),
      },
    });

  // A connection that was open when the configuration came may give one more answer by the former one.
  const answers = async (status: number, authorization?: string): Promise<Reply> =>
    await eventually(`${status} is answered`, async () => {
      const reply = await ask(authorization);
      return reply.status === status && reply;
    });

  test("keys are fetched by the server; without them every token is refused; the last good ones stay", async () => {
    keys = undefined;
    await mesh().apply(authentication());
    const refused = await answers(401, token());
    assert.match(refused.body, /^Jwks doesn't have key|^Jwt verification fails/);
    keys = jwks(["rsa"]);
    await answers(200, token());
    await answers(401, token(claims(), { alg: "ES256" }));
    await answers(200);
    keys = undefined;
    await answers(200, token());
  });

  test("the last good keys stay when the server starts again while the issuer is away", async () => {
    keys = jwks(["rsa"]);
    await mesh().apply(authentication());
    await answers(200, token());
    keys = undefined;
    await mesh().server.stop();
    await mesh().server.start();
    await mesh().synced();
    // What the server has after its restart is in force: also what it is told now.
    const rule = { when: [{ key: "request.auth.claims[groups]", values: ["admin"] }] };
    await mesh().apply(authorizationPolicy("admins", "reviews", { rules: [rule] }));
    await answers(403, token());
    await answers(200, token(claims({ groups: ["admin"] })));
    await answers(401, token(claims(), { alg: "ES256" }));
  });

  test("the application is told whose the token is, by the proxy alone, and does not get the token", async () => {
    keys = jwks();
    await mesh().apply(authentication());
    const toldOf = async (subject: string | undefined, authorization?: string): Promise<Reply["echo"]> =>
      await eventually(`${subject ?? "nobody"} is told`, async () => {
        const { echo } = await ask(authorization, { "x-sub": "root", "x-claims": "e30" });
        return echo !== undefined && echo.headers["x-sub"] === subject && echo;
      });
    const alice = await toldOf("alice", token(claims({ groups: ["a", "b"] })));
    assert.equal(Buffer.from(String(alice?.headers["x-groups"]), "base64").toString(), '["a","b"]');
    const told = JSON.parse(
      Buffer.from(String(alice?.headers["x-claims"]), "base64url").toString(),
    ) as object;
    assert.deepEqual(told, { ...claims({ groups: ["a", "b"] }) });
    assert.equal(alice?.headers["authorization"], undefined);
    const nobody = await toldOf(undefined);
    assert.equal(nobody?.headers["x-claims"], undefined);
  });

  test("a policy asks what the token says; who is refused learns nothing but that", async () => {
    keys = jwks();
    const rule = { when: [{ key: "request.auth.claims[groups]", values: ["admin"] }] };
    await mesh().apply(authentication() + authorizationPolicy("admins", "reviews", { rules: [rule] }));
    await answers(403);
    await answers(200, token(claims({ groups: ["admin"] })));
    const { body, headers } = await answers(403, token(claims({ groups: ["user"] })));
    assert.equal(body, "RBAC: access denied");
    assert.ok(!/admins|groups|policy/.test(JSON.stringify(headers)), "no header names the policy");
  });
});
