import { MeshError } from "../../mesh/errors.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import { closest } from "../../mesh/spelling/closest.ts";
import { createXdsJson, type JsonValue, type XdsJson } from "../../mesh/xds/json.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { messageTypes } from "../message-types.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { by } from "../snapshot/text-order.ts";
import type { NodeResources } from "../xds/config-source.ts";
import { buildFileMesh } from "./file-mesh.ts";
import { asStored } from "./stored-objects.ts";

/** A resource in canonical ProtoJSON, `@type` first. */
export type RenderedResource = Readonly<Record<string, JsonValue>>;

/** What a workload gets, each list sorted by name. */
export interface RenderedResources {
  readonly listeners: readonly RenderedResource[];
  readonly routes: readonly RenderedResource[];
  readonly clusters: readonly RenderedResource[];
  readonly endpoints: readonly RenderedResource[];
}

export interface RenderedWorkload {
  readonly resources: RenderedResources;
  /** What is in force otherwise than it says: `subject: message`. */
  readonly warnings: readonly string[];
}

/**
 * The resources that a workload would get if these objects were all there is: the first of the candidates
 * (`namespace/name`) that is a WorkloadEntry. Throws `object.not-found` when there is no such workload, and what its translation throws.
 */
export function renderWorkload(
  objects: readonly FiledObject[],
  candidates: readonly string[],
  mesh?: MeshConfigSpec,
): RenderedWorkload {
  const { snapshot, translator, report } = buildFileMesh(asStored(objects), mesh);
  const workload = workloadAmong(snapshot, candidates);
  const resources = translator.preview(workload);
  const { failures, warnings } = report();
  const failure = failures.find((one) => one.workload === workload);
  if (resources === undefined || failure !== undefined) {
    throw new MeshError(
      "xds.inconsistent",
      `translate ${workload}: ${failure?.reason ?? "nothing came of it"}`,
      {
        hint: failure?.hint ?? "lateen analyze says what may be wrong with the objects",
      },
    );
  }
  return {
    resources: toRendered(resources, xdsJson()),
    warnings: warnings.map(({ subject, message }) => `${subject}: ${message}`),
  };
}

function toRendered(resources: NodeResources, json: XdsJson): RenderedResources {
  const listOf = (type: TypeUrl): readonly RenderedResource[] =>
    [...(resources.types.get(type)?.values() ?? [])].sort(by(({ name }) => name)).map(({ bytes }) => ({
      "@type": type,
      ...(json.resourceToJson(type, bytes) as RenderedResource),
    }));
  return {
    listeners: listOf(TYPE_URL.listener),
    routes: listOf(TYPE_URL.route),
    clusters: listOf(TYPE_URL.cluster),
    endpoints: listOf(TYPE_URL.endpoints),
  };
}

export function xdsJson(): XdsJson {
  return createXdsJson(messageTypes);
}

/** The first of the candidates (`namespace/name`) that there is. Throws `object.not-found` when there is none. */
export function workloadAmong({ workloads }: MeshSnapshot, candidates: readonly string[]): string {
  const workload = candidates.find((one) => workloads.has(one));
  if (workload === undefined) throw noWorkload(candidates[0] ?? "", [...workloads.keys()]);
  return workload;
}

function noWorkload(workload: string, names: readonly string[]): MeshError {
  const near = closest(workload, names);
  return new MeshError("object.not-found", `the files have no WorkloadEntry ${workload}`, {
    hint:
      near === undefined
        ? names.length === 0
          ? "write a WorkloadEntry for each workload; its name and namespace are the workload's"
          : `they have ${names.toSorted().join(", ")}`
        : `did you mean ${near}?`,
  });
}
