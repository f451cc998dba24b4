import assert from "node:assert/strict";
import { test } from "node:test";
import { edgeCall } from "../harness/edge-calls.ts";
import { eventually } from "../harness/eventually.ts";
import { gateway } from "../harness/mesh-gateways.ts";
import { document, versions, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { claims, ISSUER, jwks, STRANGER, token } from "../harness/test-tokens.ts";

const HOSTS = [
  { name: "edge", service: "edge", gateway: { labels: { app: "edge", istio: "ingressgateway" } } },
  { name: "web-v1", service: "web", version: "v1" },
  { name: "web-v2", service: "web", version: "v2" },
] as const;

const HOST = "a.example.com";
const to = (subset: string): object => ({ destination: { host: "web", subset } });
const verified = document("security.istio.io/v1", "RequestAuthentication", "edge", {
  selector: { matchLabels: { app: "edge" } },
  jwtRules: [{ issuer: ISSUER, jwks: jwks() }],
});

interface Case {
  readonly name: string;
  /** Met: v2 answers. */
  readonly match: object;
  /** Who is answered by whom; no claims: no token. */
  readonly calls: readonly (readonly [token: string | undefined, want: "web-v1" | "web-v2" | 401])[];
}

const group = (value: unknown): string => token(claims({ group: value }));

const CASES: readonly Case[] = [
  {
    name: "its value",
    match: { headers: { "@request.auth.claims.group": { exact: "beta" } } },
    calls: [
      [group("beta"), "web-v2"],
      [group(["alpha", "beta"]), "web-v2"],
      [group("alpha"), "web-v1"],
      [group("betas"), "web-v1"],
      [token(), "web-v1"],
      [undefined, "web-v1"],
      // What nobody has verified routes nothing.
      [token(claims({ group: "beta" }), { key: STRANGER.rsa }), 401],
      [token(claims({ group: "beta", exp: 1 })), 401],
    ],
  },
  {
    name: "a claim within a claim, by its beginning",
    match: { headers: { "@request.auth.claims[team][name]": { prefix: "be" } } },
    calls: [
      [token(claims({ team: { name: "beta" } })), "web-v2"],
      [token(claims({ team: { name: "alpha" } })), "web-v1"],
      [token(claims({ "team.name": "beta" })), "web-v1"],
      [undefined, "web-v1"],
    ],
  },
  {
    name: "a claim that must not be there",
    match: { withoutHeaders: { "@request.auth.claims.guest": {} } },
    calls: [
      [token(claims({ guest: "yes" })), "web-v1"],
      [token(), "web-v2"],
      [undefined, "web-v2"],
    ],
  },
  {
    name: "a claim and a path together",
    match: {
      uri: { prefix: "/" },
      headers: { "@request.auth.claims.group": { exact: "beta" }, "x-try": { exact: "1" } },
    },
    calls: [
      [group("beta"), "web-v2"],
      [group("alpha"), "web-v1"],
    ],
  },
];

describeMesh("routes by claims", { hosts: HOSTS }, (mesh) => {
  const address = (): string => mesh().host("edge").spec.address;
  const ask = async (bearer: string | undefined, headers: Record<string, string> = {}): Promise<unknown> => {
    const sent = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    const reply = await edgeCall(address(), 8080, { host: HOST, headers: { ...headers, ...sent } });
    return reply.status === 200 ? reply.echo?.app : reply.status;
  };

  for (const { name, match, calls } of CASES) {
    test(`a gateway routes by ${name} of a token that it has verified`, async () => {
      await mesh().apply(
        gateway("edge", [{ port: 8080, protocol: "HTTP", bind: address(), hosts: [HOST] }]) +
          verified +
          versions("web", "v1", "v2") +
          virtualService(HOST, {
            gateways: ["edge"],
            http: [{ match: [match], route: [to("v2")] }, { route: [to("v1")] }],
          }),
      );
      const [first] = calls;
      await eventually(
        "the routes are there",
        async () => (await ask(first?.[0], { "x-try": "1" })) === first?.[1],
      );
      for (const [bearer, want] of calls) {
        const said = bearer?.split(".")[1] ?? "";
        assert.equal(await ask(bearer, { "x-try": "1" }), want, Buffer.from(said, "base64url").toString());
      }
    });
  }

  test("a header of a claim's name is no claim", async () => {
    await mesh().apply(
      gateway("edge", [{ port: 8080, protocol: "HTTP", bind: address(), hosts: [HOST] }]) +
        verified +
        versions("web", "v1", "v2") +
        virtualService(HOST, {
          gateways: ["edge"],
          http: [
            { match: [{ headers: { "@request.auth.claims.group": { exact: "beta" } } }], route: [to("v2")] },
            { route: [to("v1")] },
          ],
        }),
    );
    await eventually("the routes are there", async () => (await ask(group("beta"))) === "web-v2");
    for (const name of ["request.auth.claims.group", "group", "x-group"])
      assert.equal(await ask(undefined, { [name]: "beta" }), "web-v1", name);
  });
});
