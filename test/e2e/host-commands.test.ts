import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { NamespaceShell } from "../harness/namespace-shell.ts";
import { skipWithoutNamespaces } from "../harness/tools.ts";
import { type Said, type VmHost, VmLab } from "../harness/vm-lab.ts";

/** What operators' commands do when something is in their way, on hosts of their own. */
describe("host commands that meet with trouble", { skip: skipWithoutNamespaces(), timeout: 240_000 }, () => {
  let lab: VmLab;
  let vm1: VmHost;
  let vm2: VmHost;

  before(async () => {
    lab = await VmLab.open();
    vm1 = await lab.host("vm1");
    vm2 = await lab.host("vm2");
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  const type = async (host: VmHost, ...command: readonly string[]): Promise<string> => {
    const said = await host.lateen(...command);
    assert.equal(said.code, 0, `${host.name}# lateen ${command[0]}: ${said.stdout}${said.stderr}`);
    return said.stdout + said.stderr;
  };
  const token = async (): Promise<string> => tokenIn(await type(vm1, "token", "create"));
  const status = async (host: VmHost): Promise<AgentStatus> =>
    JSON.parse((await host.lateen("status", "-o", "json")).stdout) as AgentStatus;
  /** Does something while a program listens at places that are somebody else's to have. */
  const whileTaken = async (
    host: VmHost,
    address: string,
    port: number,
    work: () => Promise<Said>,
  ): Promise<Said> => {
    await using stranger = new NamespaceShell(host.network);
    await stranger.serve("tcp", "stranger", address, port);
    return await work();
  };

  test("a server that cannot start is told, leaves nothing running, and its init goes on once it can", async () => {
    const failed = await whileTaken(vm1, "0.0.0.0", 15_012, () => vm1.lateen("init"));
    assert.equal(failed.code, 2, failed.stdout);
    assert.match(
      failed.stdout,
      /^wrote \/etc\/lateen\.d\/server\.yaml\nthe server does not run: once it is mended, lateen init goes on from here\n$/,
    );
    assert.match(failed.stderr, /^error: start lateen server: it ended: code \d+\n[\s\S]*15012/);
    assert.deepEqual(vm1.processes(), []);
    assert.ok(existsSync(vm1.path("/etc/lateen.d/server.yaml")));
  });

  test("a server's host that cannot join is told after the token for the others, and joins once it can", async () => {
    const failed = await whileTaken(vm1, "127.0.0.1", 15_020, () => vm1.lateen("init"));
    assert.equal(failed.code, 2, failed.stdout);
    assert.match(
      failed.stdout,
      /^kept \/etc\/lateen\.d\/server\.yaml\nstarted lateen server in the background/,
    );
    assert.match(
      failed.stdout,
      /\n {2}lateen join lateen1\.\S+\n[\s\S]*\nThe server runs, and this host is not among its hosts/,
    );
    assert.match(
      failed.stderr,
      /^error: host\.port-taken: .*15020.*\ntry: stop what holds it, or set status\.port/,
    );
    const [server] = vm1.processes();

    const other = await vm1.lateen("init", "--trust-domain", "other.example");
    assert.equal(other.code, 1);
    assert.match(other.stderr, /--trust-domain other\.example, and there it is cluster\.local/);

    const said = await type(vm1, "init");
    assert.match(
      said,
      /^kept .*\nthe server runs already\nwrote \/etc\/lateen\.d\/agent\.yaml\nstarted lateen agent/,
    );
    assert.match(said, /\n {2}lateen join lateen1\.\S+\n/);
    assert.equal(vm1.processes().length, 2);
    assert.ok(vm1.processes().includes(server ?? 0), "the server was left alone");
    assert.match(await type(vm1, "init"), /the server runs already\nthis host's agent runs already\n/);
  });

  test("of two joins at once one joins, and the other is told that the host has", async () => {
    const tokens = [await token(), await token()];
    const said = await Promise.all(tokens.map((one) => vm2.lateen("join", one)));
    assert.deepEqual(
      said.map(({ code }) => code).toSorted((a, b) => a - b),
      [0, 1],
      said.map(({ stderr }) => stderr).join(""),
    );
    assert.match(said.find(({ code }) => code === 1)?.stderr ?? "", /this host has joined already/);
    assert.equal(vm2.processes().length, 1);
    assert.equal((await status(vm2)).server.connected, true);
  });

  test("two services that are added at once have a port of loopback each for what they call", async () => {
    await Promise.all(
      ["a", "b"].map((name, index) =>
        type(vm2, "service", "add", name, "--port", String(9100 + index), "--upstream", "api"),
      ),
    );
    const upstreams = ["a", "b"].map(
      (name) =>
        /api@(\d+)/.exec(readFileSync(vm2.path(`/etc/lateen.d/services.d/${name}.yaml`), "utf8"))?.[1],
    );
    assert.deepEqual(new Set(upstreams), new Set(["15100", "15101"]));
  });

  test("what service add and remove report is in force when they return", async () => {
    await type(vm2, "service", "add", "a", "--port", "9100", "--protocol", "http", "--upstream", "api@15150");
    const [changed] = (await status(vm2)).workloads.filter(({ workload }) => workload === "default/a");
    assert.deepEqual(changed?.upstreams, ["127.0.0.1:15150 -> api:0"]);
    assert.match(await type(vm1, "get", "services"), /\ba\b.*http/);

    // Another service account is another identity: its data plane is another process.
    await type(vm2, "service", "add", "a", "--port", "9100", "--protocol", "http", "--sa", "other");
    const [other] = (await status(vm2)).workloads.filter(({ workload }) => workload === "default/a");
    assert.equal(other?.state, "serving");
    assert.match(other?.spiffeId ?? "", /sa\/other$/);
    assert.notEqual(other?.dataPlane.pid, changed?.dataPlane.pid);

    const before = vm2.processes();
    assert.match(await type(vm2, "service", "remove", "a"), /^default\/a is out of the mesh$/m);
    assert.deepEqual(
      before.filter((pid) => !vm2.processes().includes(pid)),
      [other?.dataPlane.pid],
    );
    assert.doesNotMatch(await type(vm1, "get", "workloads"), /default\/a\b/);
  });

  test("joining anew starts the running agent anew, which has the new identity", async () => {
    const was = await status(vm2);
    await type(vm2, "join", "--force", await token());
    const is = await status(vm2);
    assert.notEqual(is.agent.id, was.agent.id);
    assert.notEqual(is.agent.pid, was.agent.pid);
    assert.equal(is.server.connected, true);
  });

  test("a host that has left can join again, and a leave that was cut short is gone on with", async () => {
    const pid = (await status(vm2)).agent.pid;
    process.kill(pid, "SIGKILL");
    await type(vm2, "leave");
    assert.deepEqual(vm2.files(), []);
    assert.deepEqual(vm2.processes(), []);
    await type(vm2, "join", await token());
    writeFileSync(vm2.path("/etc/lateen.d/note"), "of the operator");
    assert.match(await type(vm2, "leave"), /kept \/etc\/lateen\.d: there is something else in it/);
    assert.deepEqual(vm2.files(), ["/etc/lateen.d", "/etc/lateen.d/note"]);
    await type(vm2, "join", await token());
    assert.equal((await status(vm2)).server.connected, true);
  });
});

function tokenIn(said: string): string {
  return /lateen join (lateen1\.\S+)/.exec(said)?.[1] ?? assert.fail(`no token in ${said}`);
}
