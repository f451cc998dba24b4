import assert from "node:assert/strict";
import { test } from "node:test";
import { startCli } from "../test/harness/run-cli.ts";

test("ca status shows the authorities, and on stderr what a rotation waits for", async (t) => {
  const cli = await startCli(t);
  const table = `ID         STATE    KEY     ROOT   CROSS-SIGNED   EXPIRES    SINCE
0badcafe   active   P-256   self   no             in 3649d   24h
`;
  assert.deepEqual(await cli.run(["ca", "status"]), { code: 0, stdout: table, stderr: "" });
  const next = { step: "activate", waitsFor: ["web-3"] } as const;
  cli.server.ca = { ...cli.server.ca, next, walks: true, away: ["web-9"], bansReachPeers: false };
  const { stderr } = await cli.run(["ca", "status"]);
  assert.equal(
    stderr,
    `Next: activate (waits for web-3), by itself.
Away, and not waited for: web-9.
Bans hold for calls of the server only: leaves under this root are not all ours (self-signed).
`,
  );
  const json = await cli.run(["ca", "status", "-o", "json"]);
  assert.deepEqual([JSON.parse(json.stdout), json.stderr], [cli.server.ca, ""]);
  assert.equal((await cli.run(["ca", "status", "-o", "name"])).stdout, "ca/0badcafe\n");
});

test("the steps of a rotation reach the server, and one that has to wait exits 1 with who is waited for", async (t) => {
  const cli = await startCli(t);
  for (const argv of [["prepare", "--walk"], ["activate"], ["taint"], ["revoke"], ["abort"]]) {
    assert.equal((await cli.run(["ca", ...argv])).code, 0, argv.join(" "));
  }
  assert.deepEqual(cli.server.caSteps, ["prepare --walk", "activate", "taint", "revoke", "abort"]);
  cli.server.ca = { ...cli.server.ca, next: { step: "activate", waitsFor: ["web-3"] } };
  const refused = await cli.run(["ca", "activate"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /web-3/);
  assert.equal((await cli.run(["ca", "activate", "--force"])).code, 0);
});

test("a ban is made, listed and lifted; lifting none exits 1", async (t) => {
  const cli = await startCli(t);
  assert.deepEqual(await cli.run(["ban", "list"]), { code: 0, stdout: "", stderr: "Nobody is banned.\n" });
  const id = "spiffe://cluster.local/ns/default/sa/reviews";
  const banned = await cli.run(["ban", "identity", id, "--reason", "key on a forum"]);
  assert.deepEqual(banned, { code: 0, stdout: `identity/${id} banned\n`, stderr: "" });
  assert.equal(
    (await cli.run(["ban", "list"])).stdout,
    `KIND       BANNED                                         AGE   REASON
identity   ${id}   3m    key on a forum
`,
  );
  const list = JSON.parse((await cli.run(["ban", "list", "-o", "json"])).stdout);
  assert.deepEqual(list.items, cli.server.bans);
  assert.equal((await cli.run(["unban", "identity", id])).code, 0);
  assert.equal((await cli.run(["unban", "identity", id])).code, 1);
  assert.equal((await cli.run(["ban", "planet", "earth"])).code, 64);
  const unknown = await cli.run(["ban", "serial", "00ff"]);
  assert.deepEqual([unknown.code, unknown.stdout], [0, "serial/00ff banned\n"]);
  assert.match(unknown.stderr, /knows no certificate of that serial/);
});

test("the mesh's roots are printed as a client of the API needs them", async (t) => {
  const cli = await startCli(t);
  const { code, stdout } = await cli.run(["ca", "root"]);
  assert.deepEqual([code, stdout], [0, "-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n"]);
});
