import type { Server } from "node:net";
import { CLIENT_ID, SERVER_ID } from "./proxy-pair.ts";
import { mintRoot, mintSvid } from "./test-certificates.ts";
import { freePort, TestProxy } from "./test-proxy.ts";
import {
  certificateSecret,
  endpoints,
  inboundTcp,
  type MtlsMode,
  meshCluster,
  outboundTcp,
  rootsSecret,
  staticCluster,
} from "./xds-samples.ts";

const CLUSTER = "outbound|5432||db.default.svc.cluster.local";

/** The port that it was given. */
export async function listenTcp(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const place = server.address();
  return typeof place === "object" && place ? place.port : 0;
}

/** Client proxy → mTLS → server proxy → application, byte for byte. */
interface TcpPair extends AsyncDisposable {
  readonly root: ReturnType<typeof mintRoot>;
  readonly client: TestProxy;
  readonly server: TestProxy;
  readonly port: number;
  readonly inboundPort: number;
  listen(mode: MtlsMode, filters?: Parameters<typeof inboundTcp>[0]["filters"]): void;
}

export async function startTcpPair(
  appPort: number,
  mode: MtlsMode = "STRICT",
  clusterFields: Parameters<typeof meshCluster>[2] = {},
): Promise<TcpPair> {
  const root = mintRoot();
  const [client, server] = await Promise.all([TestProxy.start(), TestProxy.start({ name: "db-1" })]);
  const [port, inboundPort] = [await freePort(), await freePort()];
  for (const [proxy, id] of [
    [client, CLIENT_ID],
    [server, SERVER_ID],
  ] as const) {
    proxy.ads.set("secret", "default", certificateSecret(mintSvid(root, id)));
    proxy.ads.set("secret", "ROOTCA", rootsSecret(root.pem));
  }
  const listen: TcpPair["listen"] = (how, filters = []) =>
    server.ads.set(
      "listener",
      `127.0.0.1_${inboundPort}`,
      inboundTcp({ port: inboundPort, mode: how, cluster: "inbound|5432||", filters }),
    );
  server.ads.set("cluster", "inbound|5432||", staticCluster("inbound|5432||", [appPort]));
  listen(mode);
  client.ads.set("cluster", CLUSTER, meshCluster(CLUSTER, SERVER_ID, clusterFields, "tcp"));
  client.ads.set("endpoints", CLUSTER, endpoints(CLUSTER, [inboundPort], true));
  client.ads.set("listener", `127.0.0.1_${port}`, outboundTcp(port, { cluster: CLUSTER }));
  await Promise.all([client.ready(), server.ready()]);
  return {
    root,
    client,
    server,
    port,
    inboundPort,
    listen,
    async [Symbol.asyncDispose]() {
      await Promise.all([client[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
    },
  };
}
