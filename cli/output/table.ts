/** A cell that says how it should strike the eye, where colours are taken. */
export interface TonedCell {
  readonly text: string;
  readonly tone: "good" | "warning" | "bad";
}

export type Cell = string | TonedCell;

const ANSI: Readonly<Record<TonedCell["tone"], string>> = { good: "32", warning: "33", bad: "31" };
const GAP = "   ";

/** Lines up rows under their headers; nothing trails a line. `-` stands for an empty cell. */
export function formatTable(
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: { readonly color: boolean; readonly headers?: boolean } = { color: false },
): string {
  const lines = options.headers === false ? rows : [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => textOf(line[index]).length)));
  return lines
    .map((line) => {
      const cells = columns.map((_, index) => {
        const padding =
          index === columns.length - 1 ? "" : " ".repeat((widths[index] ?? 0) - textOf(line[index]).length);
        return paint(line[index], options.color) + padding;
      });
      return `${cells.join(GAP)}\n`;
    })
    .join("");
}

/** Text from elsewhere, made safe for a terminal: control characters would move its cursor or change its title. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\u{fffd}");
}

function textOf(cell: Cell | undefined): string {
  const text = printable(typeof cell === "object" ? cell.text : (cell ?? ""));
  return text === "" ? "-" : text;
}

function paint(cell: Cell | undefined, color: boolean): string {
  return typeof cell === "object" ? toned(cell, color) : textOf(cell);
}

/** The text of a cell in the colour of its tone, where colours are taken. */
export function toned(cell: TonedCell, color: boolean): string {
  const text = textOf(cell);
  return color ? `\u{1b}[${ANSI[cell.tone]}m${text}\u{1b}[0m` : text;
}
