import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ManualClock } from "../test/fakes/manual-clock.ts";
import type { LastBans } from "./ca/bans.ts";
import { tellBans } from "./tell-bans.ts";

const at = (atMs: number): LastBans => ({ atMs, ofIdentities: new Map() });

interface Told {
  readonly clock: ManualClock;
  readonly bans: { last: LastBans };
  readonly told: number[];
  missing: readonly string[];
  pass(ms: number): Promise<void>;
}

function start(signal: AbortSignal): Told {
  const clock = new ManualClock();
  const told: Told = {
    clock,
    bans: { last: at(5) },
    told: [],
    missing: [],
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 250) {
        clock.advance(250);
        await setImmediate();
      }
    },
  };
  const bundle = {
    trustDomain: "d",
    roots: [],
    crls: [],
    retiring: [],
    renewWithinMs: 0,
    jwtKeys: "",
    sequence: 7,
  };
  void tellBans(
    {
      bans: told.bans,
      authority: { bundle } as never,
      bundles: { withoutBundle: (sequence) => (sequence === 7 ? told.missing : []) },
      publisher: { setLastBans: ({ atMs }) => told.told.push(atMs) },
      clock,
    },
    signal,
  );
  return told;
}

test("connections are ended once every host has the list, and for each ban once", async (t) => {
  const all = start(t.signal);
  await all.pass(2_000);
  assert.deepEqual(all.told, [], "what was banned before this start is in the first snapshot");
  all.missing = ["web-1"];
  all.bans.last = at(9);
  await all.pass(3_000);
  assert.deepEqual(all.told, []);
  all.missing = [];
  await all.pass(1_000);
  assert.deepEqual(all.told, [9]);
  await all.pass(2_000);
  assert.deepEqual(all.told, [9]);
});

test("a host that says nothing is not waited for without end", async (t) => {
  const all = start(t.signal);
  all.missing = ["web-1"];
  all.bans.last = at(9);
  await all.pass(9_000);
  assert.deepEqual(all.told, []);
  await all.pass(2_000);
  assert.deepEqual(all.told, [9]);
});
