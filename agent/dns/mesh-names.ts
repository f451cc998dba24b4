import type { Vips } from "../../mesh/model/workload.ts";
import { HostName as HostNameMessage } from "../../mesh/xds/gen/lateen/names/v1/names.ts";
import { type HostName, NameTable } from "./name-table.ts";

/** What a workload's configuration says of names, as it comes (HostName messages, by resource name). */
export interface NameUpdate {
  readonly upserts: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly removals: readonly string[];
}

/** The names of this host: a table for each of its workloads that calls services by their addresses. */
export class MeshNames {
  /** At which addresses the workloads' proxies listen. */
  readonly #callers = new Map<string, Vips>();
  readonly #tables = new Map<string, NameTable>();
  #inOrder: readonly NameTable[] = [];

  /**
   * What an answer is from: nobody can tell who asks, so where a workload's proxy listens at addresses of services that one's
   * names alone, for its listeners are reached by what is told; else those of the captured ones, in the order of their
   * names. The same list as long as there are the same tables.
   */
  get tables(): readonly NameTable[] {
    return this.#inOrder;
  }

  /** Ports at which the proxies of this host listen, each at the addresses of the services that have it. */
  get boundPorts(): ReadonlySet<number> {
    return new Set(this.#inOrder.flatMap((table) => [...table.boundPorts()]));
  }

  /** Whose names are told: what is known of others is forgotten. `vips` as the workloads have it. */
  serve(callers: ReadonlyMap<string, Vips>): void {
    this.#callers.clear();
    for (const [workload, vips] of callers) this.#callers.set(workload, vips);
    for (const workload of this.#tables.keys()) if (!callers.has(workload)) this.#tables.delete(workload);
    for (const [workload, table] of this.#tables) table.reachBy(callers.get(workload) ?? "none");
    this.#order();
  }

  /**
   * Takes the names of a workload from a new source of them: with the first update what an earlier one had told is gone.
   * Undefined: nobody wants them.
   */
  follow(workload: string): ((update: NameUpdate) => ReadonlyMap<string, string>) | undefined {
    if (!this.#callers.has(workload)) return undefined;
    let own: NameTable | undefined;
    return (update) => {
      const vips = this.#callers.get(workload);
      // It has left while its last words were on their way.
      if (vips === undefined) return new Map();
      if (own === undefined || this.#tables.get(workload) !== own) {
        own ??= new NameTable(vips);
        this.#tables.set(workload, own);
        this.#order();
      }
      return apply(own, update);
    };
  }

  #order(): void {
    const listens = (workload: string): boolean => (this.#callers.get(workload) ?? "none") !== "none";
    const anyListens = [...this.#callers.keys()].some(listens);
    this.#inOrder = [...this.#tables]
      .filter(([workload]) => !anyListens || listens(workload))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, table]) => table);
  }
}

/** Returns what could not be read, by resource name; what was known of those stays. */
function apply(table: NameTable, { upserts, removals }: NameUpdate): ReadonlyMap<string, string> {
  const refused = new Map<string, string>();
  for (const name of removals) table.delete(name);
  for (const { name, bytes } of upserts) {
    try {
      table.set(parseHostName(name, bytes));
    } catch (error) {
      refused.set(name, `${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return refused;
}

const NAME = /^(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;
const LONGEST_NAME = 253;

function parseHostName(name: string, bytes: Uint8Array): HostName {
  const { hostname, aliases, addresses, ports } = HostNameMessage.decode(bytes);
  if (hostname !== name) throw new Error(`the resource is of ${hostname}`);
  for (const one of [hostname, ...aliases])
    if (!NAME.test(one) || one.length > LONGEST_NAME) throw new Error(`${one} is no host name`);
  return { hostname, aliases, addresses, ports };
}
