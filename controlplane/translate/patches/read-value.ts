import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { PatchOperation } from "../../../mesh/model/envoy-filter.ts";
import { createXdsJson, type JsonValue } from "../../../mesh/xds/json.ts";
import type { MessageTypes } from "../../../mesh/xds/message-types.ts";
import { CODECS, type MessageOf, type PatchValue, type Target } from "./patch.ts";

interface ReadValue<M> {
  readonly value: PatchValue<M>;
  /** What it says and this program does not know; it is left out. */
  readonly unknown: string | undefined;
}

/** What stands for itself, and so needs a name. */
const RESOURCES: readonly Target[] = ["LISTENER", "CLUSTER", "EXTENSION_CONFIG"];

/** Reads a patch's ProtoJSON. Fields of a newer Envoy are left out, as in Istio; throws `xds.rejected` for all else. */
export function readValue<T extends Target>(
  types: MessageTypes,
  applyTo: T,
  operation: PatchOperation,
  written: Readonly<Record<string, unknown>>,
): ReadValue<MessageOf[T]> {
  const codec = CODECS[applyTo];
  const { bytes, unknown } = readBytes(types, codec.typeName, written as JsonValue);
  const message = codec.decode(bytes);
  if (operation === "ADD" && RESOURCES.includes(applyTo) && "name" in message && message.name === "")
    throw new MeshError("xds.rejected", "its value has no name");
  return { value: { bytes, message }, unknown };
}

function readBytes(
  types: MessageTypes,
  typeName: string,
  written: JsonValue,
): { readonly bytes: Uint8Array; readonly unknown: string | undefined } {
  const json = createXdsJson(types);
  try {
    return { bytes: json.jsonToResource(typeName, written), unknown: undefined };
  } catch (error) {
    const bytes = json.jsonToResource(typeName, written, { ignoreUnknownFields: true });
    return { bytes, unknown: reasonOf(error) };
  }
}

/** In the library's words, which name the field. */
export function reasonOf(error: unknown): string {
  return messageOf(error instanceof MeshError && error.cause !== undefined ? error.cause : error);
}
