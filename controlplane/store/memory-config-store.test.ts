import { MemoryConfigStore } from "../../test/fakes/memory-config-store.ts";
import { testConfigStore } from "./config-store.contract.ts";
import { testKeptRevisions } from "./kept-revisions.contract.ts";

for (const testContract of [testConfigStore, testKeptRevisions]) {
  testContract("memory", () => {
    let time = 0;
    return {
      store: new MemoryConfigStore({ now: () => time }),
      setNow: (now) => {
        time = now;
      },
    };
  });
}
