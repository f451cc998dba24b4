import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Answer, PolicyCase } from "../harness/policy-table/case.ts";
import { Places } from "../harness/policy-table/places.ts";
import { claims, ISSUER, jwks, token } from "../harness/test-tokens.ts";
import { ATTACKS, type Attack, FRACTION } from "../harness/token-attacks.ts";
import { skipWithout } from "../harness/tools.ts";

/**
 * Tokens that must not pass, through the simulator, the built-in proxy and a real Envoy: what security-and-reliability.md
 * §4.3(e) lists, and vectors in the manner of Wycheproof's, written from RFC 7515, 7518, 7519 and 8725.
 */
const GUARDED: PolicyCase = {
  name: "a token is needed",
  authentication: [`jwtRules: [{ issuer: "${ISSUER}", audiences: [shop], jwks: ${JSON.stringify(jwks())} }]`],
  authorization: ['action: ALLOW, rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }]'],
  rows: [],
};

const missing = skipWithout("envoy");
let places: Places | undefined;

before(async () => {
  places = await Places.start([GUARDED], { envoy: missing === false });
});

after(async () => {
  await places?.[Symbol.asyncDispose]();
});

/** What each place answers a caller with this token, in a header and in the query. */
async function answers(text: string): Promise<ReadonlyMap<string, readonly Answer[]>> {
  const all = new Map<string, readonly Answer[]>();
  for (const place of places?.all ?? []) {
    all.set(place.name, [
      await place.ask(GUARDED, { token: text }),
      await place.ask(GUARDED, { path: `/?access_token=${text}` }),
    ]);
  }
  return all;
}

async function accepting(text: string): Promise<readonly string[]> {
  return [...(await answers(text))].flatMap(([name, given]) => (given.includes(200) ? [name] : []));
}

for (const alg of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]) {
  test(`a good token signed with ${alg} passes`, async () => {
    const given = await answers(token(claims(), { alg }));
    assert.deepEqual(
      [...given.values()].map((one) => [...one]),
      [...given.keys()].map(() => [200, 200]),
    );
  });
}

function refuse([name, text]: Attack): void {
  test(`no token passes with ${name}`, async () => {
    assert.deepEqual(await accepting(text), []);
  });
}

ATTACKS.forEach(refuse);

test("a token whose end is a fraction of a second passes Envoy alone", { skip: missing }, async () => {
  assert.deepEqual(await accepting(FRACTION), ["Envoy"]);
});
