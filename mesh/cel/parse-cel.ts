import { regexProblem } from "../model/regex.ts";
import { CEL_METHODS, type CelExpression, type CelMethod, type CelOperator } from "./expression.ts";

const TOKEN =
  /\s*(?:(\d+\.\d+|\d+)u?|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([A-Za-z_]\w*)|(&&|\|\||==|!=|<=|>=|[-<>!()[\].,]))/y;

/** How tightly operators bind, loosest first. */
const LEVELS: readonly (readonly CelOperator[])[] = [
  ["||"],
  ["&&"],
  ["==", "!=", "<", "<=", ">", ">=", "in"],
];
const DEEPEST = 50;

/** Reads an expression. A problem tells what is not of the part of CEL that is known here. */
export function parseCel(text: string): CelExpression | { readonly problem: string } {
  try {
    return new Parser(tokensOf(text)).whole();
  } catch (error) {
    if (error instanceof NotCel) return { problem: error.message };
    throw error;
  }
}

class NotCel extends Error {}

interface Token {
  readonly kind: "number" | "text" | "name" | "sign" | "end";
  readonly text: string;
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  for (let at = 0; at < end; ) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null) throw new NotCel(`\`${text.slice(at, at + 20).trim()}\` is not understood`);
    const [whole, number, quoted, name, sign = ""] = found;
    if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (quoted !== undefined) tokens.push({ kind: "text", text: unquoted(quoted) });
    else if (name !== undefined) tokens.push({ kind: "name", text: name });
    else tokens.push({ kind: "sign", text: sign });
    at += whole.length;
  }
  return [...tokens, { kind: "end", text: "the end" }];
}

function unquoted(quoted: string): string {
  return quoted.slice(1, -1).replaceAll(/\\(.)/g, (_, letter: string) => {
    if (letter === "n") return "\n";
    if (letter === "t") return "\t";
    if (/[\\"'`?]/.test(letter)) return letter;
    throw new NotCel(`the escape \`\\${letter}\` is not understood`);
  });
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): CelExpression {
    const expression = this.#binary(0);
    if (this.#next.kind !== "end") throw this.#unexpected();
    return expression;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", text: "the end" };
  }

  #unexpected(): NotCel {
    return new NotCel(`\`${this.#next.text}\` is not understood here`);
  }

  #takes(sign: string): boolean {
    const isNext = this.#next.kind === "sign" && this.#next.text === sign;
    if (isNext) this.#at++;
    return isNext;
  }

  #expect(sign: string): void {
    if (!this.#takes(sign)) throw this.#unexpected();
  }

  #binary(level: number): CelExpression {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = operators.find((one) => one === this.#next.text);
      if (operator === undefined || !(this.#next.kind === "sign" || operator === "in")) return left;
      this.#at++;
      left = { kind: "binary", operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): CelExpression {
    if (++this.#depth > DEEPEST) throw new NotCel("it is too deep");
    try {
      if (this.#takes("!")) return { kind: "not", of: this.#unary() };
      if (this.#takes("-")) {
        if (this.#next.kind !== "number") throw this.#unexpected();
        return { kind: "literal", value: -Number(this.#take()) };
      }
      return this.#member(this.#primary());
    } finally {
      this.#depth--;
    }
  }

  #take(): string {
    const { text } = this.#next;
    this.#at++;
    return text;
  }

  #primary(): CelExpression {
    const { kind } = this.#next;
    if (kind === "number") return { kind: "literal", value: Number(this.#take()) };
    if (kind === "text") return { kind: "literal", value: this.#take() };
    if (kind === "name") return this.#named(this.#take());
    if (this.#takes("(")) {
      const inner = this.#binary(0);
      this.#expect(")");
      return inner;
    }
    if (this.#takes("[")) return { kind: "list", items: this.#list("]") };
    throw this.#unexpected();
  }

  #named(name: string): CelExpression {
    if (name === "true" || name === "false") return { kind: "literal", value: name === "true" };
    if (name === "null") return { kind: "literal", value: null };
    if (!this.#takes("(")) return { kind: "attribute", path: [name] };
    const [argument, ...others] = this.#list(")");
    if (argument === undefined || others.length > 0) throw new NotCel(`\`${name}\` is not understood`);
    if (name === "size") return { kind: "size", of: argument };
    if (name === "has" && argument.kind === "attribute") return { kind: "has", path: argument.path };
    throw new NotCel(`the function \`${name}\` is not known`);
  }

  #list(end: string): CelExpression[] {
    const items: CelExpression[] = [];
    if (this.#takes(end)) return items;
    do items.push(this.#binary(0));
    while (this.#takes(","));
    this.#expect(end);
    return items;
  }

  #member(start: CelExpression): CelExpression {
    let of = start;
    for (;;) {
      if (this.#takes(".")) {
        if (this.#next.kind !== "name") throw this.#unexpected();
        of = this.#field(of, this.#take());
      } else if (of.kind === "attribute" && this.#takes("[")) {
        if (this.#next.kind !== "text") throw this.#unexpected();
        of = { kind: "attribute", path: [...of.path, this.#take()] };
        this.#expect("]");
      } else return of;
    }
  }

  #field(of: CelExpression, name: string): CelExpression {
    if (!this.#takes("(")) {
      if (of.kind !== "attribute") throw new NotCel(`the field \`${name}\` is not known`);
      return { kind: "attribute", path: [...of.path, name] };
    }
    const [argument, ...others] = this.#list(")");
    if (name === "size" && argument === undefined) return { kind: "size", of };
    const method = CEL_METHODS.find((one): one is CelMethod => one === name);
    if (method === undefined || argument === undefined || others.length > 0)
      throw new NotCel(`the function \`${name}\` is not known`);
    if (method === "matches" && argument.kind === "literal" && typeof argument.value === "string") {
      const problem = regexProblem(argument.value);
      if (problem !== undefined) throw new NotCel(`the pattern \`${argument.value}\` ${problem}`);
    }
    return { kind: "method", method, of, argument };
  }
}
