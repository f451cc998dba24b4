import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import type { Discovery, LocalService } from "./discovery.ts";

/** A service as a test describes it to any source. */
export interface GivenService {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: "http" | "tcp";
  readonly version: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly servicePort: number;
  /** In the vocabulary's form. */
  readonly upstreams: string;
}

/** A discovery with the means to change what it reads. */
export interface DiscoverySubject extends AsyncDisposable {
  readonly discovery: Discovery;
  put(service: GivenService): Promise<void>;
  remove(id: string): Promise<void>;
  /** From then on the source cannot be read. */
  breakSource(): Promise<void>;
}

function aGivenService(parts: Partial<GivenService> = {}): GivenService {
  return {
    id: "reviews-1",
    service: "reviews",
    address: "127.0.0.1",
    port: 9080,
    protocol: "http",
    version: "v1",
    namespace: "bookinfo",
    serviceAccount: "reviews-sa",
    servicePort: 80,
    upstreams: "ratings:9080@9082,details:9080@127.0.0.3:9083,log:514",
    ...parts,
  };
}

/** Collects the sets that a discovery yields. */
export class SetReader implements AsyncDisposable {
  readonly sets: (readonly LocalService[])[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(discovery: Discovery) {
    this.#done = this.#read(discovery);
  }

  get latest(): readonly LocalService[] | undefined {
    return this.sets.at(-1);
  }

  ids(): readonly string[] | undefined {
    return this.latest?.map(({ id }) => id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #read(discovery: Discovery): Promise<void> {
    for await (const set of discovery.watch(this.#stop.signal)) this.sets.push(set);
  }
}

/** What every discovery promises, whatever it reads. */
export function testDiscovery(
  name: string,
  start: () => Promise<DiscoverySubject>,
  options: { readonly skip?: string | false } = {},
): void {
  describe(`the discovery ${name}`, { skip: options.skip ?? false }, () => {
    test("yields what is there, with every field", async () => {
      await using subject = await start();
      await subject.put(aGivenService());
      await using reader = new SetReader(subject.discovery);
      const [service] = await eventually("a set", () => reader.latest);
      const { catalog, inbound: _, ...rest } = service ?? assert.fail("the set is empty");
      assert.equal(catalog === undefined || catalog.instanceId.endsWith("reviews-1"), true);
      assert.deepEqual(rest, {
        id: "reviews-1",
        service: "reviews",
        namespace: "bookinfo",
        serviceAccount: "reviews-sa",
        address: { address: "127.0.0.1", port: 9080 },
        app: undefined,
        servicePort: 80,
        protocol: "http",
        labels: { app: "reviews", version: "v1" },
        upstreams: [
          { host: "ratings", port: 9080, bindAddress: undefined, bindPort: 9082 },
          { host: "details", port: 9080, bindAddress: "127.0.0.3", bindPort: 9083 },
          { host: "log", port: 514, bindAddress: undefined, bindPort: undefined },
        ],
        healthy: true,
        weight: 1,
        locality: "",
        network: "",
        discovery: undefined,
        interception: "none",
        owner: undefined,
        httpProxy: undefined,
        vips: false,
        mtls: undefined,
        group: undefined,
        probe: undefined,
      });
    });

    test("yields the empty set when there is nothing", async () => {
      await using subject = await start();
      await using reader = new SetReader(subject.discovery);
      assert.deepEqual(await eventually("a set", () => reader.latest), []);
    });

    test("yields the full set again when a service comes, changes and goes, each within a second", async () => {
      await using subject = await start();
      await subject.put(aGivenService());
      await using reader = new SetReader(subject.discovery);
      await eventually("the first", () => reader.ids()?.join() === "reviews-1");
      await subject.put(aGivenService({ id: "ratings-1", service: "ratings", port: 9081 }));
      await eventually("both", () => reader.ids()?.join() === "ratings-1,reviews-1", 1_000);
      await subject.put(aGivenService({ id: "ratings-1", service: "ratings", port: 9082 }));
      await eventually("another port", () => reader.latest?.[0]?.address.port === 9082, 1_000);
      await subject.remove("reviews-1");
      await eventually("one is gone", () => reader.ids()?.join() === "ratings-1", 1_000);
    });

    test("leaves out services of other addresses", async () => {
      await using subject = await start();
      await subject.put(aGivenService());
      await subject.put(aGivenService({ id: "far-1", service: "far", address: "127.9.9.9" }));
      await using reader = new SetReader(subject.discovery);
      await eventually("a set", () => reader.latest !== undefined);
      assert.deepEqual(reader.ids(), ["reviews-1"]);
    });

    test("an outage keeps the last set", async () => {
      await using subject = await start();
      await subject.put(aGivenService());
      await using reader = new SetReader(subject.discovery);
      await eventually("a set", () => reader.latest !== undefined);
      const before = reader.sets.length;
      await subject.breakSource();
      assert.equal(
        await eventually("another set", () => reader.sets.length > before, 100).catch(() => "none"),
        "none",
      );
    });

    test("returns when it is told to stop", async () => {
      await using subject = await start();
      const stop = new AbortController();
      for await (const _ of subject.discovery.watch(stop.signal)) stop.abort();
      assert.ok(stop.signal.aborted);
    });
  });
}
