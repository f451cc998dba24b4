import { Command, Option } from "commander";
import { consulClient } from "../../mesh/consul/consul-client.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Action } from "../import/consul/access-terms.ts";
import { askDefaultPolicy, askEntries } from "../import/consul/ask-consul.ts";
import { type ConfigEntries, parseEntries } from "../import/consul/config-entries.ts";
import { entriesOfFile } from "../import/consul/entry-files.ts";
import { translate } from "../import/consul/translate.ts";
import { writeManifests } from "../import/write-manifests.ts";
import { readInputs } from "../input-files.ts";
import { manifestsText, tellLosses } from "../output/imported.ts";
import { filesOption, type NamespaceOptions, recursiveOption, withNamespace } from "./client-options.ts";

interface ImportOptions extends NamespaceOptions {
  readonly consul?: string;
  readonly tokenFile?: string;
  readonly datacenter?: string;
  readonly filename?: readonly string[];
  readonly recursive: boolean;
  readonly defaultPolicy?: Action;
  readonly out?: string;
  readonly output: "yaml" | "json";
  readonly strict: boolean;
}

interface Source {
  readonly entries: ConfigEntries;
  /** Undefined when neither the user nor a Consul said so. */
  readonly defaultPolicy: Action | undefined;
}

export function importCommand(context: CliContext, exit: Exit): Command {
  const { environment } = context;
  const consul = new Command("consul")
    .description(
      "Consul's config entries and intentions as objects, with what has no equivalent; Consul is only read",
    )
    .addOption(
      new Option("--consul <address>", "a running Consul, like http://127.0.0.1:8500 (CONSUL_HTTP_ADDR)"),
    )
    .option(
      "--token-file <file>",
      "its ACL token (CONSUL_HTTP_TOKEN_FILE)",
      environment["CONSUL_HTTP_TOKEN_FILE"],
    )
    .option("--datacenter <name>", "its datacenter; that of the agent unless it is given")
    .addOption(filesOption("files or directories of entries as `consul config read` prints them, or -"))
    .addOption(recursiveOption())
    .addOption(
      new Option(
        "--default-policy <action>",
        "for calls that no intention is about; a running Consul knows it",
      ).choices(["allow", "deny"]),
    )
    .option("--out <dir>", "one file for each service, instead of standard output")
    .addOption(new Option("-o, --output <format>", "output format").choices(["yaml", "json"]).default("yaml"))
    .option("--strict", "exit with 1 when something has no equivalent", false);
  return new Command("import").description("objects from what another mesh has").addCommand(
    withNamespace(consul, context).action(async (options: ImportOptions) => {
      exit(await importConsul(context, options));
    }),
  );
}

async function importConsul(context: CliContext, options: ImportOptions): Promise<number> {
  const { namespace, output, out, strict } = options;
  const { entries, defaultPolicy } = await readSource(context, options);
  const { manifests, losses } = translate(entries, { namespace, defaultPolicy });
  if (out !== undefined) await writeManifests(out, manifests);
  else if (output === "yaml") context.stdout.write(manifestsText(manifests));
  if (output === "json") {
    const items = out === undefined ? manifests : [];
    context.stdout.write(
      `${JSON.stringify({ apiVersion: "v1", kind: "List", items, report: losses }, undefined, 2)}\n`,
    );
  } else tellLosses(context, losses, manifests.length);
  return strict && losses.length > 0 ? EXIT.negative : EXIT.ok;
}

async function readSource(context: CliContext, options: ImportOptions): Promise<Source> {
  const { filename, consul } = options;
  if (filename !== undefined && consul !== undefined)
    throw new MeshError("cli.usage", "both -f and --consul are given", { hint: "give one of them" });
  if (filename !== undefined) return await readEntryFiles(context, filename, options);
  const address = consul ?? context.environment["CONSUL_HTTP_ADDR"];
  if (address === undefined || address === "")
    throw new MeshError("cli.usage", "nothing to import: neither -f nor --consul is given", {
      hint: "lateen import consul --consul http://127.0.0.1:8500",
    });
  return await readConsul(context, address, options);
}

async function readEntryFiles(
  context: CliContext,
  filename: readonly string[],
  options: ImportOptions,
): Promise<Source> {
  const files = await readInputs(filename, context, options);
  const written = files.flatMap(entriesOfFile);
  const entries = parseEntries(written, filename.join(", "));
  const { defaultPolicy } = options;
  if (entries.intentions.length > 0 && defaultPolicy === undefined)
    throw new MeshError("cli.usage", "the intentions do not say what happens to calls that none is about", {
      hint: "give --default-policy deny where Consul's acl.default_policy is deny, else --default-policy allow",
    });
  return { entries, defaultPolicy };
}

async function readConsul(
  context: CliContext,
  written: string,
  { tokenFile, datacenter, defaultPolicy }: ImportOptions,
): Promise<Source> {
  const address = /^https?:\/\//.test(written) ? written : `http://${written}`;
  if (!URL.canParse(address))
    throw new MeshError("cli.usage", `${written} is no address`, {
      hint: "write it like http://127.0.0.1:8500",
    });
  using client = consulClient({ address, tokenFile, datacenter });
  const entries = parseEntries(await askEntries(client, context.signal), address);
  return { entries, defaultPolicy: defaultPolicy ?? (await askDefaultPolicy(client, context.signal)) };
}
