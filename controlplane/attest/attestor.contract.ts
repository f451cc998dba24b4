import assert from "node:assert/strict";
import { createPublicKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { newKey } from "../../test/harness/test-certificates.ts";
import type { Attestation, AttestationAttempt, Attestor } from "./attestor.ts";

/** Evidence for one attempt. */
export type MakeEvidence = (attempt: Omit<AttestationAttempt, "evidence">) => string | Promise<string>;

/** An attestor with a host that can prove itself to it. */
export interface AttestorSubject extends AsyncDisposable {
  readonly attestor: Attestor;
  /** What the host calls itself. */
  readonly nodeName: string;
  readonly good: MakeEvidence;
  readonly want: {
    readonly subject: string | RegExp;
    readonly namespace?: string | undefined;
    readonly serviceAccounts?: readonly string[] | undefined;
  };
  /** Evidence that has to be refused, by what is wrong with it. */
  readonly bad: Readonly<Record<string, MakeEvidence>>;
}

const SIGNAL = AbortSignal.timeout(120_000);
const RUBBISH = [
  "",
  " ",
  "x",
  "{}",
  "[]",
  "null",
  "\0",
  "a.b.c",
  "AAAA",
  "MIAGCSqGSIb3DQEHAqCAMIACAQEx",
  "{".repeat(5000),
];

/** What every method keeps to. */
export function testAttestor(name: string, open: () => Promise<AttestorSubject>): void {
  test(`${name}: says what it is worth, and says it consistently`, async () => {
    await using subject = await open();
    const { bindsTo, strength, challenged, tofu, reattestable } = subject.attestor.properties;
    assert.ok(bindsTo.length > 10);
    assert.ok(strength !== "possession" || challenged, "possession is proven by answering a challenge");
    assert.ok(!(tofu && reattestable), "what is trusted on first use cannot be repeated");
  });

  test(`${name}: a good proof shows its subject and what it is bound to, as often as it may be repeated`, async () => {
    await using subject = await open();
    const { want } = subject;
    const first = await prove(subject);
    for (const attested of subject.attestor.properties.reattestable
      ? [first, await prove(subject)]
      : [first]) {
      assert.ok(attested.kind === "host", JSON.stringify(attested));
      if (want.subject instanceof RegExp) assert.match(attested.subject, want.subject);
      else assert.equal(attested.subject, want.subject);
      assert.equal(attested.binding.namespace, want.namespace);
      assert.deepEqual(attested.binding.serviceAccounts, want.serviceAccounts);
    }
  });

  test(`${name}: a bad proof is refused, and the reason does not give it away`, async () => {
    await using subject = await open();
    for (const [what, make] of Object.entries(subject.bad)) {
      const attempt = newAttempt(subject);
      const evidence = await make(attempt);
      const attested = await subject.attestor.attest({ ...attempt, evidence }, SIGNAL);
      assert.equal(attested.kind, "refused", what);
      if (evidence.length > 20) assert.ok(!JSON.stringify(attested).includes(evidence), what);
    }
  });

  test(`${name}: rubbish is refused like any other proof`, async () => {
    await using subject = await open();
    for (const evidence of [...RUBBISH, randomBytes(3000).toString("base64")]) {
      const attested = await subject.attestor.attest({ ...newAttempt(subject), evidence }, SIGNAL);
      assert.equal(attested.kind, "refused", evidence.slice(0, 40));
    }
  });

  test(`${name}: an answer to one challenge is none to another, nor for another key`, async (t) => {
    await using subject = await open();
    if (!subject.attestor.properties.challenged) return t.skip("the method has no challenge");
    const attempt = newAttempt(subject);
    const evidence = await subject.good(attempt);
    const other = newAttempt(subject);
    const replayed = { ...attempt, evidence, challenge: other.challenge };
    assert.equal((await subject.attestor.attest(replayed, SIGNAL)).kind, "refused");
    if (subject.attestor.properties.strength !== "possession") return;
    const stolen = { ...attempt, evidence, publicKeyDer: other.publicKeyDer };
    assert.equal((await subject.attestor.attest(stolen, SIGNAL)).kind, "refused");
  });
}

/** Proves anew with a new key. */
export async function prove(subject: AttestorSubject): Promise<Attestation> {
  const attempt = newAttempt(subject);
  return subject.attestor.attest({ ...attempt, evidence: await subject.good(attempt) }, SIGNAL);
}

export function newAttempt({
  nodeName,
}: Pick<AttestorSubject, "nodeName">): Omit<AttestationAttempt, "evidence"> {
  const publicKeyDer = createPublicKey(newKey()).export({ type: "spki", format: "der" });
  return { challenge: randomBytes(56), publicKeyDer, nodeName, peerAddress: "10.1.2.3" };
}
