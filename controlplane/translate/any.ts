import type { Any } from "../../mesh/xds/gen/google/protobuf/any.ts";

/** The parts of a generated message type that packing needs. */
interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
}

/** A message as an Any: `pack("envoy.extensions.….Router", Router, Router.fromPartial({}))`. */
export function pack<T>(typeName: string, codec: Codec<T>, message: T): Any {
  return { typeUrl: `type.googleapis.com/${typeName}`, value: codec.encode(message).finish() };
}
