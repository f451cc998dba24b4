import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { MeshError } from "../errors.ts";
import { MessageTypes } from "./message-types.ts";

export type { JsonValue } from "@bufbuild/protobuf";
export { DESCRIPTORS_URL } from "./message-types.ts";

/** Canonical ProtoJSON of any message that is generated, with nested `Any`s expanded. */
export interface XdsJson {
  /** Throws `xds.rejected` for an unknown type or bytes that are no such message. */
  resourceToJson(typeUrl: string, bytes: Uint8Array): JsonValue;
  /**
   * The other way. Throws `xds.rejected` for an unknown type, field or value; `ignoreUnknownFields` leaves out fields,
   * and names of an enum, that are not known.
   */
  jsonToResource(
    typeUrl: string,
    json: JsonValue,
    options?: { readonly ignoreUnknownFields?: boolean },
  ): Uint8Array;
}

/** Reads the types from a set that others use too, or from the bytes of the file at `DESCRIPTORS_URL`. */
export function createXdsJson(descriptors: MessageTypes | (() => Uint8Array)): XdsJson {
  const types = descriptors instanceof MessageTypes ? descriptors : new MessageTypes(descriptors);
  return {
    resourceToJson(typeUrl, bytes) {
      const type = types.named(typeUrl);
      return attempt(`printing a ${type.typeName}`, () =>
        toJson(type, fromBinary(type, bytes), { registry: types.registry }),
      );
    },
    jsonToResource(typeUrl, json, { ignoreUnknownFields = false } = {}) {
      const type = types.named(typeUrl);
      return attempt(`reading a ${type.typeName}`, () =>
        toBinary(type, fromJson(type, json, { registry: types.registry, ignoreUnknownFields })),
      );
    },
  };
}

function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new MeshError("xds.rejected", what, { cause });
  }
}
