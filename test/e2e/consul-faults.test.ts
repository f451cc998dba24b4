import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { List, RegistryReply } from "../../mesh/admin-api/replies.ts";
import type { ConsulDouble, ConsulFault } from "../fakes/consul-double.ts";
import { eventually } from "../harness/eventually.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller-1", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
] as const;

/** What the server asks; agents ask other things. */
const CATALOG = /^\/(catalog\/services|health\/service)/;
const ALWAYS = Number.MAX_SAFE_INTEGER;
/** Longer than the server's longest back-off. */
const RECOVERY_MS = 15_000;

/** Longer than it takes a busy query of ours to ask again. */
const QUIET_MS = 700;
/** What else is in the catalog: neither meshed nor called. */
const OTHERS = ["billing", "search", "mail"].map((service, index) => ({
  node: "node-1",
  id: `${service}-1`,
  service,
  address: `192.0.2.${index + 1}`,
  port: 80,
}));

const FAULTS: readonly { readonly name: string; readonly fault: ConsulFault; readonly reason: RegExp }[] = [
  {
    name: "answers errors",
    fault: { kind: "status", status: 500, body: "No cluster leader" },
    reason: /500/,
  },
  { name: "answers rubbish", fault: { kind: "body", body: { reviews: 7 } }, reason: /consul|reviews/ },
  { name: "answers half a JSON", fault: { kind: "truncated" }, reason: /JSON/ },
  { name: "breaks off", fault: { kind: "cut" }, reason: /./ },
  { name: "has no index", fault: { kind: "index", index: "missing" }, reason: /X-Consul-Index/ },
];

describeMesh("Consul's failures", { hosts: HOSTS, catalog: "fake-consul" }, (mesh) => {
  const consul = (): ConsulDouble => (mesh().catalog as unknown as { readonly double: ConsulDouble }).double;
  const registry = async (): Promise<RegistryReply> => {
    const { items } = await mesh().admin.get<List<RegistryReply>>("/v1/registries");
    return items.find(({ name }) => name === "consul") ?? assert.fail("no registry consul");
  };
  /** Told of the answers of all queries, which come one after the other. */
  const allLost = (): Promise<unknown> =>
    eventually(
      "the loss of all is noticed",
      async () => /suddenly lists 6 of 6 instances no more/.test((await registry()).reason ?? ""),
      RECOVERY_MS,
    );
  const inState = (state: RegistryReply["state"]): Promise<RegistryReply> =>
    eventually(
      `the registry ${state}`,
      async () => {
        const now = await registry();
        return now.state === state && now;
      },
      RECOVERY_MS,
    );
  /** Current, and every query of server and agents waits for news. */
  const settled = async (): Promise<void> => {
    await inState("current");
    let seen = 0;
    let since = 0;
    await eventually(
      "a quiet Consul",
      () => {
        const now = consul().requests.length;
        if (now !== seen) since = performance.now();
        seen = now;
        return performance.now() - since > QUIET_MS;
      },
      RECOVERY_MS,
    );
  };
  /** Consul has everything again, and says so with an index that is news to everybody. */
  const refill = async (): Promise<void> => {
    for (const round of [1, 2]) {
      for (const { spec } of mesh().hosts) await mesh().catalog.register(spec);
      for (const other of OTHERS) consul().catalog.put({ ...other, meta: { round: String(round) } });
    }
  };
  const bothServe = async (): Promise<void> => {
    const clusters = await mesh().host("caller-1").askProxy("/clusters");
    for (const name of ["reviews-v1", "reviews-v2"]) {
      assert.ok(clusters.includes(`${mesh().host(name).spec.address}:`), `${name} left the endpoints`);
    }
    const seen = await mesh().tally(20, "caller-1", "reviews");
    assert.deepEqual(Object.keys(seen).sort(), ["reviews-v1", "reviews-v2"]);
    for (const host of mesh().hosts) assert.equal((await host.serving()).state, "serving");
  };
  // A test that fails must not leave its fault to the next.
  afterEach(() => {
    consul().up();
    consul().heal();
  });

  /** A change goes through again: v2 leaves and comes back. */
  const recovered = async (): Promise<void> => {
    await inState("current");
    const { spec } = mesh().host("reviews-v2");
    const listed = async (): Promise<boolean> =>
      (await mesh().host("caller-1").askProxy("/clusters")).includes(`${spec.address}:`);
    await mesh().catalog.register(spec, false);
    await eventually("v2 gone", async () => !(await listed()), RECOVERY_MS);
    await mesh().catalog.register(spec);
    await eventually("v2 back", listed, RECOVERY_MS);
    await eventually("v2 called", async () => (await mesh().tally(6, "caller-1", "reviews"))["reviews-v2"]);
  };

  test("a Consul that is down changes nothing but the status", async () => {
    await inState("current");
    consul().down();
    assert.ok((await inState("stale")).reason, "no reason is told");
    await bothServe();
    consul().up();
    await recovered();
  });

  for (const { name, fault, reason } of FAULTS) {
    test(`a Consul that ${name} changes nothing but the status`, async () => {
      await inState("current");
      consul().script(CATALOG, fault, ALWAYS);
      assert.match((await inState("stale")).reason ?? "", reason);
      await bothServe();
      consul().heal();
      await inState("current");
      await bothServe();
    });
  }

  test("a Consul whose index goes backwards is asked anew, and nothing is lost", async () => {
    await settled();
    const before = consul().requestsTo(CATALOG);
    consul().script(CATALOG, { kind: "index", index: 1 }, 6);
    await eventually("questions from the start", () => consul().requestsTo(CATALOG) > before + 2);
    await bothServe();
    consul().heal();
    await refill();
    await recovered();
  });

  test("a Consul that is suddenly empty is not believed", async () => {
    await refill();
    await settled();
    consul().script(CATALOG, { kind: "empty" }, ALWAYS);
    await allLost();
    await bothServe();
    consul().heal();
    await refill();
    await recovered();
  });

  test("a Consul that lost all its data takes no service out of the mesh, here or on the hosts", async () => {
    await refill();
    await settled();
    consul().down();
    consul().catalog.wipe();
    consul().up();
    await allLost();
    await bothServe();
    await refill();
    await recovered();
  });

  test("a Consul that does not end its answers is stale", async () => {
    await settled();
    consul().script(CATALOG, { kind: "stall-in-body" }, ALWAYS);
    await inState("stale");
    await bothServe();
    consul().heal();
    await recovered();
  });
});
