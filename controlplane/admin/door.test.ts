import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem } from "../../mesh/admin-api/replies.ts";
import { fakeServer } from "../../test/fakes/admin-deps.ts";
import type { Credentials } from "./access/authenticator.ts";
import { networkDoor } from "./door.ts";
import { ADMIN_ROUTES } from "./routes.ts";
import { adminCredentials, ADMIN_TOKEN as TOKEN } from "./testing/admin-options.ts";
import { openApi } from "./testing/open-api.ts";

let nowMs = 0;
const clock = { monotonic: () => nowMs };

function overNetwork(credentials: Partial<Credentials> = {}, hosts = ["localhost", "127.0.0.1", "[::1]"]) {
  return openApi(fakeServer(), { door: networkDoor(adminCredentials(credentials), hosts, clock) });
}

for (const { method, path } of ADMIN_ROUTES) {
  test(`${method} ${path} wants a credential on the network`, async () => {
    const api = overNetwork();
    const url = path.replaceAll(/:\w+/g, "x");
    for (const authorization of [
      undefined,
      "",
      "Bearer",
      "Bearer wrong",
      "Bearer a.b.c",
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN}x`,
      `Bearer lateen-access.abcdefghijkl.${"A".repeat(43)}`,
    ]) {
      const headers = { host: "localhost", ...(authorization === undefined ? {} : { authorization }) };
      const response = await api.inject({ method, url, headers });
      assert.equal(response.statusCode, 401, `with ${authorization}`);
      assert.equal(response.json<Problem>().code, "admin.unauthorized");
    }
    const headers = { host: "localhost", authorization: `Bearer ${TOKEN}` };
    assert.notEqual((await api.inject({ method, url, headers })).statusCode, 401);
  });
}

const crossSite: readonly { name: string; headers: Record<string, string>; status: number }[] = [
  { name: "its own host", headers: { host: "localhost:15015" }, status: 200 },
  {
    name: "its own host and origin",
    headers: { host: "127.0.0.1:1", origin: "http://127.0.0.1:1" },
    status: 200,
  },
  { name: "an IPv6 host", headers: { host: "[::1]:15015" }, status: 200 },
  { name: "a rebound host name", headers: { host: "evil.example:15015" }, status: 403 },
  { name: "a host that only begins like ours", headers: { host: "localhost.evil.example" }, status: 403 },
  {
    name: "another origin",
    headers: { host: "localhost:15015", origin: "http://evil.example" },
    status: 403,
  },
  {
    name: "another port's origin",
    headers: { host: "localhost:15015", origin: "http://localhost:80" },
    status: 403,
  },
  { name: "the null origin", headers: { host: "localhost:15015", origin: "null" }, status: 403 },
];

for (const { name, headers, status } of crossSite) {
  test(`a call with ${name} is answered with ${status} even with the token`, async () => {
    const authorization = `Bearer ${TOKEN}`;
    const response = await overNetwork().inject({
      url: "/v1/version",
      headers: { authorization, ...headers },
    });
    assert.equal(response.statusCode, status);
  });
}

test("an unknown path on the network also wants a credential: it tells strangers nothing", async () => {
  assert.equal((await overNetwork().inject({ url: "/x", headers: { host: "localhost" } })).statusCode, 401);
});

test("who guesses at credentials is slowed down, and let in again after a while", async () => {
  const api = overNetwork();
  const status = async (token: string): Promise<number> => {
    const headers = { host: "localhost", authorization: `Bearer ${token}` };
    return (await api.inject({ url: "/v1/version", headers })).statusCode;
  };
  const guesses = [];
  for (let guess = 0; guess < 21; guess++) guesses.push(await status(`guess-${guess}`));
  assert.deepEqual(guesses, [...Array.from({ length: 20 }, () => 401), 429]);
  // Whoever has the right one comes from the same address, and waits as well.
  assert.equal(await status(TOKEN), 429);
  nowMs += 2_000;
  assert.equal(await status(TOKEN), 200);
});

test("one caller gets so many calls a second and no more, whatever it calls", async () => {
  const api = overNetwork();
  const headers = { host: "localhost", authorization: `Bearer ${TOKEN}` };
  const statuses = new Map<number, number>();
  for (let call = 0; call < 510; call++) {
    const { statusCode } = await api.inject({ url: call % 2 === 0 ? "/v1/version" : "/x", headers });
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
  }
  assert.deepEqual(
    [...statuses].sort(([a], [b]) => a - b),
    [
      [200, 250],
      [404, 250],
      [429, 10],
    ],
  );
});

test("a bad token is not made good by a certificate, and none falls through to the next", async () => {
  const asked: string[] = [];
  const api = overNetwork({
    oidc: {
      verify: async (token) => {
        asked.push(token);
        return undefined;
      },
    },
  });
  for (const token of ["x.y.z", `lateen-access.abcdefghijkl.${"A".repeat(43)}`, "short"]) {
    const headers = { host: "localhost", authorization: `Bearer ${token}` };
    assert.equal((await api.inject({ url: "/v1/version", headers })).statusCode, 401);
  }
  assert.deepEqual(asked, ["x.y.z"]);
});
