/** A text with commands in it, as Envoy's access logs and header values have them: `%NAME(argument):longest%`. */
export type Format = readonly FormatPart[];

export type FormatPart = string | Command;

export interface Command {
  readonly name: string;
  /** What is in its parentheses; undefined: it has none. */
  readonly argument: string | undefined;
  /** Characters that its value is cut to. */
  readonly longest: number | undefined;
}

const COMMAND = /%([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%/y;

/** Reads a format. A problem is told by the text that is no command; whether a command is known is not looked at. */
export function parseFormat(text: string): Format | { readonly problem: string } {
  const parts: FormatPart[] = [];
  let literal = "";
  for (let at = 0; at < text.length; ) {
    if (text[at] !== "%") {
      literal += text[at++];
      continue;
    }
    if (text[at + 1] === "%") {
      literal += "%";
      at += 2;
      continue;
    }
    COMMAND.lastIndex = at;
    const found = COMMAND.exec(text);
    if (found === null) return { problem: text.slice(at, at + 40) };
    if (literal !== "") parts.push(literal);
    literal = "";
    const [whole, name = "", argument, longest] = found;
    parts.push({ name, argument, longest: longest === undefined ? undefined : Number(longest) });
    at += whole.length;
  }
  if (literal !== "") parts.push(literal);
  return parts;
}
