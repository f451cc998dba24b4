import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { encodeDeltaResponse } from "../../mesh/xds/encode-response.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { DeltaDiscoveryResponse } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { ensurePrivateDir, quarantine, readPrivate, writePrivate } from "../state/private-files.ts";
import { parseDeltaResponse } from "./parse-response.ts";

export interface LastGoodStoreOptions {
  /** Of this node alone; made when something is first stored. */
  readonly dir: string;
  readonly nodeId: string;
  readonly logger: Logger;
  readonly clock: Pick<Clock, "now">;
}

/** Of secrets these are the credentials of gateways; a workload's own key is the identity store's and never comes here. */
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

/**
 * The configuration that one node's data plane last acknowledged, on disk: a file per type, one line of JSON with a
 * checksum over the file's place and content, then the content as a delta response in base64. What was changed,
 * truncated, swapped, or reachable by others is put aside and never used.
 */
export class LastGoodStore {
  readonly #options: LastGoodStoreOptions;
  /** The newest state that is not on disk yet: one per type, whatever the rate of changes. */
  readonly #unsaved = new Map<TypeUrl, ResourceMap>();
  #writing: Promise<void> | undefined;

  constructor(options: LastGoodStoreOptions) {
    this.#options = options;
  }

  /** What is on disk and can be trusted. A type that was never stored is missing. Never throws. */
  async load(): Promise<ReadonlyMap<TypeUrl, ResourceMap>> {
    await this.flush();
    const loaded = new Map<TypeUrl, ResourceMap>();
    for (const [typeUrl, file] of FILES) {
      const resources = await this.#loadFile(join(this.#options.dir, file), typeUrl);
      if (resources !== undefined) loaded.set(typeUrl, resources);
    }
    return loaded;
  }

  /** Writes in the background, the newest state only. A write that fails is logged; the next change tries again. */
  save(typeUrl: TypeUrl, resources: ResourceMap): void {
    if (!FILES.has(typeUrl)) return;
    this.#unsaved.set(typeUrl, resources);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Returns when everything saved so far is on disk, or has failed. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (const [typeUrl, resources] of this.#unsaved) {
      this.#unsaved.delete(typeUrl);
      try {
        await ensurePrivateDir(this.#options.dir);
        const path = join(this.#options.dir, FILES.get(typeUrl) ?? "");
        await writePrivate(path, toText(this.#options.nodeId, typeUrl, resources));
      } catch (error) {
        this.#options.logger.error("last good configuration not stored", { error: messageOf(error) });
      }
    }
  }

  async #loadFile(path: string, typeUrl: TypeUrl): Promise<ResourceMap | undefined> {
    const { nodeId, logger, clock } = this.#options;
    try {
      const text = await readPrivate(path);
      return text === undefined ? undefined : parseText(text, nodeId, typeUrl);
    } catch (error) {
      logger.warn("last good configuration not usable", { path, error: messageOf(error) });
      await quarantine(path, clock.now()).catch((failure: unknown) => {
        logger.warn("file not put aside", { path, error: messageOf(failure) });
      });
      return undefined;
    }
  }
}

function toText(node: string, typeUrl: TypeUrl, resources: ResourceMap): string {
  const body = encodeDeltaResponse({ typeUrl, nonce: "", version: "" }, resources, []);
  const head = { format: 1, node, typeUrl, sha256: checksum(node, typeUrl, body) };
  return `${JSON.stringify(head)}\n${Buffer.from(body).toString("base64")}\n`;
}

/** Undefined when the file is sound but another node's: the host's address has changed since. */
function parseText(text: string, node: string, typeUrl: TypeUrl): ResourceMap | undefined {
  const end = text.indexOf("\n");
  const head = header.parse(JSON.parse(text.slice(0, end)));
  const encoded = text.slice(end + 1, -1);
  const body = Buffer.from(encoded, "base64");
  const isWhole = text.endsWith("\n") && body.toString("base64") === encoded;
  if (!isWhole || head.sha256 !== checksum(head.node, head.typeUrl, body) || head.typeUrl !== typeUrl) {
    throw new MeshError("agent.state", "its checksum does not match its content");
  }
  if (head.node !== node) return undefined;
  const { upserts } = parseDeltaResponse(DeltaDiscoveryResponse.decode(body));
  return resourceMap(upserts);
}

function checksum(node: string, typeUrl: string, body: Uint8Array): string {
  return createHash("sha256").update(`${node}\0${typeUrl}\0`).update(body).digest("hex");
}
