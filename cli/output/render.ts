import { stringify } from "yaml";
import type { CliContext } from "../context.ts";
import { type Cell, formatTable } from "./table.ts";

export const OUTPUT_FORMATS = ["table", "wide", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export interface Column<T> {
  readonly header: string;
  readonly cell: (item: T) => Cell;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
}

/** What a listing looks like in each format. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly columns: readonly Column<T>[];
  /** One line of `-o name`. */
  readonly name: (item: T) => string;
  /** What `-o json` and `-o yaml` print. */
  readonly value: unknown;
  /** Said on stderr instead of an empty table. */
  readonly none: string;
}

export interface OutputOptions {
  readonly output: OutputFormat;
  readonly headers: boolean;
}

export function render<T>(context: CliContext, listed: Listed<T>, { output, headers }: OutputOptions): void {
  switch (output) {
    case "json":
      context.stdout.write(`${JSON.stringify(listed.value, undefined, 2)}\n`);
      return;
    case "yaml":
      context.stdout.write(toYaml(listed.value));
      return;
    case "name":
      context.stdout.write(listed.items.map((item) => `${listed.name(item)}\n`).join(""));
      return;
    case "table":
    case "wide": {
      if (listed.items.length === 0) {
        context.stderr.write(`${listed.none}\n`);
        return;
      }
      const columns = listed.columns.filter(({ wide }) => output === "wide" || wide !== true);
      const rows = listed.items.map((item) => columns.map(({ cell }) => cell(item)));
      const names = columns.map(({ header }) => header);
      context.stdout.write(formatTable(names, rows, { color: context.color, headers }));
      return;
    }
    default:
      output satisfies never;
  }
}

export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
