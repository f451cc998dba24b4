import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { injectJob } from "./inject.ts";
import { sidecarSettingsSchema } from "./settings.ts";
import { jobOf } from "./testing/job-of.ts";

/** HCL by its place: the job files, and what pages show of jobs. */
const TEXTS = [
  ...globSync("nomad-jobs/**/*.hcl").map((file) => [file, readFileSync(file, "utf8")] as const),
  ...globSync("docs/nomad*.md").flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/```hcl\n([\s\S]*?)```/g)].map(
      ([, text = ""]) => [file, text] as const,
    ),
  ),
];

/** Lines with more than one argument, which HCL2 does not take; objects and lists are values. */
function crowded(text: string): readonly string[] {
  return text.split("\n").filter((line) => {
    const bare = line.replaceAll(/"[^"]*"/g, '""').replace(/#.*/, "");
    const plain = bare.replaceAll(/=\s*\{[^}]*\}/g, "= 0").replaceAll(/\[[^\]]*\]/g, "0");
    return [...plain.matchAll(/[\w-]+\s*=(?!=)/g)].length > 1;
  });
}

test("jobs that are shown have one argument a line, as HCL2 wants them", () => {
  assert.ok(TEXTS.length > 6);
  assert.deepEqual(crowded('lifecycle { hook = "prestart"   sidecar = true }').length, 1);
  for (const [place, text] of TEXTS) assert.deepEqual(crowded(text), [], place);
});

test("the sidecar that is shown has the resources of the one that is injected", () => {
  const { job } = injectJob(jobOf(), {
    mode: "asked",
    settings: sidecarSettingsSchema.parse({}),
    path: [],
  });
  const [group] = job["TaskGroups"] as { Tasks: { Resources?: Record<string, number> }[] }[];
  const injected = group?.Tasks.flatMap(({ Resources: has }) =>
    has === undefined ? [] : [[has["CPU"], has["MemoryMB"], has["SecretsMB"]]],
  );
  for (const file of ["docs/nomad.md", "nomad-jobs/sidecar.nomad.hcl"]) {
    const blocks = [...readFileSync(file, "utf8").matchAll(/resources \{([^}]*)\}/g)];
    const shown = blocks.map(([, block = ""]) =>
      ["cpu", "memory", "secrets"].map((key) => {
        const [, figure] = new RegExp(`\\b${key}\\s*= (\\d+)`).exec(block) ?? [];
        return figure === undefined ? undefined : Number(figure);
      }),
    );
    assert.deepEqual(shown.slice(0, 2), injected, file);
  }
});
