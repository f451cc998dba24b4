import type { DataPlaneNode } from "./data-plane-node.ts";

/** What `lateen proxy --bootstrap FILE` reads: one node for one process. */
export interface BuiltinBootstrap {
  readonly node: Pick<DataPlaneNode, "id" | "cluster" | "metadata">;
  readonly xdsSocket: string;
  readonly adminSocket: string;
  readonly logLevel: string;
}

export function builtinBootstrap(node: DataPlaneNode, logLevel: string): BuiltinBootstrap {
  return {
    node: { id: node.id, cluster: node.cluster, metadata: node.metadata },
    xdsSocket: node.xdsSocket,
    adminSocket: node.adminSocket,
    logLevel,
  };
}
