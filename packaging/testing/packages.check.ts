/**
 * `make check-packages`: the packages in a Debian of their own (debootstrap). Needs root, rpm and lintian, and fetches that
 * Debian once.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { DebianRoot } from "./debian-root.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-packages-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Where a package of this machine's processor is, uncompressed as far as its tool goes: what is in it counts. */
function made(version: string, name = version): Readonly<Record<"deb" | "rpm" | "sums", string>> {
  const out = join(folder, name);
  const flags = [`--arch=${process.arch}`, `--version=${version}`, `--out=${out}`, "--level=0"];
  execFileSync(process.execPath, ["packaging/packages.ts", ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const sums = readFileSync(join(out, "SHA256SUMS"), "utf8");
  const [deb = "", rpm = ""] = sums.split("\n").map((line) => join(out, line.split("  ")[1] ?? ""));
  return { deb, rpm, sums };
}

const first = made("1.0.0");
const second = made("1.0.1");

test("the same commit gives the same bytes", () => {
  assert.equal(made("1.0.0", "again").sums, first.sums);
});

suite("deb", () => {
  let root: DebianRoot;
  let untouched: readonly string[];
  before(async () => {
    root = await DebianRoot.make();
    untouched = filesOf(root);
  });
  after(() => root[Symbol.dispose]());

  test("lintian has nothing to say", () => {
    const flags = ["--allow-root", "--fail-on=error,warning", second.deb];
    assert.equal(execFileSync("lintian", flags, { encoding: "utf8" }), "");
  });

  test("it brings a program that runs, a user, and nothing that starts by itself", () => {
    root.run("dpkg", "--install", root.take(first.deb));
    assert.match(root.run("lateen", "version", "--client"), /^client: .*Node v24/);
    assert.match(root.run("getent", "passwd", "lateen"), /^lateen:x:\d+:\d+:.*:\/usr\/sbin\/nologin$/m);
    assert.equal(root.run("stat", "-c", "%a %U:%G", "/etc/lateen.d").trim(), "750 root:lateen");
    assert.ok(!root.has("etc/systemd/system/multi-user.target.wants/lateen-agent.service"));
    assert.match(root.run("man", "--where", "lateen-join"), /lateen-join\.1/);
  });

  test("its pages and completions are read without a complaint", () => {
    for (const page of root.run("dpkg", "--listfiles", "lateen").split("\n")) {
      if (!/\/man\d\/.*\.gz$/.test(page)) continue;
      const said = root.run("sh", "-c", `man --warnings=w -E UTF-8 -l -Tutf8 -Z ${page} 2>&1 >/dev/null`);
      assert.equal(said, "", page);
    }
    root.run("bash", "-n", "/usr/share/bash-completion/completions/lateen");
  });

  test("an upgrade keeps what was configured and what was stored", () => {
    root.run("sh", "-c", "echo 'discovery: { kind: none }' > /etc/lateen.d/agent.yaml");
    root.run("install", "-d", "-o", "lateen", "-m", "0700", "/var/lib/lateen/agent");
    root.run("sh", "-c", "echo key > /var/lib/lateen/agent/key");
    root.run(
      "sh",
      "-c",
      "ln -s /usr/lib/systemd/system/lateen-agent.service /etc/systemd/system/multi-user.target.wants/",
    );
    root.run("dpkg", "--install", root.take(second.deb));
    assert.match(root.run("dpkg-query", "--show", "lateen"), /1\.0\.1/);
    assert.match(root.run("cat", "/etc/lateen.d/agent.yaml"), /kind: none/);
    assert.equal(root.run("cat", "/var/lib/lateen/agent/key"), "key\n");
  });

  test("removed, it leaves what was configured; purged, it leaves nothing", () => {
    root.run("dpkg", "--remove", "lateen");
    assert.ok(root.has("etc/lateen.d/agent.yaml") && root.has("var/lib/lateen/agent/key"));
    assert.ok(!root.has("usr/lib/lateen"));
    root.run("dpkg", "--purge", "lateen");
    const left = new Set(filesOf(root)).difference(new Set(untouched));
    assert.deepEqual([...left], []);
    assert.doesNotMatch(root.run("cat", "/etc/passwd", "/etc/group"), /lateen/);
  });
});

suite("rpm", () => {
  let root: DebianRoot;
  before(async () => {
    root = await DebianRoot.make();
  });
  after(() => root[Symbol.dispose]());
  // What Debian has installed is not in rpm's books.
  const rpm = (...args: readonly string[]): string =>
    execFileSync("rpm", ["--root", root.path, ...args], { encoding: "utf8" });

  test("it installs, upgrades and goes, and leaves what was configured", () => {
    root.run("mkdir", "-p", ...OF_FEDORA);
    const untouched = filesOf(root);
    rpm("--install", "--nodeps", first.rpm);
    assert.match(root.run("lateen", "version", "--client"), /^client: .*Node v24/);
    assert.match(root.run("getent", "passwd", "lateen"), /^lateen:x:/);
    root.run("sh", "-c", "echo 'discovery: { kind: none }' > /etc/lateen.d/agent.yaml");
    rpm("--upgrade", "--nodeps", second.rpm);
    assert.equal(rpm("--query", "lateen").trim(), `lateen-1.0.1-1.${RPM_ARCH}`);
    rpm("--erase", "--nodeps", "lateen");
    const left = new Set(filesOf(root)).difference(new Set(untouched));
    assert.deepEqual([...left].sort(), [
      "/etc/lateen.d",
      "/etc/lateen.d/agent.yaml",
      "/etc/lateen.d/services.d",
    ]);
  });
});

/** Folders that other packages of Fedora own. */
const OF_FEDORA = [
  "/usr/lib/sysusers.d",
  "/usr/share/fish/vendor_completions.d",
  "/usr/share/licenses",
  "/usr/share/zsh/site-functions",
];
const RPM_ARCH = process.arch === "x64" ? "x86_64" : "aarch64";

/** All there is but for the books of the package managers, their caches and logs. */
function filesOf(root: DebianRoot): readonly string[] {
  const notOurs = [
    "./proc",
    "./tmp",
    "./var/lib/dpkg",
    "./var/lib/rpm",
    "./var/cache",
    "./var/log",
    "./root",
    "./run/adduser",
  ];
  const pruned = notOurs.flatMap((path, index) => [...(index === 0 ? [] : ["-o"]), "-path", path]);
  const found = root.run("find", ".", "(", ...pruned, ")", "-prune", "-o", "-print");
  // Copies that the tools of users and groups keep of the last state.
  return found
    .split("\n")
    .map((path) => path.slice(1))
    .filter((path) => !/^\/etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-$|\.lock$/.test(path));
}
