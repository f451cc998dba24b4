import { MemoryConfigStore } from "../../test/fakes/memory-config-store.ts";
import { testConfigStore } from "./config-store.contract.ts";

testConfigStore("memory", () => {
  let time = 0;
  return {
    store: new MemoryConfigStore({ now: () => time }),
    setNow: (now) => {
      time = now;
    },
  };
});
