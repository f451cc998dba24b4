import type { Violation } from "../../../mesh/model/violation.ts";
import type { LocalService } from "../discovery.ts";

/** A file of services, as far as it can be used: all of it or nothing. */
export type ParsedServices =
  | {
      readonly ok: true;
      readonly services: readonly LocalService[];
      /** What of it means nothing here and was passed over. */
      readonly notices: readonly Violation[];
    }
  | { readonly ok: false; readonly violations: readonly Violation[] };
