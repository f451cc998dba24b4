import { createHash } from "node:crypto";
import * as z from "zod";
import { MeshError } from "../../mesh/errors.ts";
import { encodeDeltaResponse } from "../../mesh/xds/encode-response.ts";
import { NO_RESOURCES, type ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import { DeltaDiscoveryResponse } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type { TypeUrl } from "../../mesh/xds/type-urls.ts";
import { parseDeltaResponse } from "./parse-response.ts";
import { type Configuration, STORED_TYPES } from "./stored-types.ts";

/** Whose configuration a log has. */
export interface LogOwner {
  readonly node: string;
  readonly trustDomain: string;
}

/** The end of a log, where the next change goes. */
export interface LogEnd {
  readonly bytes: number;
  /** Checksum over all that is before: the next change's is over this one and the change. */
  readonly chain: string;
}

/** Text to be written, and where the log ends with it. */
export interface LogText {
  readonly text: string;
  readonly end: LogEnd;
}

/** What a log says. Of its last change a kill may have left a part, which does not count. */
export type ReadLog =
  | {
      readonly kind: "read";
      readonly configuration: Configuration;
      readonly end: LogEnd;
      /** Where it ended when it was written anew. */
      readonly firstBytes: number;
      readonly torn: boolean;
    }
  /** It is sound, and not to be used. */
  | { readonly kind: "refused"; readonly reason: string };

const FORMAT = 2;
const anyHeader = z.looseObject({ format: z.int() });
const header = z.strictObject({ format: z.literal(FORMAT), node: z.string(), trustDomain: z.string() });

/** A log with one change: all that there is. */
export function newLog(owner: LogOwner, configuration: Configuration): LogText {
  const head = JSON.stringify({ format: FORMAT, node: owner.node, trustDomain: owner.trustDomain });
  const end = { bytes: Buffer.byteLength(head) + 1, chain: checksum("", head) };
  const change = changeText(end, new Map(), configuration);
  return { text: `${head}\n${change.text}`, end: change.end };
}

/**
 * The change from one configuration to the next, of all types: one line with a checksum and, for each type, a delta
 * response in base64. It counts as a whole or not at all.
 */
export function changeText(at: LogEnd, before: Configuration, after: Configuration): LogText {
  const parts: string[] = [];
  for (const [typeUrl, resources] of after) {
    const known = before.get(typeUrl);
    if (resources === known) continue;
    const { set, removed } = resources.changesSince(known ?? NO_RESOURCES);
    const upserts = set.map(([, resource]) => resource);
    const body = encodeDeltaResponse({ typeUrl, nonce: "", version: "" }, upserts, removed);
    parts.push(Buffer.from(body).toString("base64"));
  }
  const said = parts.join(" ");
  const chain = checksum(at.chain, said);
  const text = `${chain} ${said}\n`;
  return { text, end: { bytes: at.bytes + text.length, chain } };
}

/** Throws `agent.state` for what nobody has written so: something in it was changed, removed, or put in another order. */
export function readLog(text: string, owner: LogOwner): ReadLog {
  const lines = text.split("\n");
  const torn = lines.pop() !== "";
  const [head, ...changes] = lines;
  if (head === undefined) throw new MeshError("agent.state", "it has no first line");
  const { format } = anyHeader.parse(JSON.parse(head));
  if (format > FORMAT) return { kind: "refused", reason: `a newer version wrote it (format ${format})` };
  const { node, trustDomain } = header.parse(JSON.parse(head));
  const configuration = new Map<TypeUrl, ResourceMap>();
  let end: LogEnd = { bytes: Buffer.byteLength(head) + 1, chain: checksum("", head) };
  let firstBytes = 0;
  for (const line of changes) {
    const said = line.slice(end.chain.length + 1);
    end = { bytes: end.bytes + line.length + 1, chain: checksum(end.chain, said) };
    if (line !== `${end.chain} ${said}`)
      throw new MeshError("agent.state", "its checksum does not match its content");
    firstBytes ||= end.bytes;
    for (const part of said.split(" ")) applyPart(configuration, part);
  }
  if (trustDomain !== owner.trustDomain) {
    return {
      kind: "refused",
      reason: `it is of trust domain ${trustDomain}, and this agent's is ${owner.trustDomain}`,
    };
  }
  if (node !== owner.node) return { kind: "refused", reason: `it is of node ${node}` };
  return { kind: "read", configuration, end, firstBytes, torn };
}

function applyPart(configuration: Map<TypeUrl, ResourceMap>, part: string): void {
  const response = DeltaDiscoveryResponse.decode(Buffer.from(part, "base64"));
  const { upserts, removals } = parseDeltaResponse(response);
  const typeUrl = STORED_TYPES.find((known) => known === response.typeUrl);
  if (typeUrl === undefined) throw new MeshError("agent.state", `it has a ${response.typeUrl}`);
  const before = configuration.get(typeUrl) ?? NO_RESOURCES;
  const edits = [
    ...upserts.map((resource) => [resource.name, resource] as const),
    ...removals.map((name) => [name, undefined] as const),
  ];
  configuration.set(typeUrl, before.edited(edits));
}

function checksum(before: string, said: string): string {
  return createHash("sha256").update(`${before}\n${said}`).digest("hex");
}
