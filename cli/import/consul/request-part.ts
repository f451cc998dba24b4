/** One thing that a call must, or must not, be like. */
export interface RequestPart {
  readonly field: "paths" | "methods" | "requestPrincipals" | "when";
  /** Of a condition: `request.headers[x-name]`. */
  readonly key?: string;
  readonly values: readonly string[];
  readonly not: boolean;
}

export function negated(part: RequestPart): RequestPart {
  return { ...part, not: !part.not };
}
