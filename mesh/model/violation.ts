/** One thing that is wrong with an object, and where. */
export interface Violation {
  /** Path of the field as its author would write it: `spec.http[0].route[1].weight`; empty for the whole document. */
  readonly path: string;
  readonly message: string;
  /**
   * `warning` does not keep an object out unless the caller asked for strictness; `info` is about an object that is not
   * the mesh's, and was passed over.
   */
  readonly severity: "error" | "warning" | "info";
}

/** A violation with the object and the place in the input that it belongs to. */
export interface LocatedViolation extends Violation {
  /** The file it was read from, where it was one. */
  readonly file?: string;
  /** Index of the YAML document in its input, from 0. */
  readonly document: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** 1-based line of the field, or of the closest parent that is written down; 0 when unknown. */
  readonly line: number;
}
