import type { EventEmitter } from "node:events";
import { readFile } from "node:fs/promises";
import { type AgentOptions, Agent as HttpAgent, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { createSecureContext } from "node:tls";
import Consul from "consul";

/** Files in PEM, looked at again each minute; a name for a certificate that is not the address's. */
export interface ConsulTls {
  /** Who signed Consul's certificate. Default: the authorities that Node knows. */
  readonly caFile?: string | undefined;
  /** What Consul knows this program by, where it asks (`verify_incoming`). */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** `server.dc1.consul`. Default: the address's host. */
  readonly serverName?: string | undefined;
}

/** The raw calls of the package `consul`: its typed ones drop fields and cannot bound an answer (ADR 0003). */
export interface RawConsul {
  _get(options: {
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
    readonly headers: Readonly<Record<string, string>>;
    readonly timeout: number;
    readonly ctx: EventEmitter;
    readonly pipe: () => NodeJS.WritableStream;
  }): Promise<IncomingMessage>;
}

interface Material {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

interface Open {
  readonly consul: RawConsul;
  readonly agent: HttpAgent;
  readonly material: string;
}

const LOOK_AGAIN_MS = 60_000;

/**
 * Connections to one Consul, over TCP, TLS or a unix socket (`unix:///run/consul.sock`), kept open between requests. New
 * TLS files make new connections; what is asked over the old ones goes on. Files that cannot be used change nothing.
 */
export class ConsulConnections implements Disposable {
  readonly #address: URL;
  readonly #tls: ConsulTls;
  readonly #lookAgainMs: number;
  #open: Open | undefined;
  #lookedAt = 0;

  constructor(address: string, tls: ConsulTls, lookAgainMs: number = LOOK_AGAIN_MS) {
    this.#address = new URL(address);
    this.#tls = tls;
    this.#lookAgainMs = lookAgainMs;
  }

  /** Throws when there are no connections yet and a TLS file cannot be used. */
  async consul(): Promise<RawConsul> {
    const now = performance.now();
    if (this.#open !== undefined && now - this.#lookedAt < this.#lookAgainMs) return this.#open.consul;
    this.#lookedAt = now;
    const before = this.#open;
    const material = await this.#material().catch((error: unknown) => {
      if (before === undefined) throw error;
      return undefined;
    });
    if (material === undefined) return (this.#open ?? this.#connect({})).consul;
    const text = JSON.stringify(material);
    if (this.#open?.material === text) return this.#open.consul;
    if (this.#open !== undefined) retire(this.#open.agent);
    this.#open = this.#connect(material);
    return this.#open.consul;
  }

  [Symbol.dispose](): void {
    this.#open?.agent.destroy();
  }

  async #material(): Promise<Material> {
    if (this.#address.protocol !== "https:") return {};
    const { caFile, certFile, keyFile } = this.#tls;
    const files = { ca: caFile, cert: certFile, key: keyFile };
    const given = Object.entries(files).flatMap(([name, file]) =>
      file === undefined ? [] : [{ name, file }],
    );
    const read = given.map(async ({ name, file }) => [name, await readFile(file, "utf8")] as const);
    const material = Object.fromEntries(await Promise.all(read)) as Material;
    // Throws for a key and a certificate that do not belong together: one of them is still to be replaced.
    createSecureContext(material);
    return material;
  }

  #connect(material: Material): Open {
    const { protocol, hostname, port } = this.#address;
    const secure = protocol === "https:";
    const agent = this.#agent(material);
    const host = protocol === "unix:" ? "localhost" : hostname;
    const options = { host, port: Number(port || (secure ? 443 : 80)), secure, agent };
    const consul = new Consul(options) as unknown as RawConsul;
    return { consul, agent, material: JSON.stringify(material) };
  }

  #agent(material: Material): HttpAgent {
    const { protocol, pathname } = this.#address;
    // Node hands it on to the connection, though its types do not say so.
    const socket = { socketPath: decodeURIComponent(pathname) } as AgentOptions;
    if (protocol !== "https:") return new HttpAgent({ keepAlive: true, ...(protocol === "unix:" && socket) });
    const { serverName } = this.#tls;
    const name = serverName === undefined ? {} : { servername: serverName };
    return new HttpsAgent({ keepAlive: true, ...material, ...name });
  }
}

/** Its connections close as what is asked over them ends. */
function retire(agent: HttpAgent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}
