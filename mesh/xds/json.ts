import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { MeshError } from "../errors.ts";

export type { JsonValue } from "@bufbuild/protobuf";

/** Where the generated descriptor set lies. mesh/ reads no file: the program that needs ProtoJSON reads it. */
export const DESCRIPTORS_URL: URL = new URL("./gen/descriptors.binpb", import.meta.url);

/** Canonical ProtoJSON of any message that is generated, with nested `Any`s expanded. */
export interface XdsJson {
  /** Throws `xds.rejected` for an unknown type or bytes that are no such message. */
  resourceToJson(typeUrl: string, bytes: Uint8Array): JsonValue;
  /** The other way. Throws `xds.rejected` for an unknown type, field or value. */
  jsonToResource(typeUrl: string, json: JsonValue): Uint8Array;
}

/** `descriptors` gives the bytes of the file at `DESCRIPTORS_URL`; it is called once, at the first use. */
export function createXdsJson(descriptors: () => Uint8Array): XdsJson {
  let loaded: FileRegistry | undefined;
  const registry = (): FileRegistry => {
    loaded ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors()));
    return loaded;
  };
  return {
    resourceToJson(typeUrl, bytes) {
      const type = messageType(registry(), typeUrl);
      return attempt(`printing a ${type.typeName}`, () =>
        toJson(type, fromBinary(type, bytes), { registry: registry() }),
      );
    },
    jsonToResource(typeUrl, json) {
      const type = messageType(registry(), typeUrl);
      return attempt(`reading a ${type.typeName}`, () =>
        toBinary(type, fromJson(type, json, { registry: registry() })),
      );
    },
  };
}

function messageType(registry: FileRegistry, typeUrl: string): DescMessage {
  const type = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  if (type === undefined) {
    throw new MeshError("xds.rejected", `no message type is known for ${typeUrl}`, {
      hint: "add its .proto to setup/generate.ts and run npm run generate",
    });
  }
  return type;
}

function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new MeshError("xds.rejected", what, { cause });
  }
}
