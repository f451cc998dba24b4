import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MeshError, messageOf } from "../mesh/errors.ts";
import { SERVER_RUN_DIR } from "./places.ts";

/** Where the server's admin API is, and what opens it. */
export type Endpoint = SocketEndpoint | NetworkEndpoint;

interface SocketEndpoint {
  readonly socketPath: string;
}

interface NetworkEndpoint {
  readonly origin: string;
  /** Undefined where a client certificate is the credential. */
  readonly token?: string;
  /** PEM roots for a server with a certificate of a private authority. */
  readonly ca?: string;
  /** PEM, for mutual TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}

export interface EndpointFlags {
  readonly address?: string | undefined;
  readonly tokenFile?: string | undefined;
}

const DEFAULT_ADDRESS = "unix:///run/lateen/admin.sock";

/**
 * Flags win over `LATEEN_ADDR`, `LATEEN_TOKEN`, `LATEEN_TOKEN_FILE`, `LATEEN_CLIENT_CERT` with `LATEEN_CLIENT_KEY`, and
 * `LATEEN_CACERT`. A token never goes over plain HTTP to another host.
 */
export function resolveEndpoint(
  environment: Readonly<Record<string, string | undefined>>,
  flags: EndpointFlags = {},
): Endpoint {
  const address = flags.address ?? nonEmpty(environment["LATEEN_ADDR"]) ?? localServer();
  const socket = /^unix:(?:\/\/)?(\/.+)$/.exec(address)?.[1];
  if (socket !== undefined) return { socketPath: socket };
  const url = parseUrl(address);
  const tokenFile = flags.tokenFile ?? nonEmpty(environment["LATEEN_TOKEN_FILE"]);
  const token = tokenFile === undefined ? nonEmpty(environment["LATEEN_TOKEN"]) : readSecret(tokenFile);
  const certificate = url.protocol === "https:" ? clientCertificate(environment) : undefined;
  if (token === undefined && certificate === undefined) {
    throw new MeshError("cli.usage", `${address} wants a credential`, {
      hint: "export LATEEN_TOKEN_FILE=<file with an access token>; lateen access create on the server's host makes one",
    });
  }
  const caFile = nonEmpty(environment["LATEEN_CACERT"]);
  return {
    origin: url.origin,
    ...(token === undefined ? {} : { token }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(caFile === undefined ? {} : { ca: readSecret(caFile) }),
  };
}

/** The socket of a server that `init` set up, else the one of a server with the defaults. */
function localServer(): string {
  const path = join(SERVER_RUN_DIR, "admin.sock");
  return existsSync(path) ? `unix://${path}` : DEFAULT_ADDRESS;
}

function clientCertificate(
  environment: Readonly<Record<string, string | undefined>>,
): NetworkEndpoint["certificate"] {
  const [cert, key] = ["LATEEN_CLIENT_CERT", "LATEEN_CLIENT_KEY"].map((name) => nonEmpty(environment[name]));
  if (cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined) return { cert: readSecret(cert), key: readSecret(key) };
  throw new MeshError("cli.usage", "LATEEN_CLIENT_CERT and LATEEN_CLIENT_KEY go together");
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
