import { createFileRegistry, type DescMessage, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { MeshError } from "../errors.ts";

/** Where the generated descriptor set lies. mesh/ reads no file: the program that needs the types reads it. */
export const DESCRIPTORS_URL: URL = new URL("./gen/descriptors.binpb", import.meta.url);

/** All types of messages that are generated, Envoy's extensions among them, for work on messages of any type. */
export class MessageTypes {
  readonly #descriptors: () => Uint8Array;
  #registry: FileRegistry | undefined;

  /** `descriptors` gives the bytes of the file at `DESCRIPTORS_URL`; it is called once, at the first use. */
  constructor(descriptors: () => Uint8Array) {
    this.#descriptors = descriptors;
  }

  get registry(): FileRegistry {
    this.#registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, this.#descriptors()));
    return this.#registry;
  }

  /** Throws `xds.rejected` for an unknown type. */
  named(typeUrl: string): DescMessage {
    const type = this.registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
    if (type === undefined) {
      throw new MeshError("xds.rejected", `no message type is known for ${typeUrl}`, {
        hint: "add its .proto to setup/generate.ts and run npm run generate",
      });
    }
    return type;
  }
}
