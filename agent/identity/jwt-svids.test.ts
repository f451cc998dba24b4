import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client, credentials, Server, ServerCredentials, type sendUnaryData, status } from "@grpc/grpc-js";
import { agentService } from "../../mesh/agent-api/services.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { JwtSvidRequest, JwtSvidResponse } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { testJwtKey, testKeySet } from "../../test/harness/test-jwt-keys.ts";
import { JwtSvids } from "./jwt-svids.ts";

const WEB = "spiffe://cluster.local/ns/a/sa/web" as SpiffeId;
const API = "spiffe://cluster.local/ns/a/sa/api" as SpiffeId;
const TTL_S = 300;

test("a token is given out again until half of its life is over, whatever the order of its audiences", async () => {
  await using server = await startServer();
  const { tokens, clock } = server;
  const first = await tokens.token(WEB, ["a", "b"]);
  clock.advance(149_000);
  assert.equal(await tokens.token(WEB, ["b", "a", "b"]), first);
  assert.notEqual(await tokens.token(WEB, ["a"]), first);
  assert.notEqual(await tokens.token(API, ["a", "b"]), first);
  clock.advance(2_000);
  assert.notEqual(await tokens.token(WEB, ["a", "b"]), first);
  assert.equal(server.asked.length, 4);
});

test("while the server is away a token is good until its end, and none is made up after it", async () => {
  await using server = await startServer();
  const { tokens, clock } = server;
  const first = await tokens.token(WEB, ["a"]);
  server.answer = { code: status.UNAVAILABLE, details: "away" };
  clock.advance((TTL_S - 10) * 1000);
  assert.equal(await tokens.token(WEB, ["a"]), first);
  await assert.rejects(tokens.token(WEB, ["b"]), { code: "ca.unavailable" });
  clock.advance(20_000);
  await assert.rejects(tokens.token(WEB, ["a"]), { code: "ca.unavailable" });
  server.answer = undefined;
  assert.notEqual(await tokens.token(WEB, ["a"]), first);
});

test("what the server refuses is given to nobody any more", async () => {
  await using server = await startServer();
  const { tokens, clock } = server;
  await tokens.token(WEB, ["a"]);
  clock.advance(160_000);
  server.answer = { code: status.PERMISSION_DENIED, details: "no" };
  await assert.rejects(tokens.token(WEB, ["a"]), { code: "ca.refused" });
  server.answer = { code: status.UNAVAILABLE, details: "away" };
  await assert.rejects(tokens.token(WEB, ["a"]), { code: "ca.unavailable" });
});

test("who ask for the same at once are answered by one call", async () => {
  await using server = await startServer();
  const all = await Promise.all(Array.from({ length: 20 }, () => server.tokens.token(WEB, ["a"])));
  assert.equal(new Set(all).size, 1);
  assert.equal(server.asked.length, 1);
});

for (const [what, issue] of [
  ["of another identity", { spiffeId: API }],
  ["for another audience", { audiences: ["z"] }],
  ["of a key that is not in the bundle", { key: testJwtKey().jwt }],
  ["that has ended", { ageS: 2 * TTL_S }],
] as const) {
  test(`a token ${what} is not taken from the server`, async () => {
    await using server = await startServer();
    server.issue = issue;
    await assert.rejects(server.tokens.token(WEB, ["a"]), { code: "ca.unavailable" });
  });
}

test("audiences without end are not kept without end", async () => {
  await using server = await startServer();
  for (let i = 0; i < 1_002; i++) await server.tokens.token(WEB, [`a${i}`]);
  await server.tokens.token(WEB, ["a1001"]);
  assert.equal(server.asked.length, 1_002);
  await server.tokens.token(WEB, ["a0"]);
  assert.equal(server.asked.length, 1_003, "the oldest was dropped");
});

interface TestServer extends AsyncDisposable {
  readonly tokens: JwtSvids;
  readonly clock: ManualClock;
  readonly asked: JwtSvidRequest[];
  /** Instead of a token. */
  answer: { readonly code: status; readonly details: string } | undefined;
  /** Instead of what was asked for. */
  issue: {
    readonly spiffeId?: SpiffeId;
    readonly audiences?: readonly string[];
    readonly key?: ReturnType<typeof testJwtKey>["jwt"];
    readonly ageS?: number;
  };
}

async function startServer(): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-jwt-"));
  const address = `unix:${join(folder, "s")}`;
  const server = new Server();
  const client = new Client(address, credentials.createInsecure());
  const key = testJwtKey().jwt;
  const clock = new ManualClock();
  const bundle = { trustDomain: "cluster.local" as TrustDomain, jwtKeys: testKeySet(key) } as never;
  const started: TestServer = {
    tokens: new JwtSvids({ channel: { client }, bundle: () => bundle, clock }),
    clock,
    asked: [],
    answer: undefined,
    issue: {},
    async [Symbol.asyncDispose]() {
      client.close();
      server.forceShutdown();
      await rm(folder, { recursive: true });
    },
  };
  const { issueJwtSvid } = agentService;
  server.addService(
    { issueJwtSvid },
    {
      issueJwtSvid: ({ request }: { request: JwtSvidRequest }, answer: sendUnaryData<JwtSvidResponse>) => {
        started.asked.push(request);
        if (started.answer !== undefined) return answer(started.answer);
        const { ageS = 0, key: by = key, ...over } = started.issue;
        const from = Math.floor(clock.now() / 1000) - ageS;
        const spiffeId = request.spiffeId as SpiffeId;
        const issued = { spiffeId, audiences: request.audiences, ...over };
        return answer(null, { token: by.issue(issued, { from, to: from + TTL_S }) });
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return started;
}
