import { createHash } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { MeshError } from "../../mesh/errors.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { DeltaDiscoveryResponse } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { readPrivate } from "../state/private-files.ts";
import { parseDeltaResponse } from "./parse-response.ts";

/** What agents of earlier versions wrote: a file per type. */
const FILES: ReadonlyMap<TypeUrl, string> = new Map([
  [TYPE_URL.cluster, "clusters.xds"],
  [TYPE_URL.endpoints, "endpoints.xds"],
  [TYPE_URL.extension, "extensions.xds"],
  [TYPE_URL.listener, "listeners.xds"],
  [TYPE_URL.route, "routes.xds"],
  [TYPE_URL.virtualHost, "virtual-hosts.xds"],
  [TYPE_URL.secret, "secrets.xds"],
]);

const header = z.strictObject({
  format: z.literal(1),
  node: z.string(),
  typeUrl: z.string(),
  sha256: z.string().length(64),
});

/** The files of a directory, there or not. */
export function formatOneFiles(dir: string): readonly { readonly typeUrl: TypeUrl; readonly path: string }[] {
  return [...FILES].map(([typeUrl, name]) => ({ typeUrl, path: join(dir, name) }));
}

/** When the newest of the files was written, in milliseconds since the epoch; undefined: there is none. */
export async function formatOneTime(dir: string): Promise<number | undefined> {
  const times = await Promise.all(
    formatOneFiles(dir).map(({ path }) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  const newest = Math.max(...times);
  return newest === 0 ? undefined : newest;
}

/** Undefined for no file, or another node's: the host's address has changed since. Throws for what cannot be trusted. */
export async function readFormatOne(
  path: string,
  node: string,
  typeUrl: TypeUrl,
): Promise<ResourceMap | undefined> {
  const text = await readPrivate(path);
  if (text === undefined) return undefined;
  const end = text.indexOf("\n");
  const head = header.parse(JSON.parse(text.slice(0, end)));
  const encoded = text.slice(end + 1, -1);
  const body = Buffer.from(encoded, "base64");
  const isWhole = text.endsWith("\n") && body.toString("base64") === encoded;
  const sum = createHash("sha256").update(`${head.node}\0${head.typeUrl}\0`).update(body).digest("hex");
  if (!isWhole || head.sha256 !== sum || head.typeUrl !== typeUrl) {
    throw new MeshError("agent.state", "its checksum does not match its content");
  }
  if (head.node !== node) return undefined;
  return resourceMap(parseDeltaResponse(DeltaDiscoveryResponse.decode(body)).upserts);
}

export async function removeFormatOne(dir: string): Promise<void> {
  for (const { path } of formatOneFiles(dir)) await rm(path, { force: true });
}
