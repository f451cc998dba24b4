import { readFileSync } from "node:fs";
import { MeshError, messageOf } from "../mesh/errors.ts";

/** Where the server's admin API is, and what opens it. */
export type Endpoint = SocketEndpoint | NetworkEndpoint;

interface SocketEndpoint {
  readonly socketPath: string;
}

interface NetworkEndpoint {
  readonly origin: string;
  readonly token: string;
  /** PEM roots for a server with a certificate of a private authority. */
  readonly ca?: string;
}

export interface EndpointFlags {
  readonly address?: string | undefined;
  readonly tokenFile?: string | undefined;
}

const DEFAULT_ADDRESS = "unix:///run/lateen/admin.sock";

/**
 * Flags win over `LATEEN_ADDR`, `LATEEN_TOKEN`, `LATEEN_TOKEN_FILE` and `LATEEN_CACERT`. A token never goes over plain
 * HTTP to another host.
 */
export function resolveEndpoint(
  environment: Readonly<Record<string, string | undefined>>,
  flags: EndpointFlags = {},
): Endpoint {
  const address = flags.address ?? nonEmpty(environment["LATEEN_ADDR"]) ?? DEFAULT_ADDRESS;
  const socket = /^unix:(?:\/\/)?(\/.+)$/.exec(address)?.[1];
  if (socket !== undefined) return { socketPath: socket };
  const url = parseUrl(address);
  const tokenFile = flags.tokenFile ?? nonEmpty(environment["LATEEN_TOKEN_FILE"]);
  const token = tokenFile === undefined ? nonEmpty(environment["LATEEN_TOKEN"]) : readSecret(tokenFile);
  if (token === undefined) {
    throw new MeshError("cli.usage", `${address} wants the admin token`, {
      hint: "export LATEEN_TOKEN_FILE=<state directory of the server>/admin.token",
    });
  }
  const caFile = nonEmpty(environment["LATEEN_CACERT"]);
  return { origin: url.origin, token, ...(caFile === undefined ? {} : { ca: readSecret(caFile) }) };
}

export function describeEndpoint(endpoint: Endpoint): string {
  return "socketPath" in endpoint ? `unix://${endpoint.socketPath}` : endpoint.origin;
}

function parseUrl(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new MeshError("cli.usage", `${JSON.stringify(address)} is not the address of a server`, {
      hint: "it looks like unix:///run/lateen/admin.sock or https://mesh.example:15015",
    });
  }
  if (url.protocol === "http:" && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)) {
    throw new MeshError("cli.usage", `the token would go to ${url.host} in the clear`, {
      hint: `ssh -L 15015:127.0.0.1:15015 ${url.hostname}, then LATEEN_ADDR=http://127.0.0.1:15015`,
    });
  }
  return url;
}

function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new MeshError("cli.usage", `read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}
