import assert from "node:assert/strict";
import { test } from "node:test";
import { captureOwnerText, parseCaptureOwner } from "./capture-owner.ts";

const fine = [
  "user:web",
  "user:1001",
  "user:_chrony",
  "unit:web.service",
  "unit:shop@1.service",
  "unit:dev-\\x2dfoo.service",
  "unit:web.slice",
  "cgroup:system.slice/web.service",
];
for (const text of fine) {
  test(`${text} is an owner`, () => {
    const owner = parseCaptureOwner(text);
    assert.ok(owner);
    assert.equal(captureOwnerText(owner), text);
  });
}

const refused = [
  "",
  "web",
  "user:",
  "user:-u",
  "user:a b",
  'user:"',
  "user:99999999999",
  "unit:web",
  "unit:../web.service",
  "unit:--help.service\n",
  "unit:web.socket",
  "cgroup:",
  "cgroup:/system.slice",
  "cgroup:a//b",
  "cgroup:a/../b",
  "cgroup:.",
  'cgroup:a" } ; flush ruleset',
  `cgroup:${Array(13).fill("a").join("/")}`,
  `cgroup:${"a".repeat(256)}`,
  "group:a",
];
for (const text of refused)
  test(`${JSON.stringify(text)} is none`, () => assert.equal(parseCaptureOwner(text), undefined));
