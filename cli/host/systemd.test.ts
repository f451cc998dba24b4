import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import type { Daemon } from "./supervisor.ts";
import { type BootUnit, captureUnit, type RunProgram, systemdSupervisor } from "./systemd.ts";

const LATEEN = "/opt/lateen/lateen";

interface Bench {
  readonly calls: readonly string[];
  readonly supervisor: ReturnType<typeof systemdSupervisor>;
  readonly capture: BootUnit;
  readonly daemon: Daemon;
  readonly unit: string;
}

/** A host whose systemctl notes what it is told; it has units when they are in `system`, or come with a package. */
function bench(t: TestContext, { packaged = false, fails = "", lateen = LATEEN } = {}): Bench {
  const folder = mkdtempSync(join(tmpdir(), "lateen-systemd-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const system = join(folder, "system");
  const dir = join(folder, "lateen.d");
  const stateDir = join(folder, "agent");
  for (const path of [system, dir, join(stateDir, "identity")]) mkdirSync(path, { recursive: true });
  writeFileSync(join(dir, "agent.yaml"), "{}");
  const unit = join(system, "lateen-agent.service");
  const unitOf = (name: string | undefined): string => join(system, name ?? "");
  const calls: string[] = [];
  const run: RunProgram = async (program, args) => {
    const line = [program, ...args].join(" ").replaceAll(folder, "");
    if (program === "systemctl" && args[0] === "cat" && !packaged && !existsSync(unitOf(args[1])))
      throw new Error("no such unit");
    if (fails !== "" && line.startsWith(fails))
      throw Object.assign(new Error("x"), { stderr: "Job failed.\nmore" });
    if (args[0] !== "cat") calls.push(line);
    if (program === "rm") rmSync(args.at(-1) ?? "");
    return program === "getent" ? `lateen:x:${process.getuid?.()}:${process.getgid?.()}::/:/bin/false\n` : "";
  };
  const units = resolve(import.meta.dirname, "../../packaging/systemd");
  const supervisor = systemdSupervisor(run, { units, system, lateen });
  const daemon = {
    name: "agent" as const,
    config: join(dir, "agent.yaml"),
    stateDir,
    runDir: "/run/lateen/agent",
    socket: "/run/lateen/agent/agent.sock",
  };
  const capture = captureUnit(run, { units, system, lateen: LATEEN });
  return { calls, supervisor, capture, daemon, unit };
}

const ready = async (): Promise<boolean> => true;

test("from a checkout, a unit is written that starts it, and is taken away again", async (t) => {
  const { calls, supervisor, daemon, unit } = bench(t);
  assert.deepEqual(
    (await supervisor.start(daemon, ready)).map((line) => line.split(" ", 2).join(" ")),
    ["wrote ".concat(unit), "enabled and"],
  );
  assert.match(readFileSync(unit, "utf8"), new RegExp(`^ExecStart=${LATEEN} agent`, "m"));
  assert.equal(statSync(daemon.config).mode & 0o777, 0o640);
  assert.deepEqual(
    calls.map((line) => line.replace(/\S+lateen\.sysusers/, "lateen.sysusers")),
    [
      "systemd-sysusers lateen.sysusers",
      "systemctl daemon-reload",
      "getent passwd lateen",
      "systemctl enable --quiet lateen-agent.service",
      "systemctl restart lateen-agent.service",
    ],
  );
  const stopped = await supervisor.stop(daemon, undefined);
  assert.deepEqual(stopped, ["stopped and disabled lateen-agent.service", `removed ${unit}`]);
  assert.equal(existsSync(unit), false);
  assert.deepEqual(await supervisor.stop(daemon, undefined), [], "there is none any more");
});

test("a package's unit is used as it is, and stays", async (t) => {
  const { calls, supervisor, daemon, unit } = bench(t, { packaged: true });
  await supervisor.start(daemon, ready);
  assert.equal(existsSync(unit), false);
  assert.deepEqual(await supervisor.stop(daemon, undefined), ["stopped and disabled lateen-agent.service"]);
  assert.ok(!calls.some((line) => /sysusers|daemon-reload/.test(line)));
});

test("an operator's own unit is used as it is, and stays", async (t) => {
  const { supervisor, daemon, unit } = bench(t);
  writeFileSync(unit, "[Service]\nExecStart=/srv/lateen agent\n");
  await supervisor.start(daemon, ready);
  await supervisor.stop(daemon, undefined);
  assert.match(readFileSync(unit, "utf8"), /^ExecStart=\/srv\/lateen agent$/m);
});

test("a unit that another checkout wrote is written anew", async (t) => {
  const { supervisor, daemon, unit } = bench(t);
  await supervisor.start(daemon, ready);
  writeFileSync(unit, readFileSync(unit, "utf8").replaceAll(LATEEN, "/old/lateen"));
  await supervisor.start(daemon, ready);
  assert.match(readFileSync(unit, "utf8"), new RegExp(`^ExecStart=${LATEEN} agent`, "m"));
});

test("what systemd cannot do is told in its words, with what to try", async (t) => {
  const { supervisor, daemon } = bench(t, { fails: "systemctl restart" });
  await assert.rejects(supervisor.start(daemon, ready), {
    code: "cli.host",
    message: "start lateen-agent.service: Job failed.",
    hint: /systemctl restart lateen-agent\.service/,
  });
});

for (const place of [
  "/home/me/lateen",
  "/root/lateen",
  "/run/user/1000/lateen",
  "/tmp/lateen",
  "/var/tmp/lateen",
])
  test(`no unit is written for a checkout at ${place}, which it would not see`, async (t) => {
    const { calls, supervisor, daemon, unit } = bench(t, { lateen: `${place}/lateen` });
    for (const attempt of [supervisor.assertAble(daemon), supervisor.start(daemon, ready)])
      await assert.rejects(attempt, {
        code: "cli.host",
        message: new RegExp(`^write lateen-agent\\.service: it would start ${place}/lateen, .*ProtectHome=`),
        hint: new RegExp(`mv ${place} /opt/lateen`),
      });
    assert.deepEqual([existsSync(unit), calls], [false, []]);
  });

test("a link from a place for programs does not make a checkout visible", async (t) => {
  const folder = mkdtempSync("/var/tmp/lateen-checkout-");
  const links = mkdtempSync("/dev/shm/lateen-link-");
  t.after(() => [folder, links].forEach((path) => rmSync(path, { recursive: true })));
  writeFileSync(join(folder, "lateen"), "");
  symlinkSync(folder, join(links, "checkout"));
  const { supervisor, daemon } = bench(t, { lateen: join(links, "checkout/lateen") });
  await assert.rejects(supervisor.assertAble(daemon), /sees nothing of \/var\/tmp/);
});

test("with a package's unit it does not matter where this checkout is", async (t) => {
  const { supervisor, daemon } = bench(t, { packaged: true, lateen: "/home/me/lateen/lateen" });
  await supervisor.assertAble(daemon);
  await supervisor.start(daemon, ready);
});

test("a checkout's path is one word of the unit, whatever is in it", async (t) => {
  const { supervisor, daemon, unit } = bench(t, { lateen: '/srv/our $& "100%"/lateen' });
  await supervisor.start(daemon, ready);
  assert.match(
    readFileSync(unit, "utf8"),
    /^ExecStart="\/srv\/our \$& \\"100%%\\"\/lateen" agent --log-format json$/m,
  );
  assert.deepEqual(readdirSync(join(unit, "..")), ["lateen-agent.service"], "nothing unfinished is left");
});

test("what is captured is restored at each boot by a unit that comes and goes", async (t) => {
  const { calls, capture, unit } = bench(t);
  const path = unit.replace("lateen-agent", "lateen-capture");
  assert.deepEqual(await capture.enable(), [`wrote ${path}`, "enabled lateen-capture.service"]);
  assert.match(readFileSync(path, "utf8"), new RegExp(`^ExecStart=${LATEEN} capture restore$`, "m"));
  assert.ok(calls.includes("systemctl enable --quiet lateen-capture.service"));
  assert.deepEqual(await capture.disable(), ["disabled lateen-capture.service", `removed ${path}`]);
  assert.ok(!existsSync(path));
  assert.deepEqual(await capture.disable(), []);
});
