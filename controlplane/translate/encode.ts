import { hash } from "node:crypto";
import type { EncodedResource } from "../xds/config-source.ts";

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
}

/** 132 bits of the hash: 22 characters, enough for no two contents to ever share a version. */
const VERSION_LENGTH = 22;

/** Encodes a resource, once; its version is its content. */
export function encodeResource<T>(name: string, codec: Codec<T>, message: T): EncodedResource {
  return encodedResource(name, codec.encode(message).finish());
}

/** A resource from its bytes. */
export function encodedResource(name: string, bytes: Uint8Array): EncodedResource {
  return { name, version: digest(bytes), bytes };
}

/** A short name for plain data, equal for equal data. */
export function contentKey(data: unknown): string {
  return digest(JSON.stringify(data));
}

function digest(content: Uint8Array | string): string {
  return hash("sha256", content, "base64url").slice(0, VERSION_LENGTH);
}
