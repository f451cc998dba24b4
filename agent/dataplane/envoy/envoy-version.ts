import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MeshError, messageOf } from "../../../mesh/errors.ts";

const run = promisify(execFile);

/** The oldest Envoy whose delta ADS and TLS contexts do what our resources ask for. */
const OLDEST = { major: 1, minor: 30 } as const;
const HINT = "`make tools` fetches one; or set LATEEN_AGENT_ENVOY, or use the data plane `builtin`";

/** `1.40.0` of `envoy  version: 9e55…/1.40.0/Clean/RELEASE/BoringSSL`; undefined for any other text. */
export function parseEnvoyVersion(output: string): string | undefined {
  return /version: [0-9a-f]+\/(\d+\.\d+\.\d+)/.exec(output)?.[1];
}

/** Throws `agent.dataplane` when the program is missing, is no Envoy, or is too old. */
export async function checkEnvoyVersion(program: string, signal: AbortSignal): Promise<string> {
  let output: string;
  try {
    output = (await run(program, ["--version"], { signal, timeout: 10_000 })).stdout;
  } catch (error) {
    throw new MeshError("agent.dataplane", `run ${program} --version: ${messageOf(error)}`, {
      cause: error,
      hint: HINT,
    });
  }
  const version = parseEnvoyVersion(output);
  if (version === undefined) {
    throw new MeshError("agent.dataplane", `use ${program}: it does not say which Envoy it is`, {
      hint: HINT,
    });
  }
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
    throw new MeshError(
      "agent.dataplane",
      `use ${program}: Envoy ${version} is older than ${OLDEST.major}.${OLDEST.minor}`,
      { hint: HINT },
    );
  }
  return version;
}
