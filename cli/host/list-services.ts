import { declaredServices, routedAddress } from "../../agent/offline.ts";
import { listOf } from "../../mesh/admin-api/replies.ts";
import type { CliContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { type Column, type OutputOptions, render } from "../output/render.ts";
import { agentStatus } from "./agent-socket.ts";
import { servicePlaces } from "./service-places.ts";

interface ListedService {
  readonly workload: string;
  readonly service: string;
  readonly address: string;
  readonly protocol: string;
  readonly upstreams: readonly string[];
  /** As the agent has it; empty: no agent runs, or it has not taken it. */
  readonly state: string;
}

const COLUMNS: readonly Column<ListedService>[] = [
  { header: "WORKLOAD", cell: ({ workload }) => workload },
  { header: "SERVICE", cell: ({ service }) => service },
  { header: "ADDRESS", cell: ({ address }) => address },
  { header: "PROTOCOL", cell: ({ protocol }) => protocol },
  { header: "CALLS", cell: ({ upstreams }) => upstreams.join(", ") },
  {
    header: "STATE",
    cell: ({ state }) =>
      state === "serving" ? { text: state, tone: "good" } : { text: state, tone: "warning" },
  },
];

/** What the files declare, with what the agent has made of it. */
export async function listServices(
  context: CliContext,
  options: OutputOptions & { readonly dir: string },
): Promise<number> {
  const { config } = servicePlaces(context, options.dir);
  const { services } = await declaredServices(config, await routedAddress());
  const status = await agentStatus(config.runDir, context.signal);
  const items = services.map(({ id, namespace, service, address, protocol, upstreams }): ListedService => {
    const workload = `${namespace}/${id}`;
    return {
      workload,
      service,
      address: `${address.address.includes(":") ? `[${address.address}]` : address.address}:${address.port}`,
      protocol,
      upstreams: upstreams.map(({ host, port, bindAddress = config.loopback, bindPort }) => {
        const target = port === 0 ? host : `${host}:${port}`;
        return `${target} at ${bindAddress}:${bindPort ?? port}`;
      }),
      state: status?.workloads.find((one) => one.workload === workload)?.state ?? "",
    };
  });
  const name = ({ workload }: ListedService): string => `service/${workload}`;
  render(context, { items, columns: COLUMNS, name, value: listOf(items), none: "No services." }, options);
  return EXIT.ok;
}
