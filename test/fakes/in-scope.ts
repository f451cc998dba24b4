import assert from "node:assert/strict";
import { type Client, clientOf } from "../../controlplane/policy/client.ts";
import type { MeshSnapshot } from "../../controlplane/snapshot/mesh-snapshot.ts";
import type { PublishWarning } from "../../controlplane/snapshot/publish-report.ts";
import type { SnapshotView } from "../../controlplane/snapshot/snapshot-view.ts";
import { Memo, type Scope } from "../../controlplane/translate/memo.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";

/** What is built from one snapshot, with the warnings that its parts gave. */
export function inScope<T>(
  snapshot: MeshSnapshot,
  build: (scope: Scope) => T,
): { readonly value: T; readonly warnings: readonly PublishWarning[] } {
  const memo = new Memo(snapshot);
  const value = memo.root("test", build);
  return { value, warnings: memo.warnings() };
}

/** A workload of the snapshot as a client. */
export function clientNamed(view: SnapshotView, id: WorkloadId): Client {
  const workload = view.workload(id);
  assert.ok(workload, `${id} is there`);
  return clientOf(view, workload);
}

/** A client that no workload stands for. */
export function client(over: Partial<Client> = {}): Client {
  return {
    namespace: "default",
    labels: {},
    locality: "",
    network: "",
    role: "sidecar",
    captured: false,
    imports: undefined,
    prefers: [],
    ...over,
  };
}
