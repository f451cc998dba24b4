import type { DatabaseSync, StatementSync } from "node:sqlite";
import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import {
  type PlacedWorkload,
  type Workload,
  type WorkloadId,
  workloadId,
} from "../../mesh/model/workload.ts";
import { inTransaction } from "../store/database.ts";
import type { RefusedWorkload } from "./parse-workload-report.ts";

export interface PlacementChange {
  readonly id: WorkloadId;
  readonly before: PlacedWorkload | undefined;
  readonly after: PlacedWorkload | undefined;
}

export type PlacementListener = (changes: readonly PlacementChange[]) => void;

type IsBanned = (workload: Workload, agentId: string) => boolean;

export interface PlacementOptions {
  /** How long the workloads of an agent without a stream stay, counted while the server is up. Default: 1 h. */
  readonly forgetAfterMs?: number;
}

const HOUR_MS = 3_600_000;
const TABLE = `CREATE TABLE IF NOT EXISTS placements (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  registered_at INTEGER NOT NULL,
  workload TEXT NOT NULL
) STRICT`;

/**
 * Which workload is on which agent's host: the facts from which identities and configuration are given. Held in memory,
 * written through to sqlite, so that a restart of the server forgets nothing.
 */
export class Placements {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #forgetAfterMs: number;
  readonly #byId = new Map<WorkloadId, PlacedWorkload>();
  readonly #byAgent = new Map<string, Set<WorkloadId>>();
  readonly #live = new Map<string, number>();
  /** Monotonic time since which an agent with workloads has had no stream. */
  readonly #goneSince = new Map<string, number>();
  readonly #listeners = new Set<PlacementListener>();
  #isBanned: IsBanned = () => false;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  #revision = 0;

  constructor(database: DatabaseSync, clock: Clock, options: PlacementOptions = {}) {
    database.exec(TABLE);
    this.#database = database;
    this.#clock = clock;
    this.#forgetAfterMs = options.forgetAfterMs ?? HOUR_MS;
    this.#put = database.prepare(
      `INSERT INTO placements (id, agent_id, registered_at, workload) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET agent_id = excluded.agent_id, workload = excluded.workload`,
    );
    this.#delete = database.prepare("DELETE FROM placements WHERE id = ?");
    for (const row of database.prepare("SELECT * FROM placements").all()) this.#index(fromRow(row));
    for (const agentId of this.#byAgent.keys()) this.#goneSince.set(agentId, clock.monotonic());
  }

  /** Grows with each change. */
  get revision(): number {
    return this.#revision;
  }

  get(id: WorkloadId): PlacedWorkload | undefined {
    return this.#byId.get(id);
  }

  list(): readonly PlacedWorkload[] {
    return [...this.#byId.values()];
  }

  ofAgent(agentId: string): readonly PlacedWorkload[] {
    return [...(this.#byAgent.get(agentId) ?? [])].flatMap((id) => this.#byId.get(id) ?? []);
  }

  isLive(agentId: string): boolean {
    return this.#live.has(agentId);
  }

  /** An agent's stream has come; dispose of the answer when it has gone. */
  connect(agentId: string): Disposable {
    this.#live.set(agentId, (this.#live.get(agentId) ?? 0) + 1);
    this.#goneSince.delete(agentId);
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (open) this.#disconnect(agentId);
        open = false;
      },
    };
  }

  /**
   * Makes these the agent's workloads, all of them. A workload that another agent has and holds with a live stream is
   * refused; without a live stream it moves here. Its first registration time stays. What is equal stays the same object.
   */
  replace(agentId: string, workloads: readonly Workload[]): readonly RefusedWorkload[] {
    const refusals: RefusedWorkload[] = [];
    const changes: PlacementChange[] = [];
    const wanted = new Set<WorkloadId>();
    for (const workload of workloads) {
      const id = workloadId(workload);
      const before = this.#byId.get(id);
      if (before !== undefined && before.agentId !== agentId && this.isLive(before.agentId)) {
        refusals.push({ workload: id, reason: `it is registered by the agent ${before.agentId}` });
        continue;
      }
      wanted.add(id);
      const registeredAt = before?.registeredAt ?? this.#clock.now();
      const after = { ...workload, agentId, registeredAt, banned: this.#isBanned(workload, agentId) };
      if (before === undefined || !isSame(before, after)) changes.push({ id, before, after });
    }
    for (const before of this.ofAgent(agentId)) {
      const id = workloadId(before);
      if (!wanted.has(id)) changes.push({ id, before, after: undefined });
    }
    this.#commit(changes);
    return refusals;
  }

  /** Says anew who is banned: of what is placed, and of what will be. */
  setBans(isBanned: IsBanned): void {
    this.#isBanned = isBanned;
    this.#commit(
      this.list().flatMap((before) => {
        const banned = isBanned(before, before.agentId);
        if (banned === before.banned) return [];
        return [{ id: workloadId(before), before, after: { ...before, banned } }];
      }),
    );
  }

  /** Calls back after each change until the signal is aborted. */
  onChange(listener: PlacementListener, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /** Drops the workloads of agents that have been gone for too long; returns when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.forgetGone();
      await this.#clock.sleep(Math.max(10, Math.min(this.#forgetAfterMs / 4, 60_000)), signal);
    }
  }

  /** One round of `run`. */
  forgetGone(): void {
    const now = this.#clock.monotonic();
    for (const [agentId, since] of this.#goneSince) {
      if (now - since < this.#forgetAfterMs) continue;
      // Its catalog's instances would be reached in plaintext once nothing says that they are banned.
      if (this.ofAgent(agentId).some(({ banned }) => banned)) continue;
      this.replace(agentId, []);
      this.#goneSince.delete(agentId);
    }
  }

  #disconnect(agentId: string): void {
    const left = (this.#live.get(agentId) ?? 1) - 1;
    if (left > 0) {
      this.#live.set(agentId, left);
      return;
    }
    this.#live.delete(agentId);
    this.#goneSince.set(agentId, this.#clock.monotonic());
  }

  /** The disk first: what cannot be kept is not told to anyone. */
  #commit(changes: readonly PlacementChange[]): void {
    if (changes.length === 0) return;
    try {
      inTransaction(this.#database, () => {
        for (const { id, after } of changes) {
          if (after === undefined) this.#delete.run(id);
          else this.#put.run(id, after.agentId, after.registeredAt, JSON.stringify(after));
        }
      });
    } catch (cause) {
      throw new MeshError("store.failed", "store the placement of workloads", {
        cause,
        hint: "check the disk",
      });
    }
    this.#revision += 1;
    for (const { before, after } of changes) {
      if (before !== undefined) this.#unindex(before);
      if (after !== undefined) this.#index(after);
    }
    for (const listener of this.#listeners) listener(changes);
  }

  #index(workload: PlacedWorkload): void {
    const id = workloadId(workload);
    this.#byId.set(id, workload);
    const ids = this.#byAgent.get(workload.agentId) ?? new Set();
    this.#byAgent.set(workload.agentId, ids.add(id));
  }

  #unindex(workload: PlacedWorkload): void {
    const id = workloadId(workload);
    this.#byId.delete(id);
    const ids = this.#byAgent.get(workload.agentId);
    ids?.delete(id);
    if (ids?.size === 0) this.#byAgent.delete(workload.agentId);
  }
}

/** Both come from `parseWorkloadReport`, which fixes the order of fields. */
function isSame(a: PlacedWorkload, b: PlacedWorkload): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What a server before this one did not store. */
const ADDED_LATER = {
  network: "",
  role: "sidecar",
  interception: "none",
  capturedAt: undefined,
  discovery: "upstreams",
  httpProxy: undefined,
  vips: "none",
  banned: false,
  reportsCalls: false,
  mtls: undefined,
} as const;

function fromRow(row: Readonly<Record<string, unknown>>): PlacedWorkload {
  try {
    const workload: PlacedWorkload = JSON.parse(String(row["workload"]));
    return {
      ...workload,
      ...Object.fromEntries(Object.entries(ADDED_LATER).filter(([field]) => !(field in workload))),
      agentId: String(row["agent_id"]),
      registeredAt: Number(row["registered_at"]),
      catalog: workload.catalog,
      group: workload.group,
    };
  } catch (cause) {
    throw new MeshError("store.failed", `read the placement ${String(row["id"])}`, {
      cause,
      hint: "restore the database from the backup",
    });
  }
}
