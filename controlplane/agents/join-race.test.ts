import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { agentService } from "../../mesh/agent-api/services.ts";
import { createCsr } from "../../mesh/identity/csr.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import {
  AgentPortClient,
  joinRequest,
  startAgentPort,
  stateDirectory,
} from "../../test/harness/agent-port.ts";
import { newKey } from "../../test/harness/test-certificates.ts";
import { UNBOUND } from "../attest/agent-binding.ts";
import { AgentRecords } from "../attest/agent-records.ts";
import { JoinTokenStore } from "../attest/join-token-store.ts";
import { openDatabase } from "../store/database.ts";

const UNLIMITED = { perSecond: 1000, burst: 1000 };
const TTL_MS = 60_000;

/** The agent port as a process of its own on a state directory; says its port, then what its options make it say. */
async function portProcess(
  t: TestContext,
  state: string,
  options: string,
): Promise<{ readonly child: ChildProcess; readonly port: number; said(): Promise<string> }> {
  const harness = resolve(import.meta.dirname, "../../test/harness/agent-port.ts");
  const source = `import { startAgentPort } from ${JSON.stringify(harness)};
    const say = (text) => process.stdout.write(text + "\\n");
    const port = await startAgentPort(${JSON.stringify(state)}, ${options});
    say(String(port.port));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const said = async (): Promise<string> => {
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    return chunk.toString("utf8").trim();
  };
  return { child, port: Number(await said()), said };
}

test("of a hundred hosts that show one token at once to two server processes on one store, one joins", async (t) => {
  await using state = await stateDirectory();
  await using first = await startAgentPort(state.path, { joinRate: UNLIMITED });
  const other = await portProcess(t, state.path, JSON.stringify({ joinRate: UNLIMITED }));
  const { secret } = first.tokens.create({ binding: UNBOUND, ttlMs: TTL_MS });
  using here = new AgentPortClient(first);
  using there = new AgentPortClient({ port: other.port, ca: first.ca });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 100 }, (_, index) =>
      (index % 2 === 0 ? here : there).call(agentService.join, joinRequest("join-token", secret)),
    ),
  );
  const joined = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const codes = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
  assert.equal(joined.length, 1);
  assert.deepEqual([...new Set(codes)], [status.PERMISSION_DENIED]);
  assert.deepEqual(
    first.agents.list().map(({ id }) => id),
    joined.map(({ agentId }) => agentId),
  );
});

test("a server that is killed between using a token up and answering costs the host nothing", async (t) => {
  await using state = await stateDirectory();
  const mute = `{ overCa: (ca) => ({
    bundle: ca.bundle,
    onBundleChange() {},
    issue: () => { say("issuing"); return new Promise(() => {}); },
  }) }`;
  const server = await portProcess(t, state.path, mute);
  const database = openDatabase(join(state.path, "lateen.db"));
  t.after(() => database.close());
  const { secret } = new JoinTokenStore(database, systemClock).create({ binding: UNBOUND, ttlMs: TTL_MS });
  const request = joinRequest("join-token", secret, createCsr(newKey()));

  await using after = await startAgentPort(state.path);
  {
    using client = new AgentPortClient({ port: server.port, ca: after.ca });
    const answer = assert.rejects(client.call(agentService.join, request), { code: status.UNAVAILABLE });
    assert.equal(await server.said(), "issuing");
    const gone = once(server.child, "exit");
    server.child.kill("SIGKILL");
    await Promise.all([gone, answer]);
  }
  using client = new AgentPortClient(after);
  await assert.rejects(client.call(agentService.join, joinRequest("join-token", secret)), {
    code: status.PERMISSION_DENIED,
  });
  const { agentId } = await client.call(agentService.join, request);
  assert.deepEqual(
    new AgentRecords(database, systemClock).list().map(({ id }) => id),
    [agentId],
  );
});
