import { type DescField, fromBinary, mergeFromBinary, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { MessageTypes } from "./message-types.ts";

/** What becomes of a list that both messages have. */
export type ListMerge = "append" | "replace";

/**
 * Lays one message over another of its type, as Istio does (pkg/proto/merge): messages are merged field by field, scalars
 * and entries of maps replace, and so does a Duration, which would be wrong in halves. What has its zero value is not set
 * and changes nothing, even in a wrapper. Throws when the bytes are no such messages.
 */
export function mergeMessages(
  types: MessageTypes,
  typeUrl: string,
  base: Uint8Array,
  over: Uint8Array,
  lists: ListMerge,
): Uint8Array {
  const type = types.named(typeUrl);
  const merged = fromBinary(type, base);
  makeRoom(reflect(type, merged), reflect(type, fromBinary(type, over)), lists);
  return toBinary(type, mergeFromBinary(type, merged, over));
}

/** Takes out of the base what is replaced and not merged. */
function makeRoom(base: ReflectMessage, over: ReflectMessage, lists: ListMerge): void {
  for (const field of over.fields) {
    if (!over.isSet(field) || !base.isSet(field)) continue;
    if (isReplaced(field, lists)) base.clear(field);
    else if (field.fieldKind === "message") makeRoom(base.get(field), over.get(field), lists);
  }
}

function isReplaced(field: DescField, lists: ListMerge): boolean {
  if (field.fieldKind === "list") return lists === "replace";
  return field.fieldKind === "message" && field.message.typeName === "google.protobuf.Duration";
}
