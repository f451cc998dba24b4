/** How many have each port of a host, so that it is known when the first comes and when the last has gone. */
export class PortCounts {
  readonly #counts = new Map<string, Map<number, number>>();

  /** How many hosts and ports are new with one that has these ports. */
  add(host: string, ports: readonly number[]): { readonly hosts: number; readonly ports: number } {
    const known = this.#counts.get(host) ?? new Map<number, number>();
    const hosts = known.size === 0 && ports.length > 0 ? 1 : 0;
    let fresh = 0;
    for (const port of ports) {
      const before = known.get(port) ?? 0;
      if (before === 0) fresh += 1;
      known.set(port, before + 1);
    }
    if (known.size > 0) this.#counts.set(host, known);
    return { hosts, ports: fresh };
  }

  /** How many hosts and ports are gone with one that had these ports. */
  remove(host: string, ports: readonly number[]): { readonly hosts: number; readonly ports: number } {
    const known = this.#counts.get(host) ?? new Map<number, number>();
    let gone = 0;
    for (const port of ports) {
      const left = (known.get(port) ?? 0) - 1;
      if (left > 0) known.set(port, left);
      else if (known.delete(port)) gone += 1;
    }
    const hosts = known.size === 0 && this.#counts.delete(host) ? 1 : 0;
    return { hosts, ports: gone };
  }
}
