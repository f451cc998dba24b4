import { EnvoyProcess } from "./envoy-process.ts";

type Json = { readonly [key: string]: unknown };

/** A real Envoy with listeners and clusters of its bootstrap and no other source. */
export class StaticEnvoy implements AsyncDisposable {
  readonly #envoy: EnvoyProcess;

  private constructor(envoy: EnvoyProcess) {
    this.#envoy = envoy;
  }

  static async start(
    listeners: readonly Json[],
    clusters: readonly Json[],
    secrets: readonly Json[] = [],
  ): Promise<StaticEnvoy> {
    const envoy = await EnvoyProcess.start((path) => ({
      node: { id: "test", cluster: "test" },
      admin: { address: { pipe: { path } } },
      staticResources: { listeners, clusters, secrets },
    }));
    return new StaticEnvoy(envoy);
  }

  /** What the admin interface answers. */
  async admin(path: string): Promise<string> {
    return (await this.#envoy.admin(path)).body;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy[Symbol.asyncDispose]();
  }
}
