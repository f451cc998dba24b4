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

const IGNORED: TypeStatus = {
  state: "IGNORED",
  resources: 0,
  sentSnapshot: undefined,
  ackedSnapshot: undefined,
  sentAt: undefined,
  ackedAt: undefined,
  lastNack: undefined,
};

/** A stream's line in the table; the stream itself writes it. */
export interface ProxyStatusEntry {
  /** The stream now compares with this snapshot. */
  evaluated(snapshot: number): void;
  update(typeUrl: TypeUrl, change: Partial<TypeStatus>): void;
  type(typeUrl: TypeUrl): TypeStatus;
  close(): void;
}

/** The live table of connected proxies. */
export class ProxyStatusTable {
  readonly #proxies = new Set<ProxyStatus>();
  readonly #watchers = new Set<() => void>();
  #notifying = false;

  /** The connected proxies; one that has two streams for a moment is there twice, the newer one later. */
  list(): readonly ProxyStatus[] {
    return [...this.#proxies];
  }

  connect(proxy: ConnectedProxy): ProxyStatusEntry {
    const types = new Map<TypeUrl, TypeStatus>(PUSH_ORDER.map((typeUrl) => [typeUrl, IGNORED]));
    const status = { ...proxy, snapshot: undefined as number | undefined, types };
    this.#proxies.add(status);
    this.#changed();
    const type = (typeUrl: TypeUrl): TypeStatus => types.get(typeUrl) ?? IGNORED;
    return {
      evaluated: (snapshot) => {
        status.snapshot = snapshot;
        this.#changed();
      },
      update: (typeUrl, change) => {
        types.set(typeUrl, { ...type(typeUrl), ...change });
        this.#changed();
      },
      type,
      close: () => {
        this.#proxies.delete(status);
        this.#changed();
      },
    };
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
    const newest = new Map([...this.#proxies].map((proxy) => [proxy.nodeId, proxy]));
    const acked: string[] = [];
    const pending: string[] = [];
    const rejected: SyncResult["rejected"][number][] = [];
    for (const { nodeId, workload, types, snapshot: evaluated } of newest.values()) {
      if (evaluated === undefined) continue;
      const asked = [...types].filter(([, { state }]) => state !== "IGNORED");
      const refused = asked.find(([, { state }]) => state === "REJECTED");
      const nack = refused?.[1].lastNack;
      if (evaluated < snapshot) pending.push(nodeId);
      else if (refused !== undefined && nack !== undefined) {
        rejected.push({ nodeId, workload, typeUrl: refused[0], nack });
      } else if (asked.every(([, { ackedSnapshot }]) => (ackedSnapshot ?? -1) >= snapshot))
        acked.push(nodeId);
      else pending.push(nodeId);
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
