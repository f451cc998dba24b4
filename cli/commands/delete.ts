import { Command } from "commander";
import type { DeleteReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { isForeign } from "../../mesh/model/foreign-objects.ts";
import { isKind, KINDS } from "../../mesh/model/kinds.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { listedItems } from "../../mesh/model/parse-documents.ts";
import { isFields } from "../../mesh/model/plain-data.ts";
import { readYamlDocuments } from "../../mesh/model/yaml-documents.ts";
import { type AdminClient, apiPath } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { readInputs } from "../input-files.ts";
import { objectLabel, parseKind } from "../kinds.ts";
import {
  type ClientOptions,
  filesOption,
  type NamespaceOptions,
  openClient,
  recursiveOption,
  withClient,
  withNamespace,
} from "./client-options.ts";

interface DeleteOptions extends ClientOptions, NamespaceOptions {
  readonly filename?: readonly string[];
  readonly recursive: boolean;
  readonly ignoreNotFound: boolean;
}

interface ObjectName {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

export function deleteCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("delete")
    .description("delete configuration objects")
    .argument("[kind/name]", "virtualservice/reviews, or the kind alone with the names after it")
    .argument("[names...]")
    .addOption(filesOption("delete what these files, directories or - (standard input) name"))
    .addOption(recursiveOption())
    .option("--ignore-not-found", "do not mind what is not there", false);
  return withClient(withNamespace(command, context)).action(
    async (target: string | undefined, names: readonly string[], options: DeleteOptions) => {
      exit(await remove(context, target, names, options));
    },
  );
}

async function remove(
  context: CliContext,
  target: string | undefined,
  names: readonly string[],
  options: DeleteOptions,
): Promise<number> {
  if ((target === undefined) === (options.filename === undefined)) {
    throw new MeshError("cli.usage", "delete wants either an object or -f", {
      hint: "lateen delete virtualservice/reviews",
    });
  }
  const objects =
    target === undefined
      ? await namesInFiles(context, options)
      : namesInArguments(target, names, options.namespace);
  await using client = openClient(context, options);
  let missing = 0;
  for (const object of objects) if (!(await removeOne(context, client, object, options))) missing++;
  return missing > 0 && !options.ignoreNotFound ? EXIT.negative : EXIT.ok;
}

/** False when it was not there; everything else is deleted all the same. */
async function removeOne(
  context: CliContext,
  client: AdminClient,
  { kind, namespace, name }: ObjectName,
  { ignoreNotFound }: DeleteOptions,
): Promise<boolean> {
  try {
    await client.delete<DeleteReply>(apiPath`/v1/objects/${kind}/${namespace}/${name}`, {
      signal: context.signal,
    });
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== "object.not-found") throw error;
    if (!ignoreNotFound) context.stderr.write(`error: ${error.message}\n`);
    return false;
  }
  context.stdout.write(`${objectLabel(kind, name)} deleted\n`);
  return true;
}

function namesInArguments(
  target: string,
  names: readonly string[],
  namespace: string,
): readonly ObjectName[] {
  const [word = "", name, ...rest] = target.split("/");
  const kind = parseKind(word);
  const all = name === undefined ? names : [name, ...names];
  if (all.length === 0 || rest.length > 0 || all.includes("")) {
    throw new MeshError("cli.usage", `${target} does not name an object`, {
      hint: "lateen delete virtualservice/reviews",
    });
  }
  return all.map((name) => ({ kind, namespace, name }));
}

async function namesInFiles(context: CliContext, options: DeleteOptions): Promise<readonly ObjectName[]> {
  const files = await readInputs(options.filename ?? [], context, options);
  return files
    .flatMap(({ name, text }) => documentsOf(name, text))
    .flatMap((document) => listedItems(document)?.list ?? [document])
    .filter((content) => !isTheirs(content))
    .map((content) => objectName(content, options.namespace));
}

/** Nothing is deleted by a file of which a part cannot be read. */
function documentsOf(file: string, text: string): readonly unknown[] {
  return [...readYamlDocuments(text)].flatMap(({ value, findings: [finding] }) => {
    if (finding !== undefined)
      throw new MeshError("object.invalid", `${file}:${finding.line}: ${finding.message}`, {
        hint: "lateen validate tells all that is wrong",
      });
    return value === undefined || value === null ? [] : [value];
  });
}

/** As `apply` passes over them. */
function isTheirs(content: unknown): boolean {
  if (!isFields(content) || typeof content["kind"] !== "string") return false;
  const { apiVersion, kind } = content;
  if (isForeign(apiVersion, kind, Object.keys(KINDS))) return true;
  return isKind(kind) && KINDS[kind].notOurs?.(content) !== undefined;
}

function objectName(content: unknown, fallback: string): ObjectName {
  const { kind, metadata } = isFields(content) ? content : {};
  const { name, namespace } = isFields(metadata) ? metadata : {};
  if (typeof kind !== "string" || typeof name !== "string") {
    throw new MeshError("object.invalid", "a document has no kind or no metadata.name");
  }
  return { kind: parseKind(kind), namespace: typeof namespace === "string" ? namespace : fallback, name };
}
