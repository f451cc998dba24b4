import { randomUUID } from "node:crypto";

/** An allocation as Nomad's API writes it, as far as anybody here reads it. */
export interface FakeAllocation {
  readonly ID: string;
  readonly Namespace: string;
  readonly JobID: string;
  readonly TaskGroup: string;
  readonly NodeID: string;
  readonly NodeName: string;
  DesiredStatus: string;
  ClientStatus: string;
  Job: Record<string, unknown>;
  AllocatedResources: Record<string, unknown>;
  NetworkStatus: Record<string, unknown> | null;
}

/** A service registration as Nomad's API writes it. */
export interface FakeRegistration {
  readonly ID: string;
  readonly ServiceName: string;
  readonly Namespace: string;
  readonly NodeID: string;
  readonly Datacenter: string;
  readonly JobID: string;
  readonly AllocID: string;
  readonly Tags: readonly string[] | null;
  readonly Address: string;
  readonly Port: number;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface FakeEvents {
  readonly Index: number;
  readonly Events: readonly {
    readonly Topic: string;
    readonly Type: string;
    readonly Key: string;
    readonly Namespace: string;
    readonly FilterKeys: readonly string[];
    readonly Index: number;
    readonly Payload: unknown;
  }[];
}

/** Of one allocation, by the check's id. */
export type FakeChecks = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The tables of a Nomad, each with its index, and the events of the last changes. */
export class NomadState {
  readonly allocations: Map<string, FakeAllocation> = new Map();
  readonly registrations: Map<string, FakeRegistration> = new Map();
  readonly checks: Map<string, FakeChecks> = new Map();
  /** Names by id. */
  readonly nodes: Map<string, string> = new Map();
  /** What a subscriber can still get. */
  buffer: FakeEvents[] = [];
  bufferSize = 100;
  /** While true, changes are in no event: Nomad's buffer has let go of them. */
  forgetful = false;
  /** Of every node. */
  reservedPorts = "21000-21255";
  serviceIndex = 1;
  allocationIndex = 1;
  #index = 10;
  onChange: (events: FakeEvents | undefined) => void = () => {};

  /** The id of the node of a name, which is made when there is none. */
  nodeId(name: string): string {
    const known = [...this.nodes].find(([, known]) => known === name)?.[0];
    if (known !== undefined) return known;
    const id = randomUUID();
    this.nodes.set(id, name);
    return id;
  }

  putAllocation(parts: Partial<FakeAllocation> & { readonly node?: string } = {}): FakeAllocation {
    const { node = "client-7", ...given } = parts;
    const allocation: FakeAllocation = {
      ID: randomUUID(),
      Namespace: "default",
      JobID: "app",
      TaskGroup: "app",
      NodeID: this.nodeId(node),
      NodeName: node,
      DesiredStatus: "run",
      ClientStatus: "running",
      Job: { ID: "app", ParentID: "", TaskGroups: [] },
      AllocatedResources: { Shared: { Networks: null, Ports: null } },
      NetworkStatus: null,
      ...given,
    };
    this.allocations.set(allocation.ID, allocation);
    this.allocationIndex = ++this.#index;
    this.onChange(undefined);
    return allocation;
  }

  removeAllocation(id: string): void {
    this.allocations.delete(id);
    this.allocationIndex = ++this.#index;
    this.onChange(undefined);
  }

  register(registration: Omit<FakeRegistration, "CreateIndex" | "ModifyIndex">): void {
    const index = ++this.#index;
    const before = this.registrations.get(registration.ID);
    const stored = { ...registration, CreateIndex: before?.CreateIndex ?? index, ModifyIndex: index };
    this.registrations.set(stored.ID, stored);
    this.#changed("ServiceRegistration", stored, index);
  }

  deregister(id: string): void {
    const before = this.registrations.get(id);
    if (before === undefined) return;
    this.registrations.delete(id);
    this.#changed("ServiceDeregistration", before, ++this.#index);
  }

  /** A cluster that has lost its data: its indexes begin again. */
  lose(): void {
    this.registrations.clear();
    this.allocations.clear();
    this.buffer = [];
    this.#index = 2;
    this.serviceIndex = 2;
    this.allocationIndex = 2;
    this.onChange(undefined);
  }

  #changed(Type: string, Service: FakeRegistration, Index: number): void {
    this.serviceIndex = Index;
    const event = {
      Topic: "Service",
      Type,
      Key: Service.ID,
      Namespace: Service.Namespace,
      FilterKeys: [Service.JobID, Service.ServiceName],
      Index,
      Payload: { Service },
    };
    const events = { Index, Events: [event] };
    if (!this.forgetful) this.buffer = [...this.buffer, events].slice(-this.bufferSize);
    this.onChange(this.forgetful ? undefined : events);
  }
}
