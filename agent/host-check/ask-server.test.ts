import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { createServer } from "node:net";
import { test } from "node:test";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";
import { startAgentPort, stateDirectory } from "../../test/harness/agent-port.ts";
import { askServer } from "./ask-server.ts";

test("a server is known by its pin and by its roots, says what time it has, and another mesh's is told apart", async (t) => {
  await using place = await stateDirectory();
  await using other = await stateDirectory();
  await using port = await startAgentPort(place.path);
  await using stranger = await startAgentPort(other.path);
  const address = `127.0.0.1:${port.port}`;
  const { roots } = port.ca.bundle;
  const pin = certificatePin(new X509Certificate(roots[0] ?? ""));
  for (const known of [{ pin }, { roots }]) {
    const answer = await askServer(address, known, t.signal);
    assert.equal(answer.kind, "reached");
    assert.ok(answer.aheadMs !== undefined && Math.abs(answer.aheadMs) < 2_000, `${answer.aheadMs} ms ahead`);
    const wrong = await askServer(`127.0.0.1:${stranger.port}`, known, t.signal);
    assert.equal(wrong.kind, "wrong-authority", JSON.stringify(wrong));
  }
});

test("one that is not there, and one that says nothing, are unreachable with the reason", async (t) => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.after(() => silent.close());
  const { port } = silent.address() as { port: number };
  const impatient = AbortSignal.any([t.signal, AbortSignal.timeout(100)]);
  assert.deepEqual(await askServer(`127.0.0.1:${port}`, { roots: [] }, impatient), {
    kind: "unreachable",
    reason: "no answer in time",
  });
  const away = await askServer("127.0.0.1:1", { roots: [] }, t.signal);
  assert.match(away.kind === "unreachable" ? away.reason : "", /ECONNREFUSED/);
});
