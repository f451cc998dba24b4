import assert from "node:assert/strict";
import { createPublicKey, X509Certificate } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { joinPemChain, splitPemChain } from "../../mesh/identity/pem.ts";
import { agentSpiffeId, workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import { type Clock, systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { testAuthority } from "../../test/harness/test-authority.ts";
import { newKey } from "../../test/harness/test-certificates.ts";
import { shakeHands, type TlsEnd } from "../../test/harness/tls-handshake.ts";
import { openDatabase } from "../store/database.ts";
import { IssuedCertificates, noted } from "./issued-certificates.ts";
import type { MeshAuthority } from "./mesh-authority.ts";
import { CaRotation } from "./rotation.ts";

const trustDomain = parseTrustDomain("cluster.local");

/** A server's CA with a rotation, on a directory that can be opened again; hosts answer as the test says. */
class Subject {
  readonly directory: string;
  readonly hosts = { behind: [] as string[], onOld: [] as string[] };
  readonly clock: Clock;
  authority!: MeshAuthority;
  issued!: IssuedCertificates;
  rotation!: CaRotation;

  private constructor(directory: string, clock: Clock) {
    this.directory = directory;
    this.clock = clock;
  }

  static async open(t: TestContext, clock: Clock = systemClock): Promise<Subject> {
    const directory = await mkdtemp(join(tmpdir(), "lateen-rotation-"));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const subject = new Subject(directory, clock);
    await subject.restart();
    return subject;
  }

  async restart(): Promise<void> {
    const { clock, directory, hosts } = this;
    const database = openDatabase(join(directory, "lateen.db"));
    this.authority = await testAuthority({ directory, trustDomain, database, clock });
    this.issued = new IssuedCertificates(database, clock);
    this.rotation = new CaRotation({
      authority: this.authority,
      readiness: { withoutBundle: () => hosts.behind, using: () => hosts.onOld, away: () => [] },
      issued: this.issued,
      clock,
      logger: silentLogger,
    });
  }

  /** A workload's end of TLS, with what the authority gives and says now. */
  async end(): Promise<TlsEnd> {
    const key = newKey();
    const { chain } = await noted(this.authority, this.issued).issue({
      spiffeId: workloadSpiffeId(trustDomain, "default", "reviews"),
      publicKeyDer: createPublicKey(key).export({ type: "spki", format: "der" }),
      agentId: "a1",
    });
    const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
    return { chainPem: joinPemChain(chain), keyPem, bundle: this.authority.bundle };
  }

  states(): readonly string[] {
    return this.authority.authorities.map(({ state }) => state);
  }
}

test("through a whole rotation everyone understands everyone, those who were away too, with a restart at each step", async (t) => {
  const subject = await Subject.open(t);
  const away = await subject.end();
  const ends = [away];
  const steps = ["activate", "taint", "revoke"] as const;
  await subject.rotation.prepare(false, t.signal);
  assert.deepEqual(subject.states(), ["active", "prepared"]);
  for (const step of [undefined, ...steps]) {
    if (step !== undefined) await subject.rotation.step(step, false);
    const before = { bundle: subject.authority.bundle, states: subject.states() };
    await subject.restart();
    assert.deepEqual({ bundle: subject.authority.bundle, states: subject.states() }, before);
    // From taint on, nobody is to be on the old CA any more.
    if (step === "taint") ends.splice(0, ends.length - 1);
    ends.push(await subject.end());
    for (const server of ends) {
      for (const client of ends) assert.equal(await shakeHands(server, client), "ok", `after ${step}`);
    }
  }
  assert.deepEqual(subject.states(), ["active"]);
  assert.equal(subject.authority.bundle.roots.length, 1);
  const keys = await readdir(join(subject.directory, "ca"));
  assert.equal(keys.length, 2, `the old CA's keys are gone, of certificates and of tokens: ${keys.join()}`);
  assert.notEqual(await shakeHands(away, await subject.end()), "ok", "the old root is not trusted any more");
});

test("a rotation is aborted before and after the new CA signs, and everyone still understands everyone", async (t) => {
  const subject = await Subject.open(t);
  const first = await subject.end();
  const [root] = subject.authority.bundle.roots;
  await subject.rotation.prepare(true, t.signal);
  await subject.rotation.step("abort", false);
  assert.deepEqual([subject.states(), subject.authority.bundle.roots], [["active"], [root]]);
  assert.equal(subject.authority.walks, false);

  await subject.rotation.prepare(false, t.signal);
  await subject.rotation.step("activate", false);
  const second = await subject.end();
  await subject.rotation.step("abort", false);
  await subject.restart();
  assert.deepEqual(subject.states(), ["active", "retiring"]);
  assert.equal(subject.authority.bundle.roots[0], root);
  const ends = [first, second, await subject.end()];
  for (const server of ends) for (const client of ends) assert.equal(await shakeHands(server, client), "ok");
  await subject.rotation.step("taint", false);
  await subject.rotation.step("revoke", false);
  assert.deepEqual(subject.authority.bundle.roots, [root]);
});

test("a rotation is aborted when the old CA is tainted already, and leaves of both are good until the new one goes", async (t) => {
  const subject = await Subject.open(t);
  const first = await subject.end();
  const [root] = subject.authority.bundle.roots;
  await subject.rotation.prepare(true, t.signal);
  await subject.rotation.step("activate", false);
  await subject.rotation.step("taint", false);
  const second = await subject.end();
  await subject.rotation.step("abort", false);
  await subject.restart();
  assert.deepEqual([subject.states(), subject.authority.walks], [["active", "retiring"], false]);
  assert.equal(subject.authority.bundle.roots[0], root);
  const ends = [first, second, await subject.end()];
  for (const server of ends) for (const client of ends) assert.equal(await shakeHands(server, client), "ok");
  await subject.rotation.step("taint", false);
  await subject.rotation.step("revoke", false);
  assert.deepEqual([subject.states(), subject.authority.bundle.roots], [["active"], [root]]);
  await assert.rejects(subject.rotation.step("abort", false), { code: "ca.rotation" });
});

test("what vouches for the new CA ends soon after the last leaf that needs it, and is made anew until then", async (t) => {
  const clock = new ManualClock(Date.now());
  const subject = await Subject.open(t, clock);
  await subject.rotation.prepare(false, t.signal);
  clock.advance(30 * 86_400_000);
  await subject.rotation.step("activate", false);
  for (let day = 0; day < 20; day++) {
    const { chainPem } = await subject.end();
    const [leaf, cross] = splitPemChain(chainPem).map((pem) =>
      new X509Certificate(pem).validToDate.getTime(),
    );
    const left = (cross ?? 0) - clock.now();
    assert.ok(left >= 7 * 86_400_000 && left <= 8 * 86_400_000, `day ${day}: ${left / 86_400_000} days`);
    assert.ok((cross ?? 0) >= (leaf ?? 0));
    if (day === 10) await subject.restart();
    clock.advance(86_400_000);
  }
});

test("no step is taken out of its turn, or before hosts are ready for it", async (t) => {
  const subject = await Subject.open(t);
  const { rotation, hosts } = subject;
  for (const step of ["activate", "taint", "revoke", "abort"] as const) {
    await assert.rejects(rotation.step(step, true), { code: "ca.rotation" }, step);
  }
  await rotation.prepare(false, t.signal);
  await assert.rejects(rotation.prepare(false, t.signal), { code: "ca.rotation", message: /is prepared/ });
  hosts.behind = ["web-3"];
  await assert.rejects(rotation.step("activate", false), { code: "ca.rotation", message: /web-3/ });
  await rotation.step("activate", true);
  hosts.onOld = ["web-4"];
  await assert.rejects(rotation.step("taint", false), { message: /web-4/ });
  await assert.rejects(rotation.step("revoke", false), { message: /no CA is tainted/ });
});

test("a rotation that walks goes on as hosts become ready, and leaves the old root while one of its leaves is good", async (t) => {
  const clock = new ManualClock();
  const subject = await Subject.open(t, clock);
  await subject.end();
  subject.hosts.behind = ["web-3"];
  await subject.rotation.prepare(true, t.signal);
  const stop = new AbortController();
  const running = subject.rotation.run(stop.signal);
  const tick = async (): Promise<boolean> => {
    clock.advance(500);
    return true;
  };
  await eventually("some looks", tick);
  assert.deepEqual(subject.states(), ["active", "prepared"]);
  subject.hosts.onOld = ["web-3"];
  subject.hosts.behind = [];
  const reached = (...states: readonly string[]): Promise<unknown> =>
    eventually(states.join(), async () => (await tick()) && subject.states().join() === states.join());
  await reached("retiring", "active");
  subject.hosts.onOld = [];
  await reached("tainted", "active");
  for (let looks = 0; looks < 5; looks++) await eventually("a look", tick);
  assert.deepEqual(subject.states(), ["tainted", "active"], "a leaf of it is good for a day");
  clock.advance(86_400_000);
  await reached("active");
  assert.equal(subject.authority.walks, false);
  stop.abort();
  await running;
});

test("the next CA is prepared by itself thirty days before the end of the old one", async (t) => {
  const clock = new ManualClock();
  const subject = await Subject.open(t, clock);
  const stop = new AbortController();
  const running = subject.rotation.run(stop.signal);
  clock.advance(3600 * 86_400_000);
  await eventually("a look", async () => clock.advance(500) === undefined);
  assert.deepEqual(subject.states(), ["active"]);
  clock.advance(25 * 86_400_000);
  await eventually("a rotation", async () => {
    clock.advance(500);
    return subject.states().join() === "retiring,active" || subject.states().join() === "tainted,active";
  });
  stop.abort();
  await running;
});

test("a CA that is plugged in between cannot be confused with the one in use", async (t) => {
  const subject = await Subject.open(t);
  const agent = agentSpiffeId(trustDomain, "a1");
  const issue = (): Promise<{ authority: string }> =>
    subject.authority.issue({
      spiffeId: agent,
      publicKeyDer: createPublicKey(newKey()).export({ type: "spki", format: "der" }),
    });
  const before = await issue();
  await subject.rotation.prepare(false, t.signal);
  assert.equal((await issue()).authority, before.authority, "a prepared CA signs nothing");
  await subject.rotation.step("activate", false);
  const after = await issue();
  assert.notEqual(after.authority, before.authority);
  assert.deepEqual(subject.authority.bundle.retiring, [before.authority]);
});
