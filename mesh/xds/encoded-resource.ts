/** A resource as it goes over the wire. Built once, sent to every stream that wants it. */
export interface EncodedResource {
  readonly name: string;
  /** Content hash: equal content has an equal version, on every server and after every restart. */
  readonly version: string;
  /** The encoded message (the `value` of its Any). */
  readonly bytes: Uint8Array;
}

/** All resources of one type for one node. The same object (identity) means: nothing changed. */
export type ResourceMap = ReadonlyMap<string, EncodedResource>;
