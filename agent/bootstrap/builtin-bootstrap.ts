import type { DataPlaneNode } from "./data-plane-node.ts";

/** What `lateen proxy --bootstrap FILE` reads: one node for one process. */
export interface BuiltinBootstrap {
  readonly node: Pick<DataPlaneNode, "id" | "cluster" | "metadata">;
  readonly xdsSocket: string;
  readonly adminSocket: string;
  readonly logLevel: string;
  /** Program and arguments of the process that takes its place when it is asked for one. */
  readonly successor: readonly string[];
}

export function builtinBootstrap(
  node: DataPlaneNode,
  logLevel: string,
  successor: readonly string[],
): BuiltinBootstrap {
  return {
    node: { id: node.id, cluster: node.cluster, metadata: node.metadata },
    xdsSocket: node.xdsSocket,
    adminSocket: node.adminSocket,
    logLevel,
    successor,
  };
}
