import type { AuthzReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { byText } from "../snapshot/text-order.ts";
import type { Translator } from "../translate/translator.ts";
import { type AuthzCaller, type AuthzQuestion, CalledWorkload, callerNamed, callerOf } from "./authz-call.ts";

/** A mesh as it is, or as files would have it. */
export interface AuthzMesh {
  readonly snapshot: MeshSnapshot;
  readonly translator: Pick<Translator, "preview">;
}

/**
 * Whether a call would be let in, by the policies of the workload that is called (`namespace/name`). The caller is a
 * workload, a SPIFFE ID, or `outside`. Throws `object.not-found` when there is no such workload, or no such port.
 */
export function checkAuthz(mesh: AuthzMesh, from: string, to: string, question: AuthzQuestion): AuthzReply {
  const caller = callerNamed(from) ?? callerOf(mesh.snapshot, from);
  if (caller === undefined) throw unknown(`workload ${from}`);
  return askedOf(called(mesh, to), caller, question);
}

/** The same for all that there is to call it: every identity of the mesh once, and somebody without any. */
export function whoMayCall(mesh: AuthzMesh, to: string, question: AuthzQuestion): readonly AuthzReply[] {
  const workload = called(mesh, to);
  const callers = new Map<string, AuthzCaller>();
  for (const id of [...mesh.snapshot.workloads.keys(), "outside"].sort(byText)) {
    const caller = callerNamed(id) ?? callerOf(mesh.snapshot, id);
    const key = caller?.principal ?? "outside";
    if (caller !== undefined && !callers.has(key)) callers.set(key, caller);
  }
  return [...callers.values()].map((caller) => askedOf(workload, caller, question));
}

function called({ snapshot, translator }: AuthzMesh, to: string): CalledWorkload {
  const workload = CalledWorkload.of(snapshot, translator, to);
  if (workload === undefined) throw unknown(`workload ${to}`);
  return workload;
}

function askedOf(workload: CalledWorkload, caller: AuthzCaller, question: AuthzQuestion): AuthzReply {
  const reply = workload.ask(caller, question);
  if (reply === undefined) throw unknown(`port ${question.port ?? ""} of workload ${workload.id}`);
  return reply;
}

function unknown(what: string): MeshError {
  return new MeshError("object.not-found", `there is no ${what}`, {
    hint: "lateen get workloads -A lists what agents registered",
  });
}
