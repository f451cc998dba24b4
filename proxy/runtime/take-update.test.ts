import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Slices, type Steps } from "../../mesh/lifecycle/slices.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { Random } from "../../test/harness/random.ts";
import { sampleRequest } from "../../test/harness/sample-request.ts";
import { routeConfig, routeTo } from "../../test/harness/xds-samples.ts";
import type { ResourceUpdate } from "../ads/ads-client.ts";
import type { RouteConfiguration } from "../model/route.ts";
import { parseRouteConfiguration } from "../parse/route.ts";
import { compileRouteTable, type RouteTable } from "../tables/route-table.ts";
import { ResourceBook } from "./resource-book.ts";
import { type ResourceKind, takeUpdate } from "./take-update.ts";

const NEVER = new AbortController().signal;
const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

/** A clock that is always late, so that each step is a slice; and `turn`, called between them. */
function everyStep(turn: () => void = () => {}): Slices {
  return new Slices({
    now: () => 0,
    sliceMs: 0,
    turn: async () => {
      turn();
      await Promise.resolve();
    },
  });
}

const inOneSlice = new Slices({ now: () => 0, sliceMs: 1, turn: async () => await Promise.resolve() });

/** Route configurations, as the proxy holds them. */
class Routes {
  readonly book = new ResourceBook<RouteConfiguration>(TYPE_URL.route);
  readonly tables = new Map<string, RouteTable>();
  prepared = 0;
  readonly #kind: ResourceKind<RouteConfiguration>;

  constructor() {
    this.#kind = {
      book: this.book,
      prepare: (bytes, name) => this.#prepare(bytes, name),
      remove: (name) => void this.tables.delete(name),
    };
  }

  *#prepare(bytes: Uint8Array, name: string): Steps<{ model: RouteConfiguration; put: () => void }> {
    this.prepared++;
    const model = yield* parseRouteConfiguration(bytes, name);
    const table = yield* compileRouteTable(model);
    return {
      model,
      put: () => {
        if (model.name === "unfit") throw new Error("it is unfit");
        this.tables.set(name, table);
      },
    };
  }

  async take(update: Omit<ResourceUpdate, "type">, slices = everyStep(), signal = NEVER): Promise<string[]> {
    const deps = { slices, clock: new ManualClock(), logger: silentLogger };
    const rejections = await takeUpdate(this.#kind, { type: TYPE_URL.route, ...update }, deps, signal);
    return rejections.map(({ name, reason }) => `${name}: ${reason}`).sort();
  }

  /** What is in force, what is held, and what was refused. */
  state(): unknown {
    const paths = ["/", "/0/x", "/1/x", "/2/x", "/3/x"];
    return {
      arrived: this.book.arrived,
      held: this.book.list().map(({ name, version, model }) => ({ name, version, model })),
      refused: this.book.rejections().map(({ name, version, reason }) => ({ name, version, reason })),
      decisions: new Map(
        [...this.tables].map(([name, table]) => {
          return [name, [...table.clusters, ...paths.map((path) => clusterOf(table, path))]];
        }),
      ),
    };
  }
}

function clusterOf(table: RouteTable, path: string): string | undefined {
  const decision = table.decide(sampleRequest({ target: path }), () => 0);
  return decision?.kind === "forward" ? decision.cluster : undefined;
}

function upsert(name: string, version: string, resource: JsonValue): ResourceUpdate["upserts"][number] {
  return { name, version, bytes: json.jsonToResource(TYPE_URL.route, resource) };
}

const to = (name: string, cluster: string): JsonValue => routeConfig(name, [routeTo(cluster)]);
/** Without a cluster there is no action that this proxy knows. */
const broken = (name: string): JsonValue =>
  routeConfig(name, [routeTo("x"), { match: { prefix: "/" }, nonForwardingAction: {} }]);

test("nothing changes until all of an update is prepared, and nothing at all when it is given up", async () => {
  const routes = new Routes();
  await routes.take({ upserts: [upsert("a", "1", to("a", "old"))], removed: [] });
  const before = routes.state();
  const stop = new AbortController();
  let turns = 0;
  const slices = everyStep(() => {
    turns++;
    assert.deepEqual(routes.state(), before);
    if (routes.prepared === 4) stop.abort(new Error("the proxy stops"));
  });
  const upserts = ["a", "b", "c", "d"].map((name) => upsert(name, "2", to(name, "new")));
  await assert.rejects(routes.take({ upserts, removed: ["a"] }, slices, stop.signal), /the proxy stops/);
  assert.ok(turns > 10, `${turns} turns`);
  assert.deepEqual(routes.state(), before);
});

test("what is refused half-way keeps its former version, and lets the others pass", async () => {
  const routes = new Routes();
  const first = ["a", "b", "c"].map((name) => upsert(name, "1", to(name, "old")));
  await routes.take({ upserts: first, removed: [] });
  const news = [
    upsert("a", "2", to("a", "new")),
    upsert("b", "2", broken("b")),
    upsert("c", "2", to("unfit", "new")),
    upsert("d", "2", to("d", "new")),
  ];
  const refused = await routes.take({ upserts: news, removed: [] });
  assert.equal(refused.length, 2);
  assert.match(refused[0] ?? "", /^b: xds.rejected: route configuration b: .*a route without an action/);
  assert.equal(refused[1], "c: RouteConfiguration c: it is unfit");
  const targets = [...routes.tables].map(([name, table]) => [name, clusterOf(table, "/")] as const);
  assert.deepEqual(Object.fromEntries(targets), { a: "new", b: "old", c: "old", d: "new" });
  assert.deepEqual(
    routes.book.list().map(({ version }) => version),
    ["2", "1", "1", "2"],
  );
});

test("bytes that are in force are not read again, and end a refusal", async () => {
  const routes = new Routes();
  await routes.take({ upserts: [upsert("a", "1", to("a", "old"))], removed: [] });
  await routes.take({ upserts: [upsert("a", "2", broken("a"))], removed: [] });
  assert.equal(routes.book.rejections().length, 1);
  const table = routes.tables.get("a");
  assert.deepEqual(await routes.take({ upserts: [upsert("a", "3", to("a", "old"))], removed: [] }), []);
  assert.equal(routes.prepared, 2);
  assert.equal(routes.tables.get("a"), table);
  assert.equal(routes.book.get("a")?.version, "3");
  assert.deepEqual(routes.book.rejections(), []);
  await routes.take({ upserts: [], removed: ["a"] });
  await routes.take({ upserts: [upsert("a", "4", to("a", "old"))], removed: [] });
  assert.ok(routes.tables.has("a"), "what was removed comes again");
});

test("step by step any updates come to the same as in one slice", async () => {
  const random = new Random(11);
  const [sliced, whole] = [new Routes(), new Routes()];
  for (let round = 0; round < 200; round++) {
    const names = random.some(["a", "b", "c", "d", "e"], 0.5);
    const removed = random.some(
      ["a", "b", "c", "d", "e"].filter((name) => !names.includes(name)),
      0.2,
    );
    const upserts = names.map((name) => upsert(name, `${round}`, sampleRoutes(random, name)));
    assert.deepEqual(
      await sliced.take({ upserts, removed }),
      await whole.take({ upserts, removed }, inOneSlice),
    );
    assert.deepEqual(sliced.state(), whole.state());
  }
});

function sampleRoutes(random: Random, name: string): JsonValue {
  if (random.chance(0.1)) return broken(name);
  const count = random.below(4);
  const routes = Array.from({ length: count }, (_, index) =>
    routeTo(random.pick(["x", "y", "z"]), { match: { prefix: `/${index}/` } }),
  );
  return routeConfig(random.chance(0.1) ? "unfit" : name, [...routes, routeTo("last")]);
}
