import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { MeshError } from "../../mesh/errors.ts";
import { parseSpiffeId, type SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { Secret } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { issueFor, newAuthority } from "../../test/fakes/fake-agent-server.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { testAuthority } from "../../test/harness/test-authority.ts";
import { Changes } from "../state/changes.ts";
import type { IssueCertificate } from "./certificates.ts";
import { workloadSecrets } from "./secrets.ts";
import { WorkloadSvids } from "./workload-svids.ts";

const REVIEWS = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const RATINGS = parseSpiffeId("spiffe://cluster.local/ns/default/sa/ratings");

interface Fixture {
  readonly file: string;
  readonly authority: Awaited<ReturnType<typeof newAuthority>>;
  readonly svids: (issue: IssueCertificate, clock?: typeof systemClock) => WorkloadSvids;
  readonly issue: IssueCertificate;
}

async function fixture(t: TestContext): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-svids-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const authority = await newAuthority();
  return {
    file: join(folder, "default.reviews-v1", "svid.json"),
    authority,
    svids: (issue, clock = systemClock) => {
      const bundle = () => authority.bundle;
      const held = new WorkloadSvids({ clock, logger: silentLogger, random: () => 0, issue, bundle });
      t.after(() => held.stop());
      return held;
    },
    issue: (identity) => issueFor(authority, identity as SpiffeId),
  };
}

const nobody: IssueCertificate = () => Promise.reject(new MeshError("ca.unavailable", "no server"));

test("a workload gets an SVID, which is kept with its key and served as secrets", async (t) => {
  const { svids, issue, file, authority } = await fixture(t);
  const held = svids(issue);
  await held.add("default/reviews-v1", REVIEWS, file);
  const svid = await eventually("an SVID", () => held.current("default/reviews-v1"));
  assert.equal(svid.spiffeId, REVIEWS);
  await eventually("it on disk", () => readFile(file).catch(() => undefined));
  assert.equal((await stat(file)).mode & 0o777, 0o600);

  const secrets = workloadSecrets(held, { current: authority.bundle, changes: new Changes() });
  const own = secrets.secret("default/reviews-v1", "default");
  const decoded = Secret.decode(own?.bytes ?? new Uint8Array());
  assert.equal(decoded.name, "default");
  assert.equal(decoded.tlsCertificate?.certificateChain?.inlineString, svid.chainPem);
  assert.equal(decoded.tlsCertificate?.privateKey?.inlineString, svid.keyPem);
  const roots = Secret.decode(secrets.secret("default/reviews-v1", "ROOTCA")?.bytes ?? new Uint8Array());
  assert.deepEqual(
    roots.validationContext?.trustedCa?.inlineString?.trim(),
    authority.bundle.roots[0]?.trim(),
  );
  assert.equal(secrets.secret("default/reviews-v1", "other"), undefined);
  assert.equal(secrets.secret("default/ratings", "default"), undefined);
  await held.stop();
});

test("an SVID on disk is served without a server, and deleted with its workload", async (t) => {
  const { svids, issue, file } = await fixture(t);
  const before = svids(issue);
  await before.add("default/reviews-v1", REVIEWS, file);
  await eventually("it on disk", () => readFile(file).catch(() => undefined));
  const svid = before.current("default/reviews-v1");
  await before.stop();

  const after = svids(nobody);
  await after.add("default/reviews-v1", REVIEWS, file);
  assert.deepEqual(after.current("default/reviews-v1"), svid);
  await after.remove("default/reviews-v1");
  assert.equal(after.current("default/reviews-v1"), undefined);
  await assert.rejects(stat(file), { code: "ENOENT" });
});

test("a renewal has a new key, tells who listens, and another version in SDS", async (t) => {
  const { svids, issue, file, authority } = await fixture(t);
  let now = Date.now();
  const clock = { ...systemClock, now: () => now };
  const first = svids(issue, clock);
  await first.add("default/reviews-v1", REVIEWS, file);
  const old = await eventually("an SVID", () => first.current("default/reviews-v1"));
  await eventually("it on disk", () => readFile(file).catch(() => undefined));
  await first.stop();

  now = old.notAfterMs - 3_600_000;
  const held = svids(issue, clock);
  const secrets = workloadSecrets(held, { current: authority.bundle, changes: new Changes() });
  const versions: (string | undefined)[] = [];
  secrets.onChange((workload) => versions.push(secrets.secret(workload, "default")?.version), t.signal);
  await held.add("default/reviews-v1", REVIEWS, file);
  await eventually("two versions", () => versions.length === 2);
  assert.notEqual(versions[0], versions[1]);
  const renewed = held.current("default/reviews-v1");
  assert.notDeepEqual(
    createPublicKey(renewed?.keyPem ?? "").export({ format: "jwk" }),
    createPublicKey(old.keyPem).export({ format: "jwk" }),
  );
  await held.stop();
});

test("an outage is retried; a word that it may work now is heard at once", async (t) => {
  const { svids, issue, file } = await fixture(t);
  let up = false;
  let calls = 0;
  const held = svids(async (identity, signal) => {
    calls += 1;
    return up ? await issue(identity, signal) : await nobody(identity, signal);
  });
  await held.add("default/reviews-v1", REVIEWS, file);
  await eventually("a problem", () => held.status("default/reviews-v1")?.problem === "no server");
  up = true;
  held.retry();
  await eventually("an SVID", () => held.current("default/reviews-v1"));
  assert.equal(calls, 2);
  await eventually("no problem", () => held.status("default/reviews-v1")?.problem === undefined);
  await held.stop();
});

test("what a server issues for another identity, or under another root, is not taken", async (t) => {
  const { svids, issue, file } = await fixture(t);
  const elsewhere = await newAuthority();
  for (const bad of [
    (() => issue(RATINGS, t.signal)) satisfies IssueCertificate,
    (() => issueFor(elsewhere, REVIEWS)) satisfies IssueCertificate,
  ]) {
    const held = svids(bad);
    await held.add("default/reviews-v1", REVIEWS, file);
    const status = await eventually("a problem", () => {
      const status = held.status("default/reviews-v1");
      return status?.problem !== undefined && status;
    });
    assert.match(status.problem ?? "", /take an SVID for .*reviews/);
    assert.equal(held.current("default/reviews-v1"), undefined);
    await held.stop();
  }
});

test("a file that cannot be trusted is put aside and the SVID got anew", async (t) => {
  const { svids, issue, file, authority } = await fixture(t);
  const seed = svids(issue);
  await seed.add("default/reviews-v1", REVIEWS, file);
  await eventually("it on disk", () => readFile(file).catch(() => undefined));
  await seed.stop();
  const good = await readFile(file, "utf8");
  const foreign = await issueFor(await newAuthority(), REVIEWS);
  const other = await issueFor(authority, RATINGS);
  const asFile = ({ chain, keyPem }: { chain: readonly string[]; keyPem: string }): string =>
    JSON.stringify({ chainPem: chain.join(""), keyPem });
  const damaged = [
    "",
    "null",
    good.slice(0, good.length / 2),
    good.replace(/[A-Za-z]{8}/, "AAAAAAAA"),
    good.replace('"chainPem":"', '"chainPem":"x').replaceAll("BEGIN CERTIFICATE", "BEGIN CERTIFICATF"),
    asFile(foreign),
    asFile(other),
    asFile({ ...other, keyPem: foreign.keyPem }),
  ];
  for (const [index, content] of damaged.entries()) {
    if (content === good) continue;
    await writeFile(file, content, { mode: 0o600 });
    const held = svids(nobody, { ...systemClock, now: () => Date.now() + index });
    await held.add("default/reviews-v1", REVIEWS, file);
    assert.equal(held.current("default/reviews-v1"), undefined, `case ${index} was trusted`);
    await held.stop();
    assert.ok((await readdir(join(file, ".."))).some((name) => name.startsWith("svid.json.corrupt-")));
  }
  const healed = svids(issue);
  await healed.add("default/reviews-v1", REVIEWS, file);
  await eventually("an SVID", () => healed.current("default/reviews-v1"));
  await healed.stop();
});

test("a short-lived certificate is not renewed in a tight loop", async (t) => {
  const { svids, file, authority } = await fixture(t);
  let calls = 0;
  const held = svids(async (identity) => {
    calls += 1;
    return await issueFor(authority, identity as SpiffeId, 1);
  });
  await held.add("default/reviews-v1", REVIEWS, file);
  await eventually("an SVID", () => held.current("default/reviews-v1"));
  await systemClock.sleep(150, t.signal);
  assert.equal(calls, 1);
  await held.stop();
});

test("an SVID whose authority retires is renewed within the time that is given, whatever is left of its life", async (t) => {
  const { file } = await fixture(t);
  const trustDomain = parseTrustDomain("cluster.local");
  const authority = await testAuthority({ directory: dirname(dirname(file)), trustDomain });
  const changes = new Changes();
  let retiring: string | undefined;
  const held = new WorkloadSvids({
    clock: systemClock,
    logger: silentLogger,
    random: () => 0.5,
    issue: (identity) => issueFor(authority, identity as SpiffeId),
    bundle: () => authority.bundle,
    retirement: { renewWithinMs: (svid) => (svid.authority === retiring ? 20 : undefined), changes },
  });
  t.after(() => held.stop());
  await held.add("default/reviews-v1", REVIEWS, file);
  const first = await eventually("an SVID", () => held.current("default/reviews-v1"));
  changes.notify();
  assert.equal(held.current("default/reviews-v1")?.serial, first.serial, "nothing retires yet");
  await authority.prepare(false, t.signal);
  await authority.step("activate");
  retiring = first.authority;
  changes.notify();
  const second = await eventually("another one", () => {
    const svid = held.current("default/reviews-v1");
    return svid?.serial !== first.serial && svid;
  });
  assert.notEqual(second.authority, first.authority);
  assert.notEqual(second.keyPem, first.keyPem);
});
