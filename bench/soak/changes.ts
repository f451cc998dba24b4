import { once } from "node:events";
import { connect } from "node:net";
import { THROWS } from "../../test/fakes/planted-faults.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { CLIENT_ID, CLUSTER, ROUTES, SERVER_ID } from "../../test/harness/proxy-pair.ts";
import type { ProxyProgram } from "../../test/harness/proxy-program.ts";
import { mintSvid } from "../../test/harness/test-certificates.ts";
import {
  certificateSecret,
  endpoints,
  httpRbac,
  inboundHttp,
  routeConfig,
  routeTo,
} from "../../test/harness/xds-samples.ts";
import type { SoakGround } from "./ground.ts";

/** Something that happens to the proxies under traffic; resolves when it is done. `turn` counts up. */
export interface Change {
  readonly name: string;
  /** It ends a worker, and what that has under way. */
  readonly kills: boolean;
  apply(ground: SoakGround, turn: number): Promise<void> | void;
}

export const CHANGES: readonly Change[] = [
  change("certificates of both", ({ pair }) => {
    pair.client.ads.set("secret", "default", certificateSecret(mintSvid(pair.root, CLIENT_ID)));
    pair.server.ads.set("secret", "default", certificateSecret(mintSvid(pair.root, SERVER_ID)));
  }),
  change("routes", ({ pair }, turn) => {
    const added = [{ header: { key: "x-turn", value: String(turn) } }];
    const route = routeTo(CLUSTER, { requestHeadersToAdd: added });
    pair.client.ads.set("route", ROUTES, routeConfig(ROUTES, [route]));
  }),
  change("endpoints", ({ pair, httpInbounds }, turn) => {
    const [first, second] = httpInbounds;
    const ports = [[first], [second], [first, second]][turn % 3] ?? [first];
    pair.client.ads.set("endpoints", CLUSTER, endpoints(CLUSTER, ports, true));
  }),
  change("policies", ({ pair, httpInbounds }, turn) => {
    const [, port] = httpInbounds;
    const policies = { [`turn-${turn}`]: { permissions: [{ any: true }], principals: [{ any: true }] } };
    const manager = { upgradeConfigs: [{ upgradeType: "websocket" }] };
    const filters = [httpRbac({ action: "ALLOW", policies })];
    const listener = inboundHttp({ mode: "STRICT", port, cluster: "inbound|80||", filters, manager });
    pair.server.ads.set("listener", `127.0.0.1_${port}`, listener);
  }),
  {
    name: "a worker of the client's proxy killed",
    kills: true,
    apply: async ({ pair }) => await kill(pair.client, pair.httpPort),
  },
  {
    name: "a worker of the server's proxy killed",
    kills: true,
    apply: async ({ pair }) => await kill(pair.server, pair.httpInbound),
  },
];

/** SIGUSR2: a newer process takes over. */
export const HAND_OVERS: readonly Change[] = [
  change("the client's proxy hands over", async ({ pair }) => void (await pair.client.succeed())),
  change("the server's proxy hands over", async ({ pair }) => void (await pair.server.succeed())),
];

function change(name: string, apply: Change["apply"]): Change {
  return { name, kills: false, apply };
}

async function kill(program: ProxyProgram, port: number): Promise<void> {
  const before = await replacedBy(program);
  const socket = connect({ port, host: "127.0.0.1", localAddress: THROWS });
  socket.on("error", () => {});
  await once(socket, "close");
  await eventually("the worker is replaced", async () => (await replacedBy(program)) > before, 20_000);
  await eventually("all listen", async () => (await program.admin("/ready")).status === 200, 20_000);
}

/** How many of its workers have been replaced. */
async function replacedBy(program: ProxyProgram): Promise<number> {
  const { body } = await program.admin("/stats/prometheus");
  const found = /^lateen_proxy_workers_replaced_total\{reason="ended"\} (\d+)/m.exec(body);
  return Number(found?.[1] ?? 0);
}
