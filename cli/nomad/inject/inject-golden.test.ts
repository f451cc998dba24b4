import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { formatPath } from "../../../mesh/model/finding.ts";
import { parseJson, printJson } from "../job/lossless-json.ts";
import { changesBetween } from "./changes.ts";
import { injectJob } from "./inject.ts";
import { sidecarSettingsSchema } from "./settings.ts";

const FOLDER = "cli/nomad/inject/golden";
const SETTINGS = sidecarSettingsSchema.parse({
  servers: ["mesh.example:15012"],
  caPin: "Uo3c1Cq9v6x6bqk2m0yQ8hYw2a4b6d8f0h2j4l6n8p0",
});

/** Jobs as `nomad job run -output` of Nomad 2.0.6 prints them. */
const CASES = [
  { job: "service-bridge", mode: "asked" },
  { job: "batch-client", mode: "asked" },
  { job: "system-host", mode: "asked" },
  { job: "task-services", mode: "asked" },
  { job: "task-services", mode: "all" },
  { job: "connect", mode: "all" },
] as const;

for (const { job, mode } of CASES) {
  const given = (parseJson(readFileSync(`${FOLDER}/${job}.job.json`, "utf8")) as { Job: object }).Job;
  const options = { mode, settings: SETTINGS, path: ["Job"] };

  test(`what an injection (${mode}) makes of the job ${job}`, (t) => {
    const injection = injectJob(given, options);
    const { groups, problems } = injection;
    t.assert.fileSnapshot(
      {
        groups,
        problems: problems.map(
          ({ path, message, severity }) => `${severity}: ${formatPath(path)} ${message}`,
        ),
        changes: changesBetween(given, injection.job).map(({ path, before = null, after = null }) => ({
          path,
          before,
          after,
        })),
      },
      `${FOLDER}/${job}.${mode}.json`,
    );
  });

  test(`an injection (${mode}) into the job ${job} is the same when done twice`, () => {
    const once = injectJob(given, options);
    const twice = injectJob(parseJson(printJson(once.job)), options);
    assert.equal(printJson(twice.job), printJson(once.job));
    assert.deepEqual(twice.groups, once.groups);
  });

  test(`what other settings made of the job ${job} leaves nothing behind (${mode})`, () => {
    const other = sidecarSettingsSchema.parse({
      image: "other",
      command: "/opt/lateen",
      shutdownDelaySeconds: 30,
      env: { A: "b" },
    });
    const first = injectJob(given, { ...options, settings: other });
    const then = injectJob(first.job, options);
    assert.deepEqual(changesBetween(injectJob(given, options).job, then.job).filter(notTagOrder), []);
  });
}

/** A tag that was taken off comes back as the last one. */
function notTagOrder({ path }: { readonly path: string }): boolean {
  return !path.endsWith(".Tags");
}
