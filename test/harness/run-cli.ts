import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { CliContext } from "../../cli/context.ts";
import { run } from "../../cli/run.ts";
import { createAdmin } from "../../controlplane/admin/admin.ts";
import { adminOptions } from "../../controlplane/admin/testing/admin-options.ts";
import { FAKE_NOW, type FakeServer, fakeServer } from "../fakes/admin-deps.ts";

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliBench {
  readonly server: FakeServer;
  readonly directory: string;
  /** Runs one command line against the server, three minutes after FAKE_NOW; each look at the clock takes 240 ms. */
  run(argv: readonly string[], overrides?: Partial<CliContext>): Promise<CliResult>;
}

/** The CLI in this process, and a real admin API on a unix socket with fakes behind it. */
export async function startCli(t: TestContext): Promise<CliBench> {
  const directory = mkdtempSync(join(tmpdir(), "lateen-cli-"));
  const server = fakeServer();
  const admin = createAdmin(server.deps, adminOptions());
  const socket = join(directory, "admin.sock");
  await admin.listenUnix(socket);
  t.after(async () => {
    await admin[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  return {
    server,
    directory,
    run: (argv, overrides = {}) => {
      const environment = { LATEEN_ADDR: `unix://${socket}`, ...overrides.environment };
      return runCli(argv, { ...overrides, environment });
    },
  };
}

/** One command line with no server unless the environment names one. */
export async function runCli(
  argv: readonly string[],
  overrides: Partial<CliContext> = {},
): Promise<CliResult> {
  let stdout = "";
  let stderr = "";
  let elapsed = 0;
  const code = await run(argv, {
    stdout: { write: (text) => void (stdout += text) },
    stderr: { write: (text) => void (stderr += text) },
    readStdin: async () => "",
    environment: {},
    clock: {
      now: () => FAKE_NOW + 180_000,
      monotonic: () => {
        elapsed += 240;
        return elapsed;
      },
      sleep: async () => {},
    },
    signal: new AbortController().signal,
    color: false,
    interactive: false,
    ...overrides,
  });
  return { code, stdout, stderr };
}
