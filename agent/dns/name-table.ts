import { isAutoVip, loopbackVip } from "../../mesh/model/vips.ts";
import type { Vips } from "../../mesh/model/workload.ts";

/** A host of the mesh as DNS tells it. */
export interface HostName {
  /** Fully qualified, lower case; the resource's name. A first label `*` covers all names below. */
  readonly hostname: string;
  /** Other spellings of it that this client may use. */
  readonly aliases: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly number: number; readonly name: string }[];
}

const NOBODY: readonly HostName[] = [];

/** The names that one workload may call, kept in step with its configuration: an update costs what it changes. */
export class NameTable {
  #vips: Vips;
  /** As they were told. */
  readonly #told = new Map<string, HostName>();
  /** By spelling, with the addresses where this workload reaches them; of several the one that is called so comes first. */
  readonly #spelled = new Map<string, readonly HostName[]>();
  /** By what follows the star, `.example.com`. */
  readonly #wild = new Map<string, HostName>();
  /** How many spellings lie below a name. */
  readonly #below = new Map<string, number>();

  /** `vips`: at which addresses the workload's proxy listens. */
  constructor(vips: Vips) {
    this.#vips = vips;
  }

  /** How many hosts it has. */
  get size(): number {
    return this.#told.size;
  }

  /** Ports at which its proxy listens for some host. */
  *boundPorts(): Generator<number> {
    if (this.#vips === "none") return;
    for (const { addresses, ports } of this.#told.values())
      if (addresses.some(isAutoVip)) for (const { number } of ports) yield number;
  }

  /** From now on its proxy listens elsewhere. */
  reachBy(vips: Vips): void {
    if (vips === this.#vips) return;
    this.#vips = vips;
    const hosts = Array.from(this.#told.values());
    for (const host of hosts) this.set(host);
  }

  set(host: HostName): void {
    this.delete(host.hostname);
    this.#told.set(host.hostname, host);
    const { addresses } = host;
    const reached = this.#vips === "loopback" ? addresses.map((one) => loopbackVip(one) ?? one) : addresses;
    const known = { ...host, addresses: reached };
    if (host.hostname.startsWith("*.")) this.#wild.set(host.hostname.slice(1), known);
    for (const spelling of spellings(host)) {
      const others = this.#spelled.get(spelling) ?? NOBODY;
      this.#spelled.set(spelling, spelling === host.hostname ? [known, ...others] : [...others, known]);
      this.#count(spelling, 1);
    }
  }

  delete(hostname: string): void {
    const host = this.#told.get(hostname);
    if (host === undefined) return;
    this.#told.delete(hostname);
    if (hostname.startsWith("*.")) this.#wild.delete(hostname.slice(1));
    for (const spelling of spellings(host)) {
      const left = (this.#spelled.get(spelling) ?? NOBODY).filter((one) => one.hostname !== hostname);
      if (left.length === 0) this.#spelled.delete(spelling);
      else this.#spelled.set(spelling, left);
      this.#count(spelling, -1);
    }
  }

  /** The host that a name in lower case means. A wildcard is for names that are not there themselves. */
  find(name: string): HostName | undefined {
    const [exact] = this.#spelled.get(name) ?? NOBODY;
    if (exact !== undefined) return exact;
    if (this.#wild.size === 0) return undefined;
    for (let dot = name.indexOf("."); dot > 0; dot = name.indexOf(".", dot + 1)) {
      const wild = this.#wild.get(name.slice(dot));
      if (wild !== undefined) return wild;
    }
    return undefined;
  }

  /** Whether there is a name below this one: then this one exists too, and has nothing (RFC 8020). */
  hasBelow(name: string): boolean {
    return this.#below.has(name);
  }

  #count(spelling: string, by: 1 | -1): void {
    for (let dot = spelling.indexOf("."); dot > 0; dot = spelling.indexOf(".", dot + 1)) {
      const ancestor = spelling.slice(dot + 1);
      const count = (this.#below.get(ancestor) ?? 0) + by;
      if (count === 0) this.#below.delete(ancestor);
      else this.#below.set(ancestor, count);
    }
  }
}

function spellings({ hostname, aliases }: HostName): readonly string[] {
  const own = hostname.startsWith("*") ? [] : [hostname];
  return [...new Set([...own, ...aliases])];
}
