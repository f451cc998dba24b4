import { HeaderList } from "../../proxy/tables/header-list.ts";
import { type HttpRecord, newUpstreamEnd, type TcpRecord } from "../../proxy/telemetry/records.ts";

const ends = {
  direction: "inbound",
  listener: "in",
  localAddress: "127.0.0.1:80",
  remoteAddress: "127.0.0.2:4000",
  serverName: "a.example",
  clientId: "spiffe://cluster.local/ns/default/sa/a",
  ownId: "spiffe://cluster.local/ns/default/sa/b",
  secure: true,
  caller: undefined,
  introduced: true,
} as const;

/** One exchange as logs see it. */
export const HTTP_RECORD: HttpRecord = {
  kind: "http",
  ends,
  startedAt: 1_700_000_000_123,
  startedMonotonic: 0,
  method: "GET",
  path: "/a?b",
  upstream: newUpstreamEnd(),
  flags: new Set(),
  target: "/a?b",
  calledAuthority: "a",
  route: "r",
  authority: "a",
  requestId: "1",
  requestHeaders: HeaderList.fromRaw(["x-a", "1", "user-agent", "b"]),
  responseHeaders: undefined,
  trailers: undefined,
  metadata: undefined,
  span: undefined,
  messages: undefined,
  issuer: "",
  status: 404,
  details: "",
  grpcStatus: undefined,
  protocol: "HTTP/1.1",
  bytesReceived: 1,
  bytesSent: 2,
  upstreamMs: undefined,
  requestMs: 3,
  responseMs: undefined,
  attempts: 1,
};

export const TCP_RECORD: TcpRecord = {
  kind: "tcp",
  ends,
  startedAt: 1_700_000_000_123,
  startedMonotonic: 0,
  upstream: newUpstreamEnd(),
  flags: new Set(),
  bytesReceived: 1,
  bytesSent: 2,
};
