import { type MeshGround, NO_APP } from "./mesh-ground.ts";
import { portOf, protocolOf } from "./mesh-topology.ts";
import { NamespaceShell } from "./namespace-shell.ts";
import { NetworkLab } from "./network-lab.ts";

/** A host that no mesh knows, and its further address. */
export const STRANGER = "stranger";
export const FAR = "10.78.0.5";

/**
 * Hosts are network namespaces whose connections are captured, unless they say otherwise. Applications of captured hosts
 * listen at all addresses, as if there were no mesh. One more host, the stranger, has neither agent nor capture.
 */
export class CapturedGround implements MeshGround, AsyncDisposable {
  readonly #lab: NetworkLab;
  readonly #shells = new Map<string, NamespaceShell>();
  readonly #addresses = new Map<string, string>();

  private constructor(lab: NetworkLab) {
    this.#lab = lab;
  }

  static async open(): Promise<CapturedGround> {
    const ground = new CapturedGround(await NetworkLab.open());
    try {
      await ground.#host(STRANGER, [FAR]);
      return ground;
    } catch (error) {
      await ground[Symbol.asyncDispose]();
      throw error;
    }
  }

  get server(): MeshGround["server"] {
    return { address: this.#lab.hub.address, within: this.#lab.hub };
  }

  place: MeshGround["place"] = async (host) => {
    const { name, captured = true, appAtAddress = false } = host;
    const within = await this.#host(name);
    if (captured) await this.#lab.capture(within);
    const at = appAtAddress ? within.address : captured ? "0.0.0.0" : "127.0.0.1";
    await this.shell(name).serve(protocolOf(host) === "tcp" ? "tcp" : "http", name, at, portOf(host));
    const spec = { ...host, captured, address: within.address, loopback: "127.0.0.1" };
    return { spec, app: NO_APP, within };
  };

  shell(name: string): NamespaceShell {
    const shell = this.#shells.get(name);
    if (shell === undefined) throw new Error(`there is no host ${name}`);
    return shell;
  }

  addressOf(name: string): string {
    return this.#addresses.get(name) ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#shells.values()].map((shell) => shell[Symbol.asyncDispose]()));
    await this.#lab[Symbol.asyncDispose]();
  }

  async #host(name: string, also: readonly string[] = []): ReturnType<NetworkLab["host"]> {
    const namespace = await this.#lab.host(name, also);
    this.#addresses.set(name, namespace.address);
    this.#shells.set(name, new NamespaceShell(namespace));
    return namespace;
  }
}
