import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { usualPlaces } from "./usual-places.ts";

for (const name of ["agent", "server"] as const)
  test(`the usual places of the ${name} are those of its unit, and any other is not`, () => {
    const unit = readFileSync(
      resolve(import.meta.dirname, `../../packaging/systemd/lateen-${name}.service`),
      "utf8",
    );
    const said = (key: string): string => new RegExp(`^${key}=(.+)$`, "m").exec(unit)?.[1] ?? "";
    const usual = {
      name,
      config: said("ConditionPathExists"),
      stateDir: `/var/lib/${said("StateDirectory")}`,
      runDir: `/run/${said("RuntimeDirectory")}`,
    };
    assert.equal(usualPlaces(usual), true);
    for (const key of ["config", "stateDir", "runDir"] as const)
      assert.equal(usualPlaces({ ...usual, [key]: "/srv/mine" }), false, key);
  });
