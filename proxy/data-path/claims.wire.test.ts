import assert from "node:assert/strict";
import { test } from "node:test";
import { ProxyPair, TestApp } from "../../test/harness/proxy-pair.ts";
import { claims, ISSUER, jwks, STRANGER, token } from "../../test/harness/test-tokens.ts";
import { routeConfig, router, routeTo, staticCluster } from "../../test/harness/xds-samples.ts";

const EXTENSION = "type.googleapis.com/envoy.extensions.filters.http";

/** As the control plane has it at gateways: the route is chosen anew once a token is verified. */
const tokens = {
  name: "envoy.filters.http.jwt_authn",
  typedConfig: {
    "@type": `${EXTENSION}.jwt_authn.v3.JwtAuthentication`,
    providers: {
      people: {
        issuer: ISSUER,
        localJwks: { inlineString: jwks() },
        payloadInMetadata: "payload",
        requireExpiration: true,
        clearRouteCache: true,
      },
    },
    rules: [
      {
        match: { prefix: "/" },
        requires: {
          requiresAny: { requirements: [{ providerName: "people" }, { allowMissing: {} }] },
        },
      },
    ],
  },
};

function claim(path: readonly string[], value: string): { [key: string]: never } {
  const one = { stringMatch: { exact: value } };
  return {
    filter: "envoy.filters.http.jwt_authn",
    path: ["payload", ...path].map((key) => ({ key })),
    value: { orMatch: { valueMatchers: [{ listMatch: { oneOf: one } }, one] } },
  } as unknown as { [key: string]: never };
}

test("routes are chosen by the claims of a token that was verified, and by nothing that was not", async () => {
  await using beta = await TestApp.start((_request, response) => response.end("beta"));
  await using pair = await ProxyPair.start({ app: (_request, response) => response.end("all") });
  pair.server.ads.set("cluster", "beta", staticCluster("beta", [beta.port]));
  const byClaim = {
    match: { prefix: "/", dynamicMetadata: [claim(["team", "name"], "beta")] },
    route: { cluster: "beta", timeout: "0s" },
  };
  pair.listen({
    manager: {
      routeConfig: routeConfig("by claims", [byClaim, routeTo("inbound|80||")]),
      httpFilters: [tokens, router],
    },
  });
  const ask = async (bearer?: string): Promise<unknown> => {
    const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    const { status, body } = await pair.call("/", { headers });
    return status === 200 ? body : status;
  };
  const team = (name: unknown, options = {}): string => token(claims({ team: { name } }), options);
  const until = performance.now() + 5000;
  while ((await ask(team("beta"))) !== "beta") assert.ok(performance.now() < until, "the route is not there");
  assert.equal(await ask(team(["alpha", "beta"])), "beta");
  assert.equal(await ask(team("alpha")), "all");
  assert.equal(await ask(token(claims({ "team.name": "beta" }))), "all");
  assert.equal(await ask(), "all");
  assert.equal(await ask(team("beta", { key: STRANGER.rsa })), 401);
});
