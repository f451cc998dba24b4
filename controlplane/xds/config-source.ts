import type { EncodedResource, ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import type { TypeUrl } from "../../mesh/xds/type-urls.ts";

export type { EncodedResource, ResourceMap };

/** What one node should have at one version of the mesh. */
export interface NodeResources {
  /** Version of the snapshot that this was translated from; grows. */
  readonly snapshot: number;
  readonly types: ReadonlyMap<TypeUrl, ResourceMap>;
}

/** The node of a stream, as the authenticated transport and its first request have it. */
export interface XdsNode {
  /** xDS node id: `sidecar~…`. */
  readonly id: string;
  /** `namespace/name` of the workload. */
  readonly workload: string;
}

/** What the xDS server serves from: joined to the translation by `app.ts`, unknown to each other otherwise. */
export interface ConfigSource {
  /** Undefined while the workload is not (or no longer) known: the stream then waits. */
  resourcesFor(node: XdsNode): NodeResources | undefined;
  /**
   * The node asks for virtual hosts (`<route configuration>/<host>`) or clusters by these names, because a call is for
   * them. Returns those that are being looked up: they are among its resources after a later publication, and until then
   * it must not be told that they do not exist.
   */
  asked?(node: XdsNode, names: readonly string[]): readonly string[];
  /** Calls back after each published snapshot until the signal is aborted. */
  onPublish(listener: (snapshot: number) => void, signal: AbortSignal): void;
}
