import { PUSH_ORDER, type TypeUrl } from "../../mesh/xds/type-urls.ts";

/**
 * `SYNCED`: has all that it should have, and said so. `STALE`: sent or to be sent, not answered. `NOT SENT`: asked for,
 * nothing sent yet. `REJECTED`: refused what it was sent last, keeps what it had. `IGNORED`: never asked for.
 */
type SyncState = "SYNCED" | "STALE" | "NOT SENT" | "REJECTED" | "IGNORED";

interface Nack {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly message: string;
  /** Names of the refused resources. */
  readonly resources: readonly string[];
}

/** One type of one connected proxy. Times are milliseconds since the epoch. */
export interface TypeStatus {
  readonly state: SyncState;
  /** Resources that the proxy has, or has been sent. */
  readonly resources: number;
  readonly sentSnapshot: number | undefined;
  readonly ackedSnapshot: number | undefined;
  readonly sentAt: number | undefined;
  readonly ackedAt: number | undefined;
  /** The last refusal on this stream, even if it has been made good since. */
  readonly lastNack: Nack | undefined;
}

/** Who is at the other end of a stream. */
export interface ConnectedProxy {
  readonly nodeId: string;
  /** `namespace/name`. */
  readonly workload: string;
  /** The server that it is connected to. */
  readonly server: string;
  readonly method: "delta" | "sotw";
  /** What the data plane says it is: `envoy`, `lateen`. */
  readonly dataPlane: string;
  readonly dataPlaneVersion: string;
  readonly connectedAt: number;
}

export interface ProxyStatus extends ConnectedProxy {
  /** The snapshot that it should have; undefined while its workload is not known. */
  readonly snapshot: number | undefined;
  readonly types: ReadonlyMap<TypeUrl, TypeStatus>;
}

export interface SyncResult {
  /** Node ids. */
  readonly acked: readonly string[];
  readonly pending: readonly string[];
  readonly rejected: readonly {
    readonly nodeId: string;
    readonly workload: string;
    readonly typeUrl: TypeUrl;
    readonly nack: Nack;
  }[];
}

type Changing<T> = { -readonly [K in keyof T]: T[K] };

/** A stream's line in the table; the stream itself writes it. */
export interface ProxyStatusEntry {
  /** The stream has compared with this snapshot: what is `SYNCED` is so at this one. */
  evaluated(snapshot: number): void;
  update(typeUrl: TypeUrl, change: Partial<TypeStatus>): void;
  type(typeUrl: TypeUrl): Pick<TypeStatus, "state" | "resources">;
  close(): void;
}

/** The live table of connected proxies. */
export class ProxyStatusTable {
  readonly #proxies = new Set<Line>();
  readonly #watchers = new Set<() => void>();
  #notifying = false;

  /** The connected proxies; one that has two streams for a moment is there twice, the newer one later. */
  list(): readonly ProxyStatus[] {
    return [...this.#proxies].map((line) => line.status());
  }

  connect(proxy: ConnectedProxy): ProxyStatusEntry {
    const line = new Line(proxy, {
      changed: () => this.#changed(),
      close: () => this.#proxies.delete(line),
    });
    this.#proxies.add(line);
    this.#changed();
    return line;
  }

  /**
   * Waits until every connected proxy has taken or refused what it should have at `snapshot`; when the signal is
   * aborted, returns how things stand. Proxies whose workload is not known are not waited for.
   */
  async waitForSync(snapshot: number, signal: AbortSignal): Promise<SyncResult> {
    let result = this.#syncResult(snapshot);
    while (result.pending.length > 0 && !signal.aborted) {
      await this.#nextChange(signal);
      result = this.#syncResult(snapshot);
    }
    return result;
  }

  #syncResult(snapshot: number): SyncResult {
    const newest = new Map([...this.#proxies].map((line) => [line.proxy.nodeId, line]));
    const acked: string[] = [];
    const pending: string[] = [];
    const rejected: SyncResult["rejected"][number][] = [];
    for (const line of newest.values()) {
      const { nodeId, workload } = line.proxy;
      const result = line.syncedAt(snapshot);
      if (result === "acked") acked.push(nodeId);
      else if (result === "pending") pending.push(nodeId);
      else if (result !== "unknown") rejected.push({ nodeId, workload, ...result });
    }
    return { acked, pending, rejected };
  }

  /** Many changes of one turn of the event loop wake the waiting ones once. */
  #changed(): void {
    if (this.#notifying || this.#watchers.size === 0) return;
    this.#notifying = true;
    setImmediate(() => {
      this.#notifying = false;
      for (const wake of this.#watchers) wake();
    });
  }

  async #nextChange(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#watchers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    signal.removeEventListener("abort", wake);
    this.#watchers.delete(wake);
  }
}

class Line implements ProxyStatusEntry {
  readonly proxy: ConnectedProxy;
  readonly #table: { changed(): void; close(): void };
  #snapshot: number | undefined;
  /** Where a type is `SYNCED`, the snapshot that it acknowledged is the line's; else the one that is told here. */
  readonly #types: ReadonlyMap<TypeUrl, Changing<TypeStatus>> = new Map(
    PUSH_ORDER.map((typeUrl) => [typeUrl, ignored()]),
  );

  constructor(proxy: ConnectedProxy, table: { changed(): void; close(): void }) {
    this.proxy = proxy;
    this.#table = table;
  }

  evaluated(snapshot: number): void {
    this.#snapshot = snapshot;
    this.#table.changed();
  }

  update(typeUrl: TypeUrl, change: Partial<TypeStatus>): void {
    const type = this.#types.get(typeUrl);
    if (type === undefined) return;
    type.ackedSnapshot = this.#acked(type);
    Object.assign(type, change);
    this.#table.changed();
  }

  type(typeUrl: TypeUrl): Pick<TypeStatus, "state" | "resources"> {
    return this.#types.get(typeUrl) ?? ignored();
  }

  close(): void {
    this.#table.close();
    this.#table.changed();
  }

  status(): ProxyStatus {
    const types = [...this.#types].map(
      ([typeUrl, type]) => [typeUrl, { ...type, ackedSnapshot: this.#acked(type) }] as const,
    );
    return { ...this.proxy, snapshot: this.#snapshot, types: new Map(types) };
  }

  syncedAt(
    snapshot: number,
  ): "acked" | "pending" | "unknown" | { readonly typeUrl: TypeUrl; readonly nack: Nack } {
    if (this.#snapshot === undefined) return "unknown";
    if (this.#snapshot < snapshot) return "pending";
    let pending = false;
    for (const [typeUrl, type] of this.#types) {
      if (type.state === "REJECTED" && type.lastNack !== undefined) return { typeUrl, nack: type.lastNack };
      pending ||= type.state !== "IGNORED" && (this.#acked(type) ?? -1) < snapshot;
    }
    return pending ? "pending" : "acked";
  }

  #acked({ state, ackedSnapshot }: TypeStatus): number | undefined {
    return state === "SYNCED" ? this.#snapshot : ackedSnapshot;
  }
}

function ignored(): Changing<TypeStatus> {
  return {
    state: "IGNORED",
    resources: 0,
    sentSnapshot: undefined,
    ackedSnapshot: undefined,
    sentAt: undefined,
    ackedAt: undefined,
    lastNack: undefined,
  };
}
