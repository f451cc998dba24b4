import type { FakeRegistration, NomadState } from "./nomad-state.ts";

export interface FakeAnswer {
  readonly index: number;
  readonly body: unknown;
}

/** What Nomad's API answers to a path below `/v1`; undefined: 404. */
export function answerOf(state: NomadState, path: string, query: URLSearchParams): FakeAnswer | undefined {
  const namespace = query.get("namespace") ?? "default";
  const visible = [...state.registrations.values()].filter(
    ({ Namespace }) => namespace === "*" || Namespace === namespace,
  );
  if (path === "/services") return { index: state.serviceIndex, body: stubs(visible) };
  if (path === "/nodes") {
    const body = [...state.nodes].map(([ID, Name]) => ({ ID, Name, Status: "ready", Address: "127.0.0.1" }));
    return { index: state.allocationIndex, body };
  }
  const service = /^\/service\/([^/]+)$/.exec(path)?.[1];
  if (service !== undefined) {
    const ofNode = /^NodeID == "([^"]+)"$/.exec(query.get("filter") ?? "")?.[1];
    const body = visible
      .filter(({ ServiceName }) => ServiceName === decodeURIComponent(service))
      .filter(({ NodeID }) => ofNode === undefined || NodeID === ofNode);
    return { index: state.serviceIndex, body };
  }
  const [self = ""] = state.nodes.keys();
  if (path === "/agent/self") {
    return { index: 0, body: { config: {}, stats: self === "" ? {} : { client: { node_id: self } } } };
  }
  if (/^\/node\/[^/]+$/.test(path)) {
    const NodeResources = { MinDynamicPort: 20_000, MaxDynamicPort: 32_000 };
    const ReservedResources = { Networks: { ReservedHostPorts: state.reservedPorts } };
    return { index: state.allocationIndex, body: { ID: path.slice(6), NodeResources, ReservedResources } };
  }
  const node = /^\/node\/([^/]+)\/allocations$/.exec(path)?.[1];
  if (node !== undefined) {
    const body = [...state.allocations.values()].filter(({ NodeID }) => NodeID === node);
    return { index: state.allocationIndex, body };
  }
  const [, id = "", what] = /^\/allocation\/([^/]+)(\/checks)?$/.exec(path) ?? [];
  const allocation = state.allocations.get(id);
  if (what !== undefined) return { index: 0, body: state.checks.get(id) ?? {} };
  if (allocation === undefined) return undefined;
  const Name = `${allocation.JobID}.${allocation.TaskGroup}[0]`;
  return { index: state.allocationIndex, body: { ...allocation, Name, TaskStates: {}, CreateIndex: 40 } };
}

/** The index that a blocking query for the path waits on. */
export function indexOf(state: NomadState, path: string): number {
  return /^\/services?(\/|$)/.test(path) ? state.serviceIndex : state.allocationIndex;
}

function stubs(registrations: readonly FakeRegistration[]): unknown {
  const spaces = Map.groupBy(registrations, ({ Namespace }) => Namespace);
  return [...spaces].map(([Namespace, own]) => ({
    Namespace,
    Services: [...Map.groupBy(own, ({ ServiceName }) => ServiceName)].map(([ServiceName, instances]) => ({
      ServiceName,
      Tags: [...new Set(instances.flatMap(({ Tags }) => Tags ?? []))],
    })),
  }));
}
