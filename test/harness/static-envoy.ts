import { EnvoyProcess } from "./envoy-process.ts";

type Json = { readonly [key: string]: unknown };

/** A real Envoy with listeners and clusters of its bootstrap and no other source. */
export class StaticEnvoy implements AsyncDisposable {
  readonly #envoy: EnvoyProcess;

  private constructor(envoy: EnvoyProcess) {
    this.#envoy = envoy;
  }

  static async start(listeners: readonly Json[], clusters: readonly Json[]): Promise<StaticEnvoy> {
    const envoy = await EnvoyProcess.start((path) => ({
      node: { id: "test", cluster: "test" },
      admin: { address: { pipe: { path } } },
      staticResources: { listeners, clusters },
    }));
    return new StaticEnvoy(envoy);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy[Symbol.asyncDispose]();
  }
}
