import { request } from "node:http";

export interface AdminReply {
  readonly status: number;
  readonly body: string;
}

/** A config dump of a large mesh, with room. */
const LARGEST_REPLY_BYTES = 64 << 20;

/**
 * One request to a proxy's admin interface on its unix socket. Throws when nobody answers within `timeoutMs`.
 */
export async function askAdmin(
  socketPath: string,
  path: string,
  options: {
    readonly method?: "GET" | "POST";
    readonly timeoutMs?: number;
    readonly signal?: AbortSignal;
  } = {},
): Promise<AdminReply> {
  const { method = "GET", timeoutMs = 2000 } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<AdminReply>();
  const call = request(
    // Envoy answers 400 to a request without a host; the agent option keeps no connection for a socket that may vanish.
    {
      socketPath,
      path,
      method,
      agent: false,
      headers: { host: "admin" },
      signal: options.signal ? AbortSignal.any([deadline, options.signal]) : deadline,
    },
    (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > LARGEST_REPLY_BYTES) response.destroy(new Error(`the answer to ${path} is too large`));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    },
  );
  call.on("error", reject);
  call.end();
  return await promise;
}

/** True when the proxy says that it is configured and takes traffic. */
export async function isReady(socketPath: string): Promise<boolean> {
  return await askAdmin(socketPath, "/ready", { timeoutMs: 1000 }).then(
    (reply) => reply.status === 200,
    () => false,
  );
}

/**
 * True when the proxy takes a connection to its admin interface and says nothing on it in time: its event loop stands
 * still. One that refuses the connection, or whose socket file is gone, does not hang.
 */
export async function isSilent(socketPath: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const started = performance.now();
  return await askAdmin(socketPath, "/ready", { timeoutMs, signal }).then(
    () => false,
    () => !signal.aborted && performance.now() - started >= timeoutMs * 0.9,
  );
}

export interface ServerInfo {
  /** Of the xDS node that it is. */
  readonly nodeId: string | undefined;
  /** Envoy does not tell. */
  readonly pid: number | undefined;
  /** Worker threads. */
  readonly concurrency: number | undefined;
}

/** What the proxy behind the socket says of itself; undefined when nobody answers. */
export async function askServerInfo(socketPath: string): Promise<ServerInfo | undefined> {
  const reply = await askAdmin(socketPath, "/server_info").catch(() => undefined);
  if (reply?.status !== 200) return undefined;
  try {
    const { node, pid, command_line_options } = JSON.parse(reply.body) as {
      node?: { id?: unknown };
      pid?: unknown;
      command_line_options?: { concurrency?: unknown };
    };
    const concurrency = command_line_options?.concurrency;
    return {
      nodeId: typeof node?.id === "string" ? node.id : undefined,
      pid: typeof pid === "number" ? pid : undefined,
      concurrency: typeof concurrency === "number" ? concurrency : undefined,
    };
  } catch {
    return undefined;
  }
}
