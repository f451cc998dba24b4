import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { activeConnections, envoyArguments, parseEnvoyLogLine } from "./envoy-data-plane.ts";
import { checkEnvoyVersion, parseEnvoyVersion } from "./envoy-version.ts";

test("Envoy's log lines keep their level", () => {
  assert.deepEqual(parseEnvoyLogLine("warning\tconfig\tgRPC config\tfor x rejected"), {
    level: "warn",
    message: "config: gRPC config\tfor x rejected",
  });
  assert.deepEqual(parseEnvoyLogLine("terminate called"), { level: "warn", message: "terminate called" });
});

test("open connections are summed over the listeners of traffic", () => {
  const stats = [
    "listener.10.0.0.3_9080.downstream_cx_active: 3",
    "listener.10.0.0.3_9080.worker_0.downstream_cx_active: 2",
    "listener.127.0.0.1_9082.downstream_cx_active: 1",
    "listener.admin.downstream_cx_active: 1",
    "listener.admin.main_thread.downstream_cx_active: 1",
  ].join("\n");
  assert.equal(activeConnections(stats), 4);
});

test("a drain of less than a second still lasts one, as Envoy counts in seconds", () => {
  assert.ok(envoyArguments("b.json", "warn", 200).join(" ").includes("--drain-time-s 1"));
  const workers = [undefined, 5, 0].map(
    (concurrency) =>
      / --concurrency \d+/.exec(envoyArguments("b.json", "warn", 200, concurrency).join(" "))?.[0],
  );
  assert.deepEqual(workers, [" --concurrency 2", " --concurrency 5", undefined]);
});

test("the version is read from what Envoy says", () => {
  assert.equal(parseEnvoyVersion("envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL"), "1.40.0");
  assert.equal(parseEnvoyVersion("haproxy version 2.6"), undefined);
});

test("an Envoy that is too old, missing or something else is refused with what to do", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-envoy-"));
  t.after(() => rm(folder, { recursive: true }));
  const program = async (says: string): Promise<string> => {
    const path = join(folder, "envoy");
    await writeFile(path, `#!/bin/sh\necho '${says}'\n`);
    await chmod(path, 0o755);
    return path;
  };
  const refused = (path: string, message: RegExp): Promise<void> =>
    assert.rejects(checkEnvoyVersion(path, t.signal), {
      code: "agent.dataplane",
      message,
      hint: /make tools/,
    });
  await refused(await program("envoy  version: abc/1.29.9/Clean"), /Envoy 1\.29\.9 is older than 1\.30/);
  await refused(await program("hello"), /does not say which Envoy/);
  await refused("/nonexistent/envoy", /ENOENT/);
  assert.equal(
    await checkEnvoyVersion(await program("envoy  version: abc/1.30.0/Clean"), t.signal),
    "1.30.0",
  );
});
