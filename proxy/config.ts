import * as z from "zod";
import { MeshError, messageOf } from "../mesh/errors.ts";

/** What a proxy has to know before it can ask for the rest. No secret, and nothing that expires (DESIGN D2). */
export interface Bootstrap {
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly metadata: Readonly<Record<string, unknown>>;
  };
  /** Unix socket of the agent: ADS with SDS. */
  readonly xdsSocket: string;
  /** Unix socket that the admin interface listens on. */
  readonly adminSocket: string;
  /** Loopback port for the admin interface, beside the socket. */
  readonly adminPort: number | undefined;
  readonly logLevel: LogLevel;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** The kernel's limit for the path of a unix socket. */
const LONGEST_SOCKET_PATH = 107;

const socketPath = z
  .string()
  .min(1)
  .max(LONGEST_SOCKET_PATH, `a unix socket's path has at most ${LONGEST_SOCKET_PATH} characters`);

/** Program and arguments. */
const successor = z.array(z.string()).min(1);

const schema = z.strictObject({
  node: z.strictObject({
    id: z.string().min(1),
    cluster: z.string().default(""),
    metadata: z.record(z.string(), z.unknown()).default({}),
  }),
  xdsSocket: socketPath,
  adminSocket: socketPath,
  adminPort: z.int().min(1).max(65535).optional(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  successor: successor.optional(),
});

/** Reads a bootstrap file's text. Throws `config.invalid` with everything that is wrong. */
export function parseBootstrap(text: string): Bootstrap {
  const result = schema.safeParse(parseJson(text));
  if (result.success) {
    const { successor: _, adminPort, ...rest } = result.data;
    return { ...rest, adminPort };
  }
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join(".") || "document"}: ${issue.message}`,
  );
  throw new MeshError("config.invalid", `read the proxy's bootstrap: ${problems.join("; ")}`, {
    hint: "the agent writes this file; see lateen proxy --help for its fields",
  });
}

/**
 * What a bootstrap file says of how a successor is started; undefined: nothing. The file may be one for a newer
 * version: of the rest nothing is asked.
 */
export function parseSuccessorCommand(text: string): readonly string[] | undefined {
  return z.object({ successor: successor.optional() }).parse(parseJson(text)).successor;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MeshError("config.invalid", `read the proxy's bootstrap: it is not JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
}
