import assert from "node:assert/strict";
import { test } from "node:test";
import { startConsul } from "../../setup/run-consul.ts";
import {
  gcpSubject,
  joinTokenSubject,
  nomadSubject,
  x509Subject,
} from "../../test/harness/attestation-subjects.ts";
import {
  awsSubject,
  azureSubject,
  consulSubject,
  type SshKeyType,
  sshSubject,
} from "../../test/harness/tool-attestation-subjects.ts";
import { requireTool, skipWithout } from "../../test/harness/tools.ts";
import { type AttestorSubject, newAttempt, prove, testAttestor } from "./attestor.contract.ts";
import { consulJudge } from "./proof/consul-permissions.ts";

testAttestor("join token", joinTokenSubject);
testAttestor("Nomad workload identity", nomadSubject);
testAttestor("GCP instance identity", gcpSubject);
testAttestor("x509 possession", x509Subject);
testAttestor("AWS instance identity", awsSubject);
testAttestor("Azure attested document", azureSubject);
for (const type of ["ed25519", "ecdsa-256", "ecdsa-384", "rsa-2048"] satisfies readonly SshKeyType[]) {
  testAttestor(`SSH host certificate, ${type}`, () => sshSubject(type));
}

const consul = skipWithout("consul");
if (consul === false) testAttestor("Consul token", () => consulSubject(requireTool("consul")));
else test("Consul token", { skip: consul }, () => undefined);

test("no method takes another method's proof", async () => {
  await using stack = new AsyncDisposableStack();
  const subjects: AttestorSubject[] = [];
  for (const open of [joinTokenSubject, nomadSubject, gcpSubject, x509Subject, awsSubject, azureSubject]) {
    subjects.push(stack.use(await open()));
  }
  subjects.push(stack.use(await sshSubject("ed25519")));
  for (const judge of subjects) {
    for (const other of subjects.filter((one) => one !== judge)) {
      const attempt = newAttempt(judge);
      const evidence = await other.good({ ...attempt, nodeName: other.nodeName });
      const attested = await judge.attestor.attest({ ...attempt, evidence }, AbortSignal.timeout(5_000));
      const name = `${judge.attestor.properties.method} takes ${other.attestor.properties.method}`;
      assert.equal(attested.kind, "refused", name);
    }
  }
});

test("a Nomad that cannot be asked decides nothing: neither yes nor no", async () => {
  await using subject = await nomadSubject();
  subject.nomad.broken = 500;
  await assert.rejects(prove(subject), { code: "registry.unavailable" });
  subject.nomad.broken = undefined;
  assert.equal((await prove(subject)).kind, "host");
});

test("Nomad's keys are asked for once, again when they change, and not for each made-up key", async () => {
  await using subject = await nomadSubject();
  await prove(subject);
  await prove(subject);
  assert.equal(subject.nomad.keyRequests, 1);
  const strange = subject.bad["signed with a key that Nomad has not"];
  for (let round = 0; round < 20; round++) {
    const attempt = newAttempt(subject);
    const evidence = (await strange?.(attempt)) ?? "";
    await subject.attestor.attest({ ...attempt, evidence }, AbortSignal.timeout(5_000));
  }
  assert.ok(subject.nomad.keyRequests <= 2, `${subject.nomad.keyRequests}`);
});

test("a Consul that cannot be asked, or that has no ACLs, decides nothing", { skip: consul }, async () => {
  await using open = await startConsul(requireTool("consul"));
  await using judge = consulJudge(open.address);
  const ask = judge.ask(
    "any",
    [{ resource: "service", access: "write", name: "reviews" }],
    AbortSignal.timeout(5_000),
  );
  await assert.rejects(ask, { code: "registry.unavailable" });
  await using nobody = consulJudge("http://127.0.0.1:1");
  await assert.rejects(
    nobody.ask("a-token-that-is-secret", [], AbortSignal.timeout(5_000)),
    (error: Error) => {
      assert.ok(!`${error.message} ${error.stack} ${String(error.cause)}`.includes("a-token-that-is-secret"));
      return true;
    },
  );
});

test("a task of a dispatched job is of the job that was dispatched, as its workload identity says", async () => {
  await using nomad = await nomadSubject();
  const child = nomad.nomad.run("report/dispatch-1", "shop");
  child.Job = { ID: "report/dispatch-1", ParentID: "report", TaskGroups: [] };
  const evidence = nomad.nomad.workloadIdentity(child, { nomad_job_id: "report" });
  const attempt = { ...newAttempt(nomad), evidence };
  const verdict = await nomad.attestor.attest(attempt, new AbortController().signal);
  assert.deepEqual(verdict.kind === "host" && [verdict.binding.namespace, verdict.binding.serviceAccounts], [
    "shop",
    ["report"],
  ]);
});
