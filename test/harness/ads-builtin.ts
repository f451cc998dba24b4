import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type { ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import type { TypeUrl } from "../../mesh/xds/type-urls.ts";
import { runProxy } from "../../proxy/app.ts";
import { unanswered } from "./ads-settled.ts";
import { eventually } from "./eventually.ts";
import { type RunningAds, startAds } from "./running-ads.ts";

const NODE = "sidecar~10.0.0.1~a.default~default.svc.cluster.local";
const SETTLES_WITHIN_MS = 4_000;

/** A built-in proxy in this process on our own ADS handlers; what they serve is the test's to say. */
export class AdsBuiltin implements AsyncDisposable {
  readonly #ads: RunningAds;
  readonly #stop: () => Promise<void>;

  private constructor(ads: RunningAds, stop: () => Promise<void>) {
    this.#ads = ads;
    this.#stop = stop;
  }

  /** Host names are looked up by `resolve`. */
  static async start(resolve: (name: string) => Promise<readonly string[]>): Promise<AdsBuiltin> {
    const ads = await startAds();
    ads.source.publish(NODE, {});
    const folder = await mkdtemp(join(tmpdir(), "lateen-proxy-"));
    const stop = new AbortController();
    const running = runProxy(
      {
        node: { id: NODE, cluster: "a.default", metadata: {} },
        xdsSocket: ads.address.replace(/^unix:/, ""),
        adminSocket: join(folder, "admin.sock"),
        adminPort: undefined,
        logLevel: "info",
      },
      { logger: silentLogger, clock: systemClock, signal: stop.signal, drainMs: 0, resolve },
    );
    await eventually("the proxy is connected", () => ads.ads.status.list().length > 0);
    return new AdsBuiltin(ads, async () => {
      stop.abort();
      await running;
      await rm(folder, { recursive: true, force: true });
    });
  }

  /** As `AdsEnvoy.accept`: what this proxy has acknowledged is in use. */
  async accept(resources: ReadonlyMap<TypeUrl, ResourceMap>): Promise<void> {
    const snapshot = this.#ads.source.publishResources(NODE, resources);
    const end = performance.now() + SETTLES_WITHIN_MS;
    for (;;) {
      const missing = unanswered(this.#ads.ads, snapshot, resources);
      if (missing === undefined) return;
      assert.ok(performance.now() < end, `not within ${SETTLES_WITHIN_MS} ms: ${missing}`);
      await delay(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.#ads[Symbol.asyncDispose]();
  }
}
