import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "undici";
import type { List, ProxyReply } from "../../mesh/admin-api/replies.ts";
import type { DemoMesh } from "./demo-mesh.ts";
import { NAMESPACE, SERVICE_PORT, spiffeId } from "./topology.ts";
import { pause, type Reply } from "./traffic.ts";

/** One thing that the demo shows. Returns what was seen; throws when it does not hold. */
export interface Proof {
  readonly name: string;
  run(mesh: DemoMesh, signal: AbortSignal): Promise<string>;
}

const REVIEWS = "/api/v1/products/0/reviews";
const RATINGS = "/api/v1/products/0/ratings";
const JASON = { "end-user": "jason" };
const POLICIES = join(import.meta.dirname, "../../examples/bookinfo/networking");

/** In the order in which they build on each other; the last one ends the control plane. */
export const PROOFS: readonly Proof[] = [
  { name: "every workload SYNCED", run: everyWorkloadSynced },
  { name: "mutual TLS, both identities", run: mutualTls },
  { name: "STRICT refuses plaintext", run: strictRefusesPlaintext },
  { name: "80/20 split", run: weightedSplit },
  { name: "jason goes to v2", run: jasonGoesToV2 },
  { name: "2 s fault delay", run: faultDelay },
  { name: "only reviews may call ratings", run: authorization },
  { name: "deregistered within 1 s", run: deregistration },
  { name: "control plane killed", run: controlPlaneKilled },
];

async function everyWorkloadSynced(mesh: DemoMesh): Promise<string> {
  const { items } = await mesh.admin.get<List<ProxyReply>>("/v1/proxy-status");
  const expected = mesh.topology.hosts.map((host) => `${NAMESPACE}/${host.name}`);
  for (const workload of expected) {
    const proxy = items.find((item) => item.workload === workload);
    check(proxy !== undefined, `${workload} is not connected`);
    const open = Object.entries(proxy.types).filter(
      ([, type]) => !["SYNCED", "IGNORED"].includes(type.state),
    );
    check(
      open.length === 0,
      `${workload}: ${open.map(([name, type]) => `${name} ${type.state}`).join(", ")}`,
    );
  }
  return `${expected.length} of ${expected.length} proxies (${mesh.dataPlane})`;
}

/** The hop is told by the callee's own proxy (`By`) and by the peer certificate that it verified (`URI`). */
async function mutualTls(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  await applyPolicy(mesh, "destination-rule-all.yaml");
  await applyPolicy(mesh, "virtual-service-reviews-test-v2.yaml");
  const hops = [
    ["productpage", "reviews"],
    ["reviews", "ratings"],
  ] as const;
  const reply = await eventually(signal, async () => {
    const answer = await mesh.browser.get(REVIEWS, JASON);
    check(answer.status === 200, `reviews answered ${answer.status} ${answer.failure}`);
    check(
      answer.peers.length === hops.length,
      `saw ${answer.peers.length} mesh hops: ${answer.peers.join(" | ")}`,
    );
    return answer;
  });
  for (const [index, [source, destination]] of hops.entries()) {
    const seen = reply.peers[index] ?? "";
    check(seen.includes(`By=${spiffeId(destination)};`), `the callee is not ${destination}: ${seen}`);
    check(seen.split(/[;,]/).includes(`URI=${spiffeId(source)}`), `the caller is not ${source}: ${seen}`);
  }
  return hops.map(([source, destination]) => `${source} → ${destination}`).join(", ");
}

async function strictRefusesPlaintext(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  const details = mesh.host("details-v1");
  const direct = mesh.browserFor(`http://${details.address}:${SERVICE_PORT}`);
  const before = await direct.get("/details/0");
  check(before.status === 200, `PERMISSIVE should let plaintext in: ${before.status} ${before.failure}`);
  await applyPolicy(mesh, "peer-authentication-strict.yaml");
  await eventually(signal, async () => {
    const refused = await direct.get("/details/0");
    check(refused.status === 0, `plaintext was answered with ${refused.status}`);
  });
  const inMesh = await mesh.innerCall("productpage-v1", "details", "/details/0");
  check(inMesh.status === 200, `the mesh call failed: ${inMesh.status} ${inMesh.failure}`);
  await mesh.admin.delete(`/v1/objects/PeerAuthentication/${NAMESPACE}/default`);
  await eventually(signal, async () =>
    check((await direct.get("/details/0")).status === 200, "PERMISSIVE is not back"),
  );
  return "plaintext to details: 200, under STRICT refused; through the proxies 200";
}

async function weightedSplit(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  await applyPolicy(mesh, "virtual-service-reviews-80-20.yaml");
  await eventually(signal, async () => {
    const pods = new Set((await calls(mesh, 30)).map(podOf));
    check(pods.has("reviews-v1") && !pods.has("reviews-v3"), `still seen: ${[...pods].join(", ")}`);
  });
  const total = 1000;
  const counts = new Map<string, number>();
  for (const reply of await calls(mesh, total)) counts.set(podOf(reply), (counts.get(podOf(reply)) ?? 0) + 1);
  const v1 = counts.get("reviews-v1") ?? 0;
  const v2 = counts.get("reviews-v2") ?? 0;
  check(v1 + v2 === total, `some went elsewhere: ${[...counts].map(([pod, n]) => `${pod} ${n}`).join(", ")}`);
  // Four standard deviations of a binomial: a true 80/20 fails this once in 16,000 runs.
  const tolerance = 4 * Math.sqrt(total * 0.8 * 0.2);
  check(
    Math.abs(v1 - total * 0.8) <= tolerance,
    `v1 got ${v1} of ${total}, outside 800 ± ${tolerance.toFixed(0)}`,
  );
  return `${v1} v1, ${v2} v2 of ${total} (800 ± ${tolerance.toFixed(0)})`;
}

async function jasonGoesToV2(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  await applyPolicy(mesh, "virtual-service-reviews-test-v2.yaml");
  return eventually(signal, async () => {
    const jason = await calls(mesh, 40, JASON);
    const others = await calls(mesh, 40, { "end-user": "mary" });
    check(
      jason.every((reply) => podOf(reply) === "reviews-v2"),
      "jason saw another version than v2",
    );
    check(
      others.every((reply) => podOf(reply) === "reviews-v1"),
      "mary saw another version than v1",
    );
    return "40 of 40 for jason on v2, 40 of 40 for mary on v1";
  });
}

async function faultDelay(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  await applyPolicy(mesh, "virtual-service-ratings-delay.yaml");
  const result = await eventually(signal, async () => {
    const delayed = await mesh.browser.get(RATINGS, JASON);
    const direct = await mesh.browser.get(RATINGS);
    check(
      delayed.status === 200 && direct.status === 200,
      `ratings answered ${delayed.status} and ${direct.status}`,
    );
    check(
      delayed.elapsedMs >= 2000 && delayed.elapsedMs < 2900,
      `jason waited ${delayed.elapsedMs.toFixed(0)} ms`,
    );
    check(direct.elapsedMs < 1000, `without the header it took ${direct.elapsedMs.toFixed(0)} ms`);
    return `jason ${(delayed.elapsedMs / 1000).toFixed(2)} s, others ${direct.elapsedMs.toFixed(0)} ms`;
  });
  await mesh.admin.delete(`/v1/objects/VirtualService/${NAMESPACE}/ratings`);
  return result;
}

async function authorization(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  await applyPolicy(mesh, "authorization-policy-ratings.yaml");
  const result = await eventually(signal, async () => {
    const denied = await mesh.browser.get(RATINGS);
    const allowed = await mesh.browser.get(REVIEWS, JASON);
    check(denied.status === 403, `productpage got ${denied.status} from ratings`);
    check(
      allowed.status === 200 && allowed.body.includes('"stars":5'),
      `reviews got no ratings: ${allowed.body}`,
    );
    return "productpage → ratings 403, reviews → ratings 200";
  });
  await mesh.admin.delete(`/v1/objects/AuthorizationPolicy/${NAMESPACE}/ratings-viewer`);
  return result;
}

async function deregistration(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  await mesh.admin.delete(`/v1/objects/VirtualService/${NAMESPACE}/reviews`);
  const gone = mesh.host("reviews-v3");
  const inProxy = async (): Promise<boolean> =>
    (await clustersOf(mesh, "productpage-v1")).includes(`${gone.address}:`);
  await eventually(signal, async () =>
    check(await inProxy(), "reviews-v3 is not among the endpoints to begin with"),
  );
  const start = performance.now();
  await mesh.catalog.deregister(gone);
  while (await inProxy()) {
    check(
      performance.now() - start < 1000,
      "reviews-v3 is still an endpoint of productpage's proxy after 1 s",
    );
    await pause(10, signal);
  }
  const elapsed = performance.now() - start;
  await untilNotCalled(mesh, "reviews-v3", start + 1000);
  return `reviews-v3 left productpage's proxy after ${elapsed.toFixed(0)} ms`;
}

/**
 * `/clusters` is the view of Envoy's main thread; its workers take the change over a moment later. No call that begins
 * after the deadline may reach the instance, and before it a round without one must be seen.
 */
async function untilNotCalled(mesh: DemoMesh, pod: string, deadline: number): Promise<void> {
  for (;;) {
    const isLate = performance.now() >= deadline;
    const pods = new Set((await calls(mesh, 60)).map(podOf));
    if (!pods.has(pod)) return;
    check(!isLate, `${pod} is still called a second after its deregistration`);
  }
}

async function controlPlaneKilled(mesh: DemoMesh, signal: AbortSignal): Promise<string> {
  await applyPolicy(mesh, "virtual-service-reviews-test-v2.yaml");
  await eventually(signal, async () => {
    const pods = new Set((await calls(mesh, 20)).map(podOf));
    check(pods.size === 1 && pods.has("reviews-v1"), `still seen: ${[...pods].join(", ")}`);
  });
  const stop = new AbortController();
  const replies: Reply[] = [];
  const traffic = mesh.browser.browse(REVIEWS, 50, (reply) => replies.push(reply), stop.signal);
  await pause(1000, signal);
  await mesh.killServer();
  const before = replies.length;
  await pause(5000, signal);
  stop.abort();
  await traffic;
  const failed = replies.filter((reply) => reply.status !== 200);
  check(
    failed.length === 0,
    `${failed.length} of ${replies.length} failed: ${failed[0]?.status} ${failed[0]?.failure}`,
  );
  const restartedMs = await mesh.restartAgent("reviews-v2", async () => {
    const answers = await calls(mesh, 5, JASON);
    return answers.every(
      (reply) => reply.status === 200 && podOf(reply) === "reviews-v2" && reply.body.includes("stars"),
    );
  });
  return `${replies.length - before} requests, 0 failed; agent restarted from disk in ${(restartedMs / 1000).toFixed(1)} s`;
}

async function applyPolicy(mesh: DemoMesh, file: string): Promise<void> {
  await mesh.apply(await readFile(join(POLICIES, file), "utf8"));
}

/** A number of calls for reviews, eight at a time. Each must be answered with 200. */
async function calls(
  mesh: DemoMesh,
  count: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly Reply[]> {
  const replies: Reply[] = [];
  const worker = async (): Promise<void> => {
    while (replies.length < count) {
      const slot = replies.length;
      replies.push({ status: 0, body: "", peers: [], elapsedMs: 0, failure: "" });
      const reply = await mesh.browser.get(REVIEWS, headers);
      check(reply.status === 200, `reviews answered ${reply.status} ${reply.failure} ${reply.body}`);
      replies[slot] = reply;
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return replies;
}

function podOf(reply: Reply): string {
  return (JSON.parse(reply.body) as { podname?: string }).podname ?? "?";
}

/** `/clusters` of a workload's own data plane, over its admin socket: what it really uses. */
async function clustersOf(mesh: DemoMesh, workload: string): Promise<string> {
  const admin = new Client("http://localhost", { socketPath: mesh.proxyAdminSocket(workload) });
  try {
    const answer = await admin.request({ method: "GET", path: "/clusters" });
    return await answer.body.text();
  } finally {
    await admin.close();
  }
}

/** Repeats until it no longer throws, for at most ten seconds: a change needs a moment to reach the proxies. */
async function eventually<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline || signal.aborted) throw error;
      await pause(50, signal);
    }
  }
}

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
