import type { DiffReply } from "../../mesh/admin-api/replies.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import { byKey, diffObjects } from "../diff/diff-objects.ts";
import { diffWorkload } from "../diff/diff-resources.ts";
import { byText } from "../snapshot/text-order.ts";
import { buildFileMesh } from "./file-mesh.ts";
import { xdsJson } from "./render-workload.ts";
import { asStored } from "./stored-objects.ts";

export interface DiffFilesOptions {
  readonly mesh: MeshConfigSpec | undefined;
  /** Tells the fields of changed resources too. */
  readonly verbose: boolean;
}

/** What is different between two meshes of files, down to the resources of each WorkloadEntry's proxy. */
export function diffFiles(
  before: readonly FiledObject[],
  after: readonly FiledObject[],
  { mesh, verbose }: DiffFilesOptions,
): DiffReply {
  const [old, next] = [asStored(before), asStored(after)];
  const [from, to] = [buildFileMesh(old, mesh), buildFileMesh(next, mesh)];
  const workloads = new Set([...from.snapshot.workloads.keys(), ...to.snapshot.workloads.keys()]);
  const json = verbose ? xdsJson() : undefined;
  return {
    objects: diffObjects(byKey(old), byKey(next)),
    workloads: [...workloads]
      .sort(byText)
      .flatMap((id) => diffWorkload(id, from.translator.preview(id), to.translator.preview(id), json) ?? []),
  };
}
