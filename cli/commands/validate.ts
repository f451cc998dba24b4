import { Command } from "commander";
import { admitFiles, parseFiles } from "../../controlplane/offline.ts";
import { listOf } from "../../mesh/admin-api/replies.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { readInputs } from "../input-files.ts";
import { type Column, render } from "../output/render.ts";
import { placeOf, tellPassedOver } from "../output/violations.ts";
import {
  type FileOptions,
  type FormatOptions,
  filesOption,
  type NamespaceOptions,
  recursiveOption,
  withNamespace,
  withOutput,
} from "./client-options.ts";

interface ValidateOptions extends NamespaceOptions, FormatOptions, FileOptions {
  readonly strict: boolean;
}

/** One violation as `-o json` tells it; these fields are an interface for others. */
interface ValidateItem {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly path: string;
  readonly message: string;
  readonly severity: LocatedViolation["severity"];
}

export function validateCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("validate")
    .description("check configuration objects in files against their schemas, without a server")
    .addOption(filesOption().makeOptionMandatory())
    .addOption(recursiveOption())
    .option("--strict", "fail on warnings too, such as unknown fields", false);
  return withOutput(withNamespace(command, context), context, ["table", "json"]).action(
    async (options: ValidateOptions) => {
      exit(await validate(context, options));
    },
  );
}

async function validate(context: CliContext, options: ValidateOptions): Promise<number> {
  const files = await readInputs(options.filename, context, options);
  const { objects, violations } = parseFiles(files, { defaultNamespace: options.namespace });
  if (!violations.some(({ severity }) => severity === "error")) admitFiles(objects);
  const text = options.output === "table";
  const items = violations.filter(({ severity }) => !text || severity !== "info").map(toItem);
  const none = `${count(objects.length, "object")} in ${count(files.length, "file")}: nothing is wrong`;
  const name = ({ kind, namespace, name }: ValidateItem): string => `${kind} ${namespace}/${name}`;
  render(context, { items, columns: COLUMNS, name, value: listOf(items), none }, options);
  if (text) tellPassedOver(context, violations);
  const failed = items.some(
    ({ severity }) => severity === "error" || (options.strict && severity === "warning"),
  );
  return failed ? EXIT.invalidInput : EXIT.ok;
}

const COLUMNS: readonly Column<ValidateItem>[] = [
  { header: "PLACE", cell: placeOf },
  {
    header: "SEVERITY",
    cell: ({ severity }) => ({ text: severity, tone: severity === "error" ? "bad" : "warning" }),
  },
  {
    header: "OBJECT",
    cell: ({ kind, namespace, name }) => (kind === "" ? "" : `${kind} ${namespace}/${name}`),
  },
  { header: "FIELD", cell: ({ path }) => path },
  { header: "MESSAGE", cell: ({ message }) => message },
];

function toItem({
  kind,
  namespace,
  name,
  file = "",
  line,
  path,
  message,
  severity,
}: LocatedViolation): ValidateItem {
  return { kind, namespace, name, file, line, path, message, severity };
}

function count(number: number, noun: string): string {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}s`;
}
