import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { EncodedResource } from "./encoded-resource.ts";

/** What a response says beside its resources. */
export interface ResponseHead {
  readonly typeUrl: string;
  readonly nonce: string;
  /** `system_version_info` (delta) or `version_info` (state of the world). */
  readonly version: string;
  /** Names the server, for people who look at a proxy. */
  readonly controlPlane?: string;
}

/**
 * The bytes of a DeltaDiscoveryResponse around resources that are already encoded: they are copied once, into the
 * result, and never decoded. Field numbers are those of envoy/service/discovery/v3/discovery.proto.
 */
export function encodeDeltaResponse(
  head: ResponseHead,
  resources: Iterable<EncodedResource>,
  removed: readonly string[],
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { name, version, bytes } of resources) {
    const { header, length } = anyHeader(head.typeUrl, bytes.length);
    const own = new BinaryWriter().uint32(0x0a).string(version).uint32(0x1a).string(name);
    const prefix = own.uint32(0x12).uint32(length).raw(header).finish();
    parts.push(lengthDelimited(0x12, prefix.length + bytes.length), prefix, bytes);
  }
  const rest = new BinaryWriter();
  if (head.version !== "") rest.uint32(0x0a).string(head.version);
  rest.uint32(0x22).string(head.typeUrl).uint32(0x2a).string(head.nonce);
  for (const name of removed) rest.uint32(0x32).string(name);
  if (head.controlPlane !== undefined) rest.uint32(0x3a).bytes(controlPlane(head.controlPlane));
  parts.push(rest.finish());
  return Buffer.concat(parts);
}

/** The bytes of a (state of the world) DiscoveryResponse around resources that are already encoded. */
export function encodeSotwResponse(head: ResponseHead, resources: Iterable<EncodedResource>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { bytes } of resources) {
    const { header, length } = anyHeader(head.typeUrl, bytes.length);
    parts.push(lengthDelimited(0x12, length), header, bytes);
  }
  const rest = new BinaryWriter().uint32(0x0a).string(head.version);
  rest.uint32(0x22).string(head.typeUrl).uint32(0x2a).string(head.nonce);
  if (head.controlPlane !== undefined) rest.uint32(0x32).bytes(controlPlane(head.controlPlane));
  parts.push(rest.finish());
  return Buffer.concat(parts);
}

/** What goes before `size` bytes of a message to make them an Any, and the length of both together. */
function anyHeader(typeUrl: string, size: number): { readonly header: Uint8Array; readonly length: number } {
  const writer = new BinaryWriter().uint32(0x0a).string(typeUrl);
  if (size > 0) writer.uint32(0x12).uint32(size);
  const header = writer.finish();
  return { header, length: header.length + size };
}

function lengthDelimited(tag: number, length: number): Uint8Array {
  return new BinaryWriter().uint32(tag).uint32(length).finish();
}

function controlPlane(identifier: string): Uint8Array {
  return new BinaryWriter().uint32(0x0a).string(identifier).finish();
}
