import assert from "node:assert/strict";
import { test } from "node:test";
import { countEstablished } from "./open-connections.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const line = (local: string, state: string): string =>
  `   0: ${local} 0100007F:C350 ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 0 0 10 -1`;

test("connections at the ports of proxies are counted, not those that listen or wait to be forgotten", () => {
  const text = [
    HEAD,
    line("0100007F:3A99", "01"),
    line("00000000000000000000000001000000:3A99", "01"),
    line("00000000:3A99", "0A"),
    line("0100007F:3A99", "06"),
    line("0100007F:1F90", "01"),
    "",
  ].join("\n");
  assert.equal(countEstablished(text, new Set([15_001, 15_006])), 2);
  assert.equal(countEstablished("", new Set([15_001])), 0);
});
