import assert from "node:assert/strict";
import { test } from "node:test";
import { type SpiffeId, workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import { Secret } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { Random } from "../../test/harness/random.ts";
import { workloadSecrets } from "../identity/secrets.ts";
import type { BundleChange } from "../identity/trust-bundle.ts";
import { Changes } from "../state/changes.ts";
import { callerSvids } from "./caller-svids.ts";
import type { CallerRule } from "./choose-identities.ts";

const HOSTS = 500;
const REQUESTS = 40;
const ACCOUNTS = ["web", "api", "db"];
const NAMESPACES = ["a", "b"];
const UIDS = [0, 1001, 1002];
const UNITS = ["web.service", "api.service"];

const someUnit = (random: Random): string | undefined =>
  random.chance(0.4) ? undefined : random.pick(UNITS);

/** Certificates whose key is the workload's name: what comes out says whose it was. */
function host(random: Random) {
  const workloads = random.some(
    NAMESPACES.flatMap((namespace) =>
      ACCOUNTS.flatMap((account) => [0, 1].map((index) => ({ namespace, account, index }))),
    ),
    random.pick([0.08, 0.3, 0.6]),
  );
  const held = new Map(
    workloads.map(({ namespace, account, index }) => {
      const id = `${namespace}/${account}-${index}`;
      const spiffeId = workloadSpiffeId("cluster.local", namespace, account);
      const svid = {
        spiffeId,
        chainPem: "",
        keyPem: id,
        notBeforeMs: 0,
        notAfterMs: random.pick([5, 50]),
        serial: id,
        authority: "",
      };
      return [id, random.chance(0.8) ? { spiffeId, svid } : { spiffeId, svid: undefined }] as const;
    }),
  );
  return {
    held,
    ids: () => [...held.keys()],
    current: (id: string): X509Svid | undefined => held.get(id)?.svid,
    status: (id: string) => {
      const one = held.get(id);
      return one && { spiffeId: one.spiffeId, notAfterMs: one.svid?.notAfterMs, problem: undefined };
    },
    changes: new Changes<string>(),
  };
}

const bundle = {
  current: {
    trustDomain: parseTrustDomain("cluster.local"),
    roots: ["root"],
    crls: [],
    retiring: [],
    renewWithinMs: 0,
    jwtKeys: '{"keys":[]}',
    sequence: 1,
  },
  changes: new Changes<BundleChange>(),
};

test(`of ${HOSTS * REQUESTS} random callers and data planes none gets an identity that is not its own`, (t) => {
  const count = { given: 0, refused: 0, secrets: 0 };
  for (let seed = 1; seed <= HOSTS; seed++) {
    const random = new Random(seed * 1_000_003);
    const here = host(random);
    const rules: readonly CallerRule[] = random.some([0, 1, 2, 3], 0.6).map(() => ({
      namespace: random.pick(NAMESPACES),
      serviceAccount: random.pick(ACCOUNTS),
      uid: random.chance(0.6) ? random.pick(UIDS) : undefined,
      unit: someUnit(random),
    }));
    const secrets = workloadSecrets(here, bundle);
    for (let request = 0; request < REQUESTS; request++) {
      const caller = random.chance(0.1) ? undefined : { uid: random.pick(UIDS), unit: someUnit(random) };
      const answer = callerSvids(caller, rules, here, 10);
      if (answer.kind === "held") count.given += 1;
      else count.refused += 1;
      const all = new Set<SpiffeId>([...here.held.values()].map(({ spiffeId }) => spiffeId));
      for (const svid of answer.kind === "held" ? answer.svids : []) {
        assert.ok(svid.notAfterMs > 10 && here.held.get(svid.keyPem)?.svid === svid);
        const about = rules.filter(
          (rule) => workloadSpiffeId("cluster.local", rule.namespace, rule.serviceAccount) === svid.spiffeId,
        );
        const named = about.some(
          ({ uid, unit }) =>
            caller !== undefined &&
            `${uid}${unit}` !== "undefinedundefined" &&
            [uid ?? caller.uid, unit ?? caller.unit].join() === [caller.uid, caller.unit].join(),
        );
        assert.ok(
          named || (all.size === 1 && about.length === 0),
          `${svid.spiffeId} to ${JSON.stringify(caller)}`,
        );
      }

      const workload = random.pick(["a/web-0", "b/db-1", "a/api-1", "c/none", "", "__proto__"]);
      const name = random.pick([
        "default",
        "ROOTCA",
        "spiffe://cluster.local/ns/a/sa/web",
        "kubernetes://x",
        "",
      ]);
      const secret = secrets.secret(workload, name);
      if (secret === undefined || name === "ROOTCA") continue;
      count.secrets += 1;
      const { tlsCertificate } = Secret.decode(secret.bytes);
      assert.equal(name, "default");
      assert.equal(tlsCertificate?.privateKey?.inlineString, workload);
    }
  }
  t.diagnostic(JSON.stringify(count));
  for (const [what, times] of Object.entries(count)) assert.ok(times > 300, `${what}: ${times}`);
});
