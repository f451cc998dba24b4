import assert from "node:assert/strict";
import { test } from "node:test";
import { sshPorts } from "./capture-host.ts";

const socket = (port: number, uid: number) => ({ address: "0.0.0.0", port, uid, inode: String(port) });

test("ports of SSH are those at which root's sshd listens, and no other program named so", () => {
  const sockets = [socket(2222, 0), socket(2222, 0), socket(8080, 1001), socket(443, 0)];
  const holderOf = (inode: string): string => (inode === "443" ? "nginx" : "sshd");
  assert.deepEqual(sshPorts(sockets, holderOf), [2222]);
});

test("so many ports of SSH as no host has are not all taken", () => {
  const sockets = Array.from({ length: 300 }, (_, index) => socket(1 + index, 0));
  assert.equal(sshPorts(sockets, () => "sshd").length, 32);
});
