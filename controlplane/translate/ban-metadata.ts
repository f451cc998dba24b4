import type { ServiceKey } from "../../mesh/model/service.ts";
import { Metadata } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";

/**
 * What has changed, in whatever, is a new chain or a new cluster for Envoy: it drains and then closes what is open by the
 * old one. There is no other way to make it end a connection whose peer was banned after the handshake.
 */
export function banMetadata(lastBanMs: number): Metadata {
  const lastBan = new Date(lastBanMs).toISOString();
  return Metadata.fromPartial({ filterMetadata: { lateen: { lastBan } } });
}

/** The same of those who call these services, with what else there is; undefined when there is nothing. */
export function withServerBans(
  view: SnapshotView,
  services: readonly ServiceKey[],
  metadata: Metadata | undefined,
): Metadata | undefined {
  const last = Math.max(0, ...services.map((key) => view.lastServerBan(key)));
  if (last === 0) return metadata;
  const { filterMetadata } = banMetadata(last);
  return Metadata.fromPartial({ filterMetadata: { ...metadata?.filterMetadata, ...filterMetadata } });
}
