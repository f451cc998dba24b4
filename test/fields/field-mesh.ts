import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import { proxyConfigFor } from "../../controlplane/policy/proxy-config.ts";
import { withGroup } from "../../controlplane/snapshot/grouped-workload.ts";
import { DEFAULT_SETTINGS } from "../../controlplane/snapshot/mesh-settings.ts";
import { MeshState } from "../../controlplane/snapshot/mesh-state.ts";
import { viewOf } from "../../controlplane/snapshot/snapshot-view.ts";
import { checkEnvoyFilter } from "../../controlplane/translate/patches/check-envoy-filter.ts";
import { createTranslator } from "../../controlplane/translate/translator.ts";
import { toGroupSettings } from "../../mesh/agent-api/group-settings.ts";
import { isKind } from "../../mesh/model/kinds.ts";
import { objectKey, type ParsedObject, type StoredObject } from "../../mesh/model/object.ts";
import { parseObject } from "../../mesh/model/parse-object.ts";
import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import { DESCRIPTORS_URL, MessageTypes } from "../../mesh/xds/message-types.ts";

/** Objects, and the workloads that get something of them. */
export interface FieldMesh {
  readonly name: string;
  readonly yaml: string;
  readonly workloads: readonly PlacedWorkload[];
}

export type Document = Readonly<Record<string, unknown>>;

const messageTypes = new MessageTypes(() => readFileSync(DESCRIPTORS_URL));

/** The documents of ours among this YAML. */
export function documentsOf(yaml: string): readonly Document[] {
  return parseAllDocuments(yaml)
    .map((one) => one.toJS() as Document | null)
    .filter((one): one is Document => one !== null && isKind(String(one["kind"])));
}

/** Objects, and what their author is told of them. */
export interface Parsed {
  readonly objects: readonly ParsedObject[];
  readonly told: readonly unknown[];
}

/** Undefined when one of them is refused. */
export function parsed(documents: readonly Document[]): Parsed | undefined {
  const objects: ParsedObject[] = [];
  const told: unknown[] = [];
  for (const document of documents) {
    const { object, violations } = parseObject(document, { defaultNamespace: "default" });
    if (object === undefined) return undefined;
    objects.push(object);
    told.push(...violations, ...checkEnvoyFilter(messageTypes, object));
  }
  return { objects, told };
}

/** A digest of what the workloads and their agents get of these objects, and of what people are told of them. */
export function outcomeOf({ objects, told }: Parsed, workloads: readonly PlacedWorkload[]): string {
  const state = new MeshState(DEFAULT_SETTINGS);
  const members = workloads.map((one) => asMember(one, objects));
  const stored = objects.map((object, index) => asStored(object, index + 1));
  const changes = stored.map((after) => ({
    key: objectKey(after.kind, after.metadata.namespace, after.metadata.name),
    before: undefined,
    after,
  }));
  state.setConfig(changes, stored.length);
  state.setWorkloads(members.map((workload) => ({ id: workloadId(workload), workload })));
  const { snapshot, changed } = state.next();
  const translator = createTranslator({ messageTypes });
  translator.publish(snapshot, changed);
  const digest = createHash("sha256");
  for (const id of snapshot.workloads.keys()) {
    for (const [type, resources] of translator.preview(id)?.types ?? []) {
      for (const name of [...resources.keys()].sort()) {
        digest.update(`${type} ${name} `).update(resources.get(name)?.bytes ?? "");
      }
    }
  }
  const { warnings, failures } = translator.publish(snapshot, new Set());
  const view = viewOf(snapshot);
  const agents = workloads.map((one) => [proxyConfigFor(view, one).concurrency, toldOfGroups(one, objects)]);
  return digest.update(JSON.stringify([told, warnings, failures, agents])).digest("hex");
}

function asStored(object: ParsedObject, order: number): StoredObject {
  return { ...object, createdAt: order, revision: order, origin: "api" };
}

/** The workload as a member of the group of its service's name, if there is one. */
function asMember(workload: PlacedWorkload, objects: readonly ParsedObject[]): PlacedWorkload {
  const group = groupsAmong(objects).find(({ metadata }) => metadata.name === workload.service);
  return group === undefined ? workload : memberOf(workload, group);
}

/** What its agent is told where the workload is a member of each group. */
function toldOfGroups(workload: PlacedWorkload, objects: readonly ParsedObject[]): unknown {
  return groupsAmong(objects).map((group) => toGroupSettings(memberOf(workload, group), undefined));
}

function memberOf(
  workload: PlacedWorkload,
  { metadata, spec }: ParsedObject<"WorkloadGroup">,
): PlacedWorkload {
  const defaulted = ["app", "serviceAccount", "weight"] as const;
  return withGroup(workload, { name: metadata.name, defaulted }, spec);
}

function groupsAmong(objects: readonly ParsedObject[]): readonly ParsedObject<"WorkloadGroup">[] {
  return objects.filter((one): one is ParsedObject<"WorkloadGroup"> => one.kind === "WorkloadGroup");
}
