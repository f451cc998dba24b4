import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import type { CatalogInstance, Registry, RegistryEvent } from "./registry.ts";

/** A registry with the means to change what it reads. */
export interface RegistrySubject extends AsyncDisposable {
  readonly registry: Registry;
  put(instance: CatalogInstance): Promise<void>;
  remove(instance: CatalogInstance): Promise<void>;
  /** Services that the source has by itself, and that are not told apart here. */
  readonly own: readonly string[];
}

/** An instance as all registries can have it. */
export function anInstance(parts: Partial<CatalogInstance> = {}): CatalogInstance {
  const node = parts.node ?? "node-a";
  return {
    id: `dc1/${node}/reviews-1`,
    service: "reviews",
    namespace: "default",
    node,
    address: "10.0.0.1",
    port: 9080,
    servicePort: undefined,
    protocol: undefined,
    labels: { app: parts.service ?? "reviews" },
    healthy: true,
    weight: 1,
    locality: "",
    ...parts,
  };
}

/** Collects what a watch tells, service by service. */
export class Reader implements AsyncDisposable {
  readonly events: RegistryEvent[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(registry: Registry) {
    this.#done = this.#read(registry);
  }

  /** All instances as they were told last, without services that the source has by itself. */
  instances(own: readonly string[] = []): readonly CatalogInstance[] {
    const latest = new Map<string, readonly CatalogInstance[]>();
    for (const event of this.events) {
      if (event.kind !== "service" || own.includes(event.service)) continue;
      latest.set(`${event.namespace}/${event.service}`, event.instances);
    }
    return [...latest.values()].flat().toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  ids(own: readonly string[] = []): readonly string[] {
    return this.instances(own).map(({ id }) => id);
  }

  get synced(): boolean {
    return this.events.some(({ kind }) => kind === "synced");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #read(registry: Registry): Promise<void> {
    for await (const event of registry.watch(this.#stop.signal)) this.events.push(event);
  }
}

/** What every registry promises, whatever it reads. */
export function testRegistry(
  name: string,
  start: () => Promise<RegistrySubject>,
  options: { readonly skip?: string | false } = {},
): void {
  describe(`the registry ${name}`, { skip: options.skip ?? false }, () => {
    test("tells what is there, then that this was all, once", async () => {
      await using subject = await start();
      await subject.put(anInstance());
      await using reader = new Reader(subject.registry);
      await eventually("synced", () => reader.synced);
      assert.deepEqual(reader.instances(subject.own), [anInstance()]);
      assert.equal(reader.events.at(-1)?.kind, "synced");
      assert.equal(reader.events.filter(({ kind }) => kind === "synced").length, 1);
      assert.equal(subject.registry.status.state, "current");
    });

    test("is synced when there is nothing", async () => {
      await using subject = await start();
      await using reader = new Reader(subject.registry);
      await eventually("synced", () => reader.synced);
      assert.deepEqual(reader.instances(subject.own), []);
    });

    test("tells every field of an instance", async () => {
      await using subject = await start();
      const full = anInstance({
        namespace: "bookinfo",
        servicePort: 80,
        protocol: "http",
        labels: { app: "reviews", version: "v2", tier: "backend" },
        weight: 7,
        locality: "eu/eu-1",
      });
      await subject.put(full);
      await using reader = new Reader(subject.registry);
      await eventually("synced", () => reader.synced);
      assert.deepEqual(reader.instances(subject.own), [full]);
    });

    test("tells a service again when an instance comes, changes and goes, each within a second", async () => {
      await using subject = await start();
      const first = anInstance();
      const second = anInstance({ id: "dc1/node-b/reviews-1", node: "node-b", address: "10.0.0.2" });
      await subject.put(first);
      await using reader = new Reader(subject.registry);
      await eventually("synced", () => reader.synced);
      const told = (): readonly CatalogInstance[] => reader.instances(subject.own);

      await subject.put(second);
      await eventually("the second is there", () => told().length === 2, 1_000);
      await subject.put({ ...second, healthy: false });
      await eventually("the second is unhealthy", () => told()[1]?.healthy === false, 1_000);
      await subject.remove(first);
      await eventually("the first is gone", () => told().length === 1, 1_000);
      assert.deepEqual(told(), [{ ...second, healthy: false }]);
    });

    test("tells a service without instances when its last one is gone, and again when it comes back", async () => {
      await using subject = await start();
      await subject.put(anInstance());
      await using reader = new Reader(subject.registry);
      await eventually("synced", () => reader.synced);
      await subject.remove(anInstance());
      await eventually("it is gone", () => reader.instances(subject.own).length === 0, 1_000);
      const last = reader.events.at(-1);
      assert.deepEqual(last, { kind: "service", namespace: "default", service: "reviews", instances: [] });
      await subject.put(anInstance());
      await eventually("it is back", () => reader.instances(subject.own).length === 1, 3_000);
    });

    test("tells both namespaces when an instance moves from one to the other", async () => {
      await using subject = await start();
      await subject.put(anInstance());
      await using reader = new Reader(subject.registry);
      await eventually("synced", () => reader.synced);
      await subject.put(anInstance({ namespace: "shop" }));
      await eventually("it has moved", () => reader.instances(subject.own)[0]?.namespace === "shop", 1_000);
      assert.equal(reader.instances(subject.own).length, 1);
    });

    test("returns when it is told to stop", async () => {
      await using subject = await start();
      const stop = new AbortController();
      for await (const event of subject.registry.watch(stop.signal))
        if (event.kind === "synced") stop.abort();
      assert.ok(stop.signal.aborted);
    });
  });
}
