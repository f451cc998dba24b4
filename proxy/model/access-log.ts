import type { CelExpression } from "../../mesh/cel/expression.ts";
import type { Format } from "../format/format.ts";
import type { JsonFormat } from "../format/json-format.ts";

/** Where what has passed is told. */
export interface AccessLogs {
  /** To the agent, counted. */
  readonly calls: boolean;
  readonly logs: readonly AccessLog[];
}

export interface AccessLog {
  readonly destination: FileLog | OtlpLog;
  /** Undefined: everything is written. */
  readonly filter: LogFilter | undefined;
}

export interface FileLog {
  readonly kind: "file";
  /** `/dev/stdout` and `/dev/stderr` are the process's own. */
  readonly path: string;
  readonly format: LogFormat;
}

export type LogFormat =
  | { readonly kind: "text"; readonly format: Format; readonly omitEmpty: boolean }
  | { readonly kind: "json"; readonly format: JsonFormat; readonly omitEmpty: boolean };

/** OpenTelemetry's log service. */
export interface OtlpLog {
  readonly kind: "otlp";
  readonly cluster: string;
  /** The service is called by this name. */
  readonly authority: string;
  readonly logName: string;
  readonly body: Format;
  readonly attributes: readonly (readonly [name: string, value: Format])[];
  readonly resource: readonly (readonly [name: string, value: string])[];
}

export type LogFilter =
  | {
      readonly kind: "status" | "duration";
      readonly operator: "equal" | "at-least" | "at-most";
      readonly value: number;
    }
  | { readonly kind: "and" | "or"; readonly filters: readonly LogFilter[] }
  /** Any of them; empty: any at all. */
  | { readonly kind: "flags"; readonly flags: readonly string[] }
  | { readonly kind: "grpc-status"; readonly statuses: readonly number[]; readonly exclude: boolean }
  | { readonly kind: "expression"; readonly expression: CelExpression };
