/**
 * A whole change of the CA under load: 500 requests a second through the caller's proxy and the called one's, from the first
 * step to the last, with new TLS connections beside them all the time, an agent away from before `prepare` until after
 * `taint`, and the server restarted in between. Nothing may fail. Routes do not retry, so that a handshake that fails between
 * the proxies is a request that fails.
 */

import { ROTATING_MESH, shakeHandsAllTheTime, walkToNewAuthority } from "../test/harness/ca-walk.ts";
import { eventually } from "../test/harness/eventually.ts";
import { type DataPlaneKind, startMesh } from "../test/harness/mesh.ts";
import { peerAuthentication, virtualService } from "../test/harness/mesh-policies.ts";
import { bindPortOf } from "../test/harness/mesh-topology.ts";
import { percentile, type Result, report, rounded } from "./report.ts";
import { steadyLoad } from "./steady-load.ts";

const PER_SECOND = 500;
const TITLES = { builtin: "built-in proxy", envoy: "Envoy" } as const;

const failures: string[] = [];
const results: Result[] = [];
for (const dataPlane of ["builtin", "envoy"] as const) results.push(...(await measure(dataPlane)));
await report("rotation", results);
for (const failure of failures.slice(0, 20)) console.error(failure);
process.exit(failures.length === 0 ? 0 : 1);

async function measure(dataPlane: DataPlaneKind): Promise<readonly Result[]> {
  await using mesh = await startMesh({ ...ROTATING_MESH, dataPlane });
  const reviews = { destination: { host: "reviews" } };
  await mesh.apply(
    peerAuthentication("STRICT") +
      virtualService("reviews", { http: [{ route: [reviews], retries: { attempts: 0 } }] }),
  );
  await eventually("the caller is answered", async () => {
    const { status } = await mesh.call("caller", "reviews");
    return status === 200;
  });
  const { spec } = mesh.host("caller");
  const load = steadyLoad(bindPortOf(spec, "reviews"), "reviews", spec.loopback, PER_SECOND);
  const handshakes = shakeHandsAllTheTime(mesh);
  const walked = await walkToNewAuthority(mesh).then(
    () => undefined,
    (error: unknown) => error,
  );
  const shaken = await handshakes.stop();
  const done = await load.stop();
  if (walked !== undefined) throw walked;
  failures.push(...[...done.failures, ...shaken.failures].map((said) => `${dataPlane}: ${said}`));
  const name = (what: string): string => `rotation, ${TITLES[dataPlane]}: ${what}`;
  const told = (what: string, value: number, unit: string, better: Result["better"]): Result => ({
    name: name(what),
    value: rounded(value),
    unit,
    target: null,
    better,
  });
  return [
    {
      ...told("requests answered", done.answered / done.seconds, "1/s", "higher"),
      target: PER_SECOND * 0.99,
    },
    told("answered in the slowest second", done.slowestSecond, "1/s", "higher"),
    told("requests in all", done.sent, "", "higher"),
    told("the walk", done.seconds, "s", "lower"),
    { ...told("requests that failed", done.failures.length, "", "lower"), target: 0 },
    told("new TLS connections", shaken.handshakes, "", "higher"),
    { ...told("TLS connections that failed", shaken.failures.length, "", "lower"), target: 0 },
    told("answer p50", percentile(done.latenciesMs, 0.5), "ms", "lower"),
    told("answer p99", percentile(done.latenciesMs, 0.99), "ms", "lower"),
  ];
}
