import { DEFAULT_MESH_CONFIG, type MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { MeshSettings } from "./mesh-snapshot.ts";

/** Istio's defaults. */
export const DEFAULT_SETTINGS: MeshSettings = {
  trustDomain: "cluster.local",
  domainSuffix: "cluster.local",
  rootNamespace: "istio-system",
  connectTimeoutMs: 10_000,
  mesh: DEFAULT_MESH_CONFIG,
};

/** The server's settings with what a MeshConfig says over them. The trust domain is the authority's and stays. */
export function withMeshConfig(base: MeshSettings, mesh: MeshConfigSpec): MeshSettings {
  return {
    ...base,
    rootNamespace: mesh.rootNamespace ?? base.rootNamespace,
    connectTimeoutMs: mesh.connectTimeoutMs ?? base.connectTimeoutMs,
    mesh,
  };
}
