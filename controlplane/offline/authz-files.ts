import type { AuthzReply } from "../../mesh/admin-api/replies.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import { checkAuthz, whoMayCall } from "../simulate/authz.ts";
import { type AuthzQuestion, callerNamed } from "../simulate/authz-call.ts";
import { buildFileMesh } from "./file-mesh.ts";
import { workloadAmong } from "./render-workload.ts";
import { asStored } from "./stored-objects.ts";

/** Names of workloads as a user may mean them: `namespace/name`, likeliest first. */
type Candidates = readonly string[];

/** Whether a call would be let in if these objects were all there is. Throws `object.not-found`. */
export function checkAuthzInFiles(
  objects: readonly FiledObject[],
  from: Candidates,
  to: Candidates,
  question: AuthzQuestion,
  mesh?: MeshConfigSpec,
): AuthzReply {
  const built = buildFileMesh(asStored(objects), mesh);
  const caller = from.find((text) => callerNamed(text) !== undefined) ?? workloadAmong(built.snapshot, from);
  return checkAuthz(built, caller, workloadAmong(built.snapshot, to), question);
}

export function whoMayCallInFiles(
  objects: readonly FiledObject[],
  to: Candidates,
  question: AuthzQuestion,
  mesh?: MeshConfigSpec,
): readonly AuthzReply[] {
  const built = buildFileMesh(asStored(objects), mesh);
  return whoMayCall(built, workloadAmong(built.snapshot, to), question);
}
