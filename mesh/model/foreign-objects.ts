import { closest } from "../spelling/closest.ts";

/** Groups whose objects the mesh acts on. */
const MESH_GROUPS = [
  "extensions.istio.io",
  "gateway.networking.k8s.io",
  "mesh.istio.io",
  "networking.istio.io",
  "security.istio.io",
  "telemetry.istio.io",
];

/** How Istio itself is installed on Kubernetes. */
const INSTALL_GROUPS: readonly string[] = ["install.istio.io", "operator.istio.io"];

/** What a folder for Kubernetes has of the core group; it has no name to know it by. Secret is not here: we take it. */
const CORE_KINDS: readonly string[] = [
  "ConfigMap",
  "Endpoints",
  "Event",
  "LimitRange",
  "Namespace",
  "Node",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "Pod",
  "PodTemplate",
  "ReplicationController",
  "ResourceQuota",
  "Service",
  "ServiceAccount",
];

/**
 * True for an object that is somebody else's, such as a Deployment: folders for GitOps have them beside the mesh's.
 * False for all that is Istio's, known or not, and for a known kind whose group looks like a misspelling.
 */
export function isForeign(apiVersion: unknown, kind: string, knownKinds: readonly string[]): boolean {
  if (apiVersion === "v1") return CORE_KINDS.includes(kind);
  const group = groupOf(apiVersion);
  if (group === undefined) return false;
  if (INSTALL_GROUPS.includes(group)) return true;
  if (/\bistio\b/.test(group) || MESH_GROUPS.includes(group)) return false;
  return !(knownKinds.includes(kind) && closest(group, MESH_GROUPS) !== undefined);
}

function groupOf(apiVersion: unknown): string | undefined {
  if (typeof apiVersion !== "string") return undefined;
  return /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)\/v[a-z0-9]{1,20}$/.exec(apiVersion)?.[1];
}
