import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { CAPTURE_PLACES } from "../agent/capture/kept-capture.ts";
import { AGENT_CONFIG, AGENT_RUN_DIR, SERVER_CONFIG, SERVER_RUN_DIR } from "../cli/places.ts";

/** Highest exposure that `systemd-analyze security` may give a unit. */
const UNITS = [
  { name: "server", exposure: 1.3, config: SERVER_CONFIG, runDir: SERVER_RUN_DIR },
  { name: "agent", exposure: 1.7, config: AGENT_CONFIG, runDir: AGENT_RUN_DIR },
] as const;

/** With rules of nftables to write; it is a oneshot of root. */
const CAPTURE = { name: "capture", exposure: 2 } as const;

const FOLDER = resolve(import.meta.dirname, "../packaging/systemd");
const unitPath = (name: string): string => join(FOLDER, `lateen-${name}.service`);

const skip =
  spawnSync("systemd-analyze", ["--version"]).status === 0 ? false : "no systemd-analyze on this machine";

/** Every value of a key, in their order. */
function valuesOf(name: string, key: string): readonly string[] {
  return [...readFileSync(unitPath(name), "utf8").matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(
    ([, value]) => value ?? "",
  );
}

/** The exposure of a unit file, as systemd-analyze measures it without a running systemd. */
function exposureOf(path: string): number {
  const said = execFileSync("systemd-analyze", ["security", "--offline=yes", "--no-pager", path], {
    encoding: "utf8",
  });
  return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "lateen-units-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

for (const { name, config, runDir } of UNITS) {
  test(`lateen-${name}.service has the places that the CLI sets up, tells systemd how it is, and is restarted`, () => {
    const one = (key: string): string | undefined => valuesOf(name, key)[0];
    assert.equal(one("ConditionPathExists"), config);
    assert.equal(`/run/${one("RuntimeDirectory")}`, runDir);
    assert.equal(one("StateDirectory"), `lateen/${name}`);
    assert.deepEqual([one("Type"), one("WatchdogSec"), one("Restart")], ["notify", "30", "always"]);
    assert.deepEqual(
      name === "server" ? [one("DynamicUser"), one("User")] : [one("User"), one("DynamicUser")],
      [name === "server" ? "yes" : "lateen", undefined],
    );
    assert.deepEqual(valuesOf(name, "MemoryDenyWriteExecute"), [], "V8 cannot run under it");
  });
}

for (const { name, exposure } of [...UNITS, CAPTURE]) {
  test(`lateen-${name}.service is exposed by ${exposure} at most, and one without a part of its walls by more`, {
    skip,
  }, (t) => {
    const measured = exposureOf(unitPath(name));
    t.diagnostic(`exposure of lateen-${name}.service: ${measured}`);
    assert.ok(measured <= exposure, `${measured} is more than ${exposure}`);
    const threshold = `--threshold=${Math.round(exposure * 10)}`;
    execFileSync("systemd-analyze", ["security", "--offline=yes", "--no-pager", threshold, unitPath(name)], {
      stdio: "pipe",
    });
    const open = join(folderOf(t), `lateen-${name}.service`);
    writeFileSync(
      open,
      readFileSync(unitPath(name), "utf8").replace(
        /^(ProtectSystem|NoNewPrivileges|SystemCallFilter)=.*\n/gm,
        "",
      ),
    );
    assert.ok(exposureOf(open) > exposure, "the measure sees what is missing");
  });
}

test("rules are restored at a boot for an agent that is ready, and not touched when it is started anew", () => {
  const one = (key: string): readonly string[] => valuesOf("capture", key);
  assert.deepEqual(one("Requisite"), ["lateen-agent.service"]);
  assert.match(one("After")[0] ?? "", /^lateen-agent.service/);
  assert.deepEqual(one("ExecStop"), []);
  assert.deepEqual(one("ConditionPathExists"), [`${CAPTURE_PLACES.stateDir}/confirmed.json`]);
  assert.equal(`/run/${one("RuntimeDirectory")[0]}`, CAPTURE_PLACES.runDir);
  assert.equal(`/var/lib/${one("StateDirectory")[0]}`, CAPTURE_PLACES.stateDir);
  assert.deepEqual(one("CapabilityBoundingSet"), ["CAP_NET_ADMIN"]);
});

test("systemd takes the units as they are", { skip }, (t) => {
  const folder = folderOf(t);
  cpSync(FOLDER, folder, { recursive: true });
  const paths = [...UNITS, CAPTURE].map(({ name }) => join(folder, `lateen-${name}.service`));
  const lateen = resolve(import.meta.dirname, "../lateen");
  for (const path of paths)
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("/usr/bin/lateen", lateen));
  const verify = (): string => {
    const { stdout, stderr, status } = spawnSync("systemd-analyze", ["verify", "--man=no", ...paths], {
      encoding: "utf8",
    });
    return `${status} ${stdout}${stderr}`;
  };
  assert.equal(verify(), "0 ");
  const [first = ""] = paths;
  writeFileSync(first, `${readFileSync(first, "utf8")}\n[Service]\nProtectSytem=strict\n`);
  assert.match(verify(), /ProtectSytem/);
});
