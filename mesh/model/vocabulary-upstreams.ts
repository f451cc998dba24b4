import type { SocketAddress } from "./workload.ts";

/**
 * A service that this one calls: `host:port[@[bindAddress:]bindPort]`, or `host@[bindAddress:]bindPort`. Undefined: the
 * agent's choice.
 */
export interface UpstreamHint {
  readonly host: string;
  /** 0: the only, or first, port that the service has. */
  readonly port: number;
  readonly bindAddress: string | undefined;
  readonly bindPort: number | undefined;
}

/** `reviews:9080@9082, details:9080`: the upstreams, or what is wrong with the text. */
export function parseUpstreams(text: string): readonly UpstreamHint[] | string {
  const upstreams: UpstreamHint[] = [];
  const binds = new Map<string, string>();
  for (const part of text.split(",").map((piece) => piece.trim())) {
    if (part === "") continue;
    const upstream = parseUpstream(part);
    if (upstream === undefined)
      return `“${part}” is not host:port, host:port@[address:]port or host@[address:]port`;
    const bind = `${upstream.bindAddress ?? ""}:${upstream.bindPort ?? upstream.port}`;
    const other = binds.get(bind);
    if (other !== undefined)
      return `“${other}” and “${part}” bind the same port: add @ and another port to one`;
    binds.set(bind, part);
    upstreams.push(upstream);
  }
  return upstreams;
}

function parseUpstream(text: string): UpstreamHint | undefined {
  const [target = "", bind, ...more] = text.split("@");
  const reached =
    bind === undefined || target.includes(":") ? parseHostPort(target) : { address: target, port: 0 };
  if (reached === undefined || more.length > 0 || !/^[A-Za-z0-9_]([A-Za-z0-9._-]*)$/.test(reached.address)) {
    return undefined;
  }
  const { address: host, port } = reached;
  if (bind === undefined) return { host, port, bindAddress: undefined, bindPort: undefined };
  if (isPort(bind)) return { host, port, bindAddress: undefined, bindPort: Number(bind) };
  const bound = parseHostPort(bind);
  if (bound === undefined) return undefined;
  return { host, port, bindAddress: bound.address, bindPort: bound.port };
}

/** `host:port`, `10.0.0.3:80` or `[::1]:80`; the address comes without brackets. */
export function parseHostPort(text: string): SocketAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:@/[\]]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  const port = match?.[3];
  if (address === undefined || port === undefined || !isPort(port)) return undefined;
  return { address, port: Number(port) };
}

/** A port number in decimal, without sign or leading zeros. */
export function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;
}
