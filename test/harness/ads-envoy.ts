import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { envoyBootstrap } from "../../agent/bootstrap/envoy-bootstrap.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { unanswered } from "./ads-settled.ts";
import { EnvoyProcess } from "./envoy-process.ts";
import { type RunningAds, startAds } from "./running-ads.ts";

type Resources = ReadonlyMap<TypeUrl, ResourceMap>;
type Json = { readonly [key: string]: unknown };

const NODE = "sidecar~10.0.0.1~a.default~default.svc.cluster.local";
const SETTLES_WITHIN_MS = 4_000;

interface NameServerAt {
  readonly address: string;
  readonly port: number;
}

/** Not for a network: a host name that is asked for is refused at once, as by a resolver that is down. */
const NO_NAMES: NameServerAt = { address: "127.0.0.1", port: 1 };

/** A real Envoy with our own bootstrap on our own ADS handlers; what they serve is the test's to say. */
export class AdsEnvoy implements AsyncDisposable {
  readonly #ads: RunningAds;
  readonly #envoy: EnvoyProcess;

  private constructor(ads: RunningAds, envoy: EnvoyProcess) {
    this.#ads = ads;
    this.#envoy = envoy;
  }

  /** Host names are looked up at `names`. */
  static async start(names: NameServerAt = NO_NAMES): Promise<AdsEnvoy> {
    const ads = await startAds();
    try {
      ads.source.publish(NODE, {});
      const envoy = await EnvoyProcess.start((adminSocket) => ({
        ...envoyBootstrap({
          id: NODE,
          cluster: "a.default",
          metadata: {},
          adminSocket,
          xdsSocket: ads.address.replace(/^unix:/, ""),
        }),
        typed_dns_resolver_config: dnsResolver(names),
      }));
      return new AdsEnvoy(ads, envoy);
    } catch (error) {
      await ads[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Publishes, and waits until Envoy has taken and put to use each resource of them and nothing else. Throws with Envoy's
   * own words when it refuses one, and with what is missing when that takes too long. `notAskedFor` names resources that
   * are served, but that nothing refers to.
   */
  async accept(served: Resources, notAskedFor: readonly string[] = []): Promise<void> {
    const snapshot = this.#ads.source.publishResources(NODE, served);
    const resources = new Map(
      [...served].map(([url, map]) => {
        return [
          url,
          resourceMap([...map.values()].filter(({ name }) => !notAskedFor.includes(name))),
        ] as const;
      }),
    );
    const end = performance.now() + SETTLES_WITHIN_MS;
    for (;;) {
      const missing = unanswered(this.#ads.ads, snapshot, resources) ?? (await this.#unsettled(resources));
      if (missing === undefined) return;
      assert.ok(performance.now() < end, `not within ${SETTLES_WITHIN_MS} ms: ${missing}`);
      await delay(5);
    }
  }

  /** What is acknowledged but not in use, or not yet out of use. */
  async #unsettled(resources: Resources): Promise<string | undefined> {
    const { body } = await this.#envoy.admin("/config_dump");
    const { configs } = JSON.parse(body) as { readonly configs: readonly Json[] };
    const dump = Object.assign({}, ...configs) as Json;
    const entries = (key: string): readonly Json[] => (dump[key] ?? []) as readonly Json[];
    const listeners = entries("dynamic_listeners");
    for (const one of listeners)
      assert.equal(one["error_state"], undefined, `${nameIn(one)}: ${JSON.stringify(one["error_state"])}`);
    for (const key of ["dynamic_warming_clusters", "dynamic_warming_secrets"])
      if (entries(key).length > 0) return `${key}: ${JSON.stringify(entries(key).map(nameIn))}`;
    const warming = listeners.filter((one) => "warming_state" in one).map(nameIn);
    if (warming.length > 0) return `warming listeners: ${warming.join(", ")}`;
    const active = listeners.filter((one) => "active_state" in one);
    return (
      difference("clusters", resources.get(TYPE_URL.cluster), entries("dynamic_active_clusters")) ??
      difference("listeners", resources.get(TYPE_URL.listener), active) ??
      difference("routes", resources.get(TYPE_URL.route), entries("dynamic_route_configs")) ??
      difference("secrets", resources.get(TYPE_URL.secret), entries("dynamic_active_secrets"))
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy[Symbol.asyncDispose]();
    await this.#ads[Symbol.asyncDispose]();
  }
}

function dnsResolver({ address, port }: NameServerAt): object {
  return {
    name: "envoy.network.dns_resolver.cares",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
      resolvers: [{ socket_address: { address, port_value: port } }],
    },
  };
}

function difference(
  what: string,
  expected: ResourceMap | undefined,
  entries: readonly Json[],
): string | undefined {
  const wanted = [...(expected?.values() ?? [])].map(({ name, version }) => `${name}@${version}`).sort();
  const used = entries.map((entry) => `${nameIn(entry)}@${versionIn(entry)}`).sort();
  const same = wanted.length === used.length && wanted.every((one, index) => one === used[index]);
  return same ? undefined : `${what} in use are ${used.join(", ")} instead of ${wanted.join(", ")}`;
}

/** Every list of the dump has the name of its resource elsewhere. */
function nameIn(entry: Json): string {
  const held = (entry["cluster"] ?? entry["route_config"] ?? entry) as Json;
  return String(held["name"]);
}

function versionIn(entry: Json): string {
  const held = (entry["active_state"] ?? entry) as Json;
  return String(held["version_info"]);
}
