import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { agentSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { DeltaDiscoveryRequest } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { nodeId } from "../../mesh/xds/names.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { wireWorkload } from "../../test/harness/agent-port.ts";
import { ContainmentWorld, GROUP, type Host, TRUST_DOMAIN } from "./testing/containment-world.ts";

/** Parts are tests of their own, so that one has time to end on a machine that is busy. */
const PARTS = 5;
const GRAPHS = 20;
const REQUESTS = 1_000;

/** What came of the requests, so that a server that refuses everything does not pass. */
interface Tally {
  certificates: number;
  tokens: number;
  resources: number;
  workloads: number;
  refusals: number;
}

/**
 * Random hosts, bindings and placements, groups that say who is who, bans and lost streams, and random requests on each way to an identity, on the
 * real handlers. What may come out is said by a model of a few lines that knows nothing of the code under test.
 */
for (let part = 1; part <= PARTS; part++) {
  test(`of ${GRAPHS * REQUESTS} random requests none gets an identity that is not placed on its host now (${part} of ${PARTS})`, async (t) => {
    const tally: Tally = { certificates: 0, tokens: 0, resources: 0, workloads: 0, refusals: 0 };
    using _ = withoutStacks();
    for (let seed = (part - 1) * GRAPHS + 1; seed <= part * GRAPHS; seed++) await tryGraph(seed, tally);
    t.diagnostic(JSON.stringify(tally));
    for (const [what, count] of Object.entries(tally)) assert.ok(count > 400, `${what}: only ${count}`);
  });
}

async function tryGraph(seed: number, tally: Tally): Promise<void> {
  await using world = new ContainmentWorld(seed);
  for (let request = 0; request < REQUESTS; request++) {
    world.tick();
    const host = world.random.pick(world.hosts);
    const chance = world.random.next();
    if (chance < 0.4) await certify(world, host, tally);
    else if (chance < 0.6) await token(world, host, tally);
    else if (chance < 0.9) await stream(world, host, tally);
    else await register(world, host, request, tally);
    if (world.random.chance(0.03)) await world.disturb();
  }
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  world.assertContained();
  tally.resources += world.delivered;
}

/** Most requests are refused, by an error each: where it was thrown costs more than to find out that it must be. */
function withoutStacks(): Disposable {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  return {
    [Symbol.dispose]: () => {
      Error.stackTraceLimit = stackTraceLimit;
    },
  };
}

async function certify(world: ContainmentWorld, host: Host, tally: Tally): Promise<void> {
  const wanted = world.someIdentity(host);
  const csr = world.someCsr();
  const given = await world.certify(host, wanted, csr);
  const own = agentSpiffeId(TRUST_DOMAIN, host.id);
  const placed: readonly string[] = world.identitiesOn(host);
  const allowed = world.mayCall(host) && (wanted === undefined || placed.includes(wanted));
  const plain = csr.names.length === 0;
  if (allowed && plain) assert.equal(given, wanted ?? own);
  else if (given !== undefined) {
    assert.ok(allowed, `${host.id} got ${given}`);
    assert.deepEqual(csr.names, [given]);
  }
  tally[given === undefined ? "refusals" : "certificates"] += 1;
}

async function token(world: ContainmentWorld, host: Host, tally: Tally): Promise<void> {
  const wanted = world.someIdentity(host) ?? agentSpiffeId(TRUST_DOMAIN, host.id);
  const given = await world.token(host, wanted);
  const placed: readonly string[] = world.identitiesOn(host);
  // Not even its own: an agent speaks for no workload but by certificate.
  const allowed = world.mayCall(host) && placed.includes(wanted);
  assert.equal(given, allowed ? wanted : undefined, `${host.id} wanted ${wanted}`);
  tally[given === undefined ? "refusals" : "tokens"] += 1;
}

async function stream(world: ContainmentWorld, host: Host, tally: Tally): Promise<void> {
  const { random } = world;
  const someNode = (): string => {
    const { name, namespace } = world.someWorkloadName(host);
    const strange = ["", "sidecar~1~../x~y", name, `sidecar~10.0.0.1~${name}~x`, "a".repeat(2000)];
    return random.chance(0.9) ? nodeId("10.0.0.1", name, namespace, "cluster.local") : random.pick(strange);
  };
  const call = world.openStream(host);
  const ask = (id: string): void => {
    const { name, namespace } = world.someWorkloadName(host);
    const resourceNamesSubscribe = random.pick([["*"], [`${namespace}/${name}`, "default", "ROOTCA"]]);
    const typeUrl = random.pick([TYPE_URL.secret, TYPE_URL.cluster]);
    call.emit("data", DeltaDiscoveryRequest.fromPartial({ node: { id }, typeUrl, resourceNamesSubscribe }));
  };
  const node = someNode();
  ask(node);
  // Later requests of a stream name its node again, name none, or try another.
  while (random.chance(0.4)) {
    if (random.chance(0.3)) await register(world, random.pick(world.hosts), 0, tally);
    ask(random.pick([node, "", someNode()]));
  }
  world.assertContained();
  if (call.code !== undefined) tally.refusals += 1;
}

async function register(world: ContainmentWorld, host: Host, sequence: number, tally: Tally): Promise<void> {
  const workloads = world.random.some(world.workloadNames, 0.3).map(({ name, namespace }) => {
    const { random } = world;
    const group = random.chance(0.4) ? GROUP : "";
    const defaulted = random.chance(0.7) ? ["serviceAccount"] : [];
    return wireWorkload(name, { namespace, serviceAccount: random.pick(world.accounts), group, defaulted });
  });
  const { result, accepted } = await world.register(host, { sequence, workloads });
  assert.equal(result !== undefined, world.mayCall(host), `a report of ${host.id}`);
  const refused = new Set(result?.refusals.map(({ workload }) => workload));
  for (const { name, namespace } of workloads) {
    const id = `${namespace}/${name}`;
    if (result !== undefined) assert.equal(!refused.has(id), accepted.has(id), `${id} on ${host.id}`);
    tally[accepted.has(id) ? "workloads" : "refusals"] += 1;
  }
}
