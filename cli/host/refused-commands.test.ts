import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { type CliResult, runCli } from "../../test/harness/run-cli.ts";
import { lockHost } from "./host-lock.ts";

const NOBODY = 65_534;
const skip = process.getuid?.() === 0 ? false : "only root can be another user";
/** Of no server: nothing listens at that port. */
const TOKEN = tokenFor("127.0.0.1:1");

function tokenFor(address: string): string {
  const where = Buffer.from(JSON.stringify({ a: [address], t: "cluster.local" })).toString("base64url");
  return [
    "lateen1",
    where,
    Buffer.alloc(32, 7).toString("base64url"),
    Buffer.alloc(32, 9).toString("base64url"),
  ].join(".");
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "lateen-host-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs as a user who is not root. */
async function asNobody(argv: readonly string[]): Promise<CliResult> {
  process.seteuid?.(NOBODY);
  try {
    return await runCli(argv);
  } finally {
    process.seteuid?.(0);
  }
}

for (const command of [
  ["service", "list"],
  ["service", "add", "web", "--port", "80"],
  ["service", "remove", "web"],
  ["check"],
  ["leave"],
  ["join", TOKEN],
])
  test(`lateen ${command.filter((word) => word !== TOKEN).join(" ")} tells a user who may not look that it may not, and what to try`, {
    skip,
  }, async (t) => {
    const folder = folderOf(t);
    const dir = join(folder, "lateen.d");
    mkdirSync(dir, { mode: 0o700 });
    writeFileSync(
      join(dir, "agent.yaml"),
      `stateDir: ${folder}/state\nrunDir: ${folder}/run\ndiscovery: { kind: file, path: ${dir}/services.d }\n`,
    );
    chmodSync(folder, 0o755);
    const { code, stdout, stderr } = await asNobody([...command, "--dir", dir]);
    assert.equal(code, 2, stdout);
    assert.match(stderr, /^error: look for .*agent\.yaml: EACCES: permission denied/);
    assert.match(stderr, /^try: run it as root/m);
    assert.doesNotMatch(stdout + stderr, /not joined|no mesh/);
  });

for (const command of [["dns"], ["dns", "--undo"], ["vips", "--undo"]] as const)
  test(`lateen host ${command.join(" ")} changes nothing while another command is at work`, async (t) => {
    const dir = folderOf(t);
    using other = await lockHost(dir, { clock: systemClock, signal: new AbortController().signal });
    const { code, stdout, stderr } = await runCli(["host", ...command, "--dir", dir]);
    assert.deepEqual(other.made, []);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^error: another lateen command is at work in /);
    assert.deepEqual(
      readdirSync(dir).filter((name) => !name.startsWith(".lock")),
      [],
    );
  });

test("an agent that this user may not ask is not taken for one that does not run", { skip }, async (t) => {
  const folder = folderOf(t);
  chmodSync(folder, 0o755);
  const run = join(folder, "run");
  mkdirSync(run, { mode: 0o700 });
  writeFileSync(
    join(folder, "agent.yaml"),
    `stateDir: ${folder}/state\nrunDir: ${run}\ndiscovery: { kind: none }\n`,
  );
  const agent = createServer().listen(join(run, "agent.sock"));
  await once(agent, "listening");
  t.after(() => agent.close());
  const { code, stderr } = await asNobody(["check", "--dir", folder]);
  assert.equal(code, 2);
  assert.match(stderr, /^error: ask the agent at .*agent\.sock: connect EACCES/);
});

test("a flag that says something else than agent.yaml is refused, with both", async (t) => {
  const folder = folderOf(t);
  const text = `nodeName: vm1\nstateDir: ${folder}/state\nrunDir: ${folder}/run\ndiscovery: { kind: none }\n`;
  writeFileSync(join(folder, "agent.yaml"), text);
  const joining = ["join", TOKEN, "--dir", folder];
  const cases = [
    ["--node-name", "vm2", "nodeName", "vm1"],
    ["--state-dir", `${folder}/other`, "stateDir", `${folder}/state`],
    ["--run-dir", `${folder}/other`, "runDir", `${folder}/run`],
    ["--discovery", "file", "discovery.kind", "none"],
  ] as const;
  for (const [flag, given, key, has] of cases) {
    const { code, stderr } = await runCli([...joining, flag, given]);
    assert.equal(code, 1);
    assert.ok(
      stderr.includes(`which is there already: ${flag} ${given}, and there ${key} is ${has}\n`),
      stderr,
    );
    assert.match(stderr, new RegExp(`^try: edit it, or leave ${flag} out$`, "m"));
  }
  const leave = await runCli(["leave", "--dir", folder, "--state-dir", `${folder}/other`]);
  assert.equal(leave.code, 1, "another directory is not emptied");
  assert.equal(readFileSync(join(folder, "agent.yaml"), "utf8"), text);
  assert.deepEqual(readdirSync(folder), ["agent.yaml"]);
  const agreed = await runCli([...joining, "--node-name", "vm1", "--state-dir", `${folder}/state`]);
  assert.match(agreed.stderr, /host\.server-unreachable/);
});

test("what is wrong with a host is told before anything is changed, with its code and what to do", async (t) => {
  const folder = folderOf(t);
  const dir = join(folder, "lateen.d");
  const state = join(folder, "state");
  mkdirSync(state, { mode: 0o755 });
  const place = ["--dir", dir, "--state-dir", state, "--run-dir", join(folder, "run"), "--no-start"];
  const { code, stdout, stderr } = await runCli(["join", TOKEN, ...place]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(
    stderr,
    /^error: host\.state-directory: .*other users can reach it \(mode 755\) \(and host\.server-unreachable\)$/m,
  );
  assert.match(
    stderr,
    new RegExp(
      `^try: chmod 0700 ${state}; .*lateen check --pre tells all of it, and --no-check joins nevertheless$`,
      "m",
    ),
  );
  assert.deepEqual(readdirSync(folder), ["state"]);

  const unchecked = await runCli(["join", TOKEN, ...place, "--no-check"]);
  assert.match(unchecked.stderr, /^error: use .*state: other users can reach it/);
  assert.equal(
    existsSync(join(dir, "agent.yaml")),
    false,
    "what was made for a join that failed is taken back",
  );
});

test("places of its own by the environment are written down: the agent of the next boot has no such environment", async (t) => {
  const folder = folderOf(t);
  const environment = {
    LATEEN_AGENT_STATE_DIR: join(folder, "state"),
    LATEEN_AGENT_RUN_DIR: join(folder, "run"),
  };
  const { hostSetup } = await import("./enrol.ts");
  const { written, config } = await hostSetup({ environment } as never, { dir: folder, discovery: "none" });
  assert.deepEqual(
    [written["stateDir"], written["runDir"], config.stateDir],
    [
      environment.LATEEN_AGENT_STATE_DIR,
      environment.LATEEN_AGENT_RUN_DIR,
      environment.LATEEN_AGENT_STATE_DIR,
    ],
  );
});
