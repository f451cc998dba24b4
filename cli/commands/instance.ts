import { Command, Option } from "commander";
import { type EmbeddedInstance, type List, listOf } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { apiPath } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { type Column, render } from "../output/render.ts";
import {
  type ClientOptions,
  type FormatOptions,
  type NamespaceOptions,
  openClient,
  withClient,
  withNamespace,
  withOutput,
} from "./client-options.ts";

interface AddOptions extends ClientOptions, NamespaceOptions {
  readonly instanceAddress: string;
  readonly port: string;
  readonly servicePort?: string;
  readonly protocol?: string;
  readonly id?: string;
  readonly node?: string;
  readonly label?: readonly string[];
  readonly weight?: string;
  readonly locality?: string;
  readonly unhealthy: boolean;
}

const INSTANCES = "/v1/registry/embedded/instances";

export function instanceCommand(context: CliContext, exit: Exit): Command {
  const add = new Command("add")
    .description("register an instance in the server's own catalog, or change it")
    .argument("<service>")
    .requiredOption("--instance-address <ip>", "where the instance is reached")
    .requiredOption("-p, --port <number>", "the port that it listens on")
    .option("--service-port <number>", "the port that callers name; the instances' port if they agree")
    .addOption(new Option("--protocol <name>", "what it speaks; tcp if not given").choices(PROTOCOLS))
    .option("--id <id>", "the instance's id; <service>-<address>-<port> if not given")
    .option("--node <name>", "the host that it runs on")
    .option("-l, --label <key=value...>", "labels, for subsets and selectors")
    .option("--weight <number>", "its share of the calls")
    .option("--locality <region/zone>", "where it runs")
    .option("--unhealthy", "known, and not to be called", false)
    .action(async (service: string, options: AddOptions) =>
      exit(await addInstance(context, service, options)),
    );
  const remove = new Command("remove")
    .alias("rm")
    .description("take an instance out of the server's own catalog")
    .argument("<id>")
    .action(async (id: string, options: ClientOptions) => exit(await removeInstance(context, id, options)));
  const list = new Command("list")
    .alias("ls")
    .description("the instances in the server's own catalog")
    .action(async (options: ClientOptions & FormatOptions) => exit(await listInstances(context, options)));
  return new Command("instance")
    .description("the embedded registry, for those who run no other catalog")
    .addCommand(withClient(withNamespace(add, context)))
    .addCommand(withClient(remove))
    .addCommand(withClient(withOutput(list, context)));
}

const PROTOCOLS = ["http", "http2", "grpc", "tcp", "tls"];

async function addInstance(context: CliContext, service: string, options: AddOptions): Promise<number> {
  await using client = openClient(context, options);
  const id = options.id ?? `${service}-${options.instanceAddress}-${options.port}`;
  const body = {
    service,
    namespace: options.namespace,
    address: options.instanceAddress,
    port: wholeNumber("--port", options.port),
    ...(options.servicePort === undefined
      ? {}
      : { servicePort: wholeNumber("--service-port", options.servicePort) }),
    ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(options.weight === undefined ? {} : { weight: wholeNumber("--weight", options.weight) }),
    ...(options.locality === undefined ? {} : { locality: options.locality }),
    labels: Object.fromEntries((options.label ?? []).map(parseLabel)),
    healthy: !options.unhealthy,
  };
  await client.put(apiPath`/v1/registry/embedded/instances/${id}`, body, { signal: context.signal });
  context.stdout.write(`instance/${id} registered\n`);
  return EXIT.ok;
}

async function removeInstance(context: CliContext, id: string, options: ClientOptions): Promise<number> {
  await using client = openClient(context, options);
  await client.delete(apiPath`/v1/registry/embedded/instances/${id}`, { signal: context.signal });
  context.stdout.write(`instance/${id} removed\n`);
  return EXIT.ok;
}

async function listInstances(context: CliContext, options: ClientOptions & FormatOptions): Promise<number> {
  await using client = openClient(context, options);
  const { items } = await client.get<List<EmbeddedInstance>>(INSTANCES, { signal: context.signal });
  const columns: readonly Column<EmbeddedInstance>[] = [
    { header: "ID", cell: ({ id }) => id },
    { header: "NAMESPACE", cell: ({ namespace }) => namespace },
    { header: "SERVICE", cell: ({ service }) => service },
    {
      header: "ADDRESS",
      cell: ({ address, port }) => `${address.includes(":") ? `[${address}]` : address}:${port}`,
    },
    { header: "PROTOCOL", cell: ({ protocol }) => protocol ?? "" },
    {
      header: "HEALTH",
      cell: ({ healthy }) =>
        healthy ? { text: "healthy", tone: "good" } : { text: "unhealthy", tone: "bad" },
    },
    { header: "NODE", cell: ({ node }) => node, wide: true },
    {
      header: "LABELS",
      cell: ({ labels }) =>
        Object.entries(labels)
          .map((pair) => pair.join("="))
          .join(","),
      wide: true,
    },
  ];
  const name = ({ id }: EmbeddedInstance): string => `instance/${id}`;
  render(context, { items, columns, name, value: listOf(items), none: "No instances." }, options);
  return EXIT.ok;
}

function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new MeshError("cli.usage", `${flag} wants a number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function parseLabel(text: string): readonly [string, string] {
  const split = text.indexOf("=");
  if (split > 0) return [text.slice(0, split), text.slice(split + 1)];
  throw new MeshError("cli.usage", `${JSON.stringify(text)} is not a label`, {
    hint: "write --label version=v2",
  });
}
