import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../harness/eventually.ts";
import { entry, http, tcp, type WireCase } from "../wire-case.ts";
import { mesh } from "./mesh.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const folder = mkdtempSync(join(tmpdir(), "lateen-telemetry-"));

async function logged(name: string, count: number): Promise<readonly string[]> {
  const path = join(folder, name);
  return await eventually(
    `${count} lines`,
    async () => {
      const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").slice(0, -1);
      return lines.length >= count && lines;
    },
    12_000,
  );
}

const forget = async (name: string): Promise<void> => await rm(join(folder, name), { force: true });

export const TELEMETRY_CASES: readonly WireCase[] = [
  {
    name: "accessLogFile with a format: HTTP and TCP",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      entry("db.test", "90 TCP", [at("ta")]) +
      mesh(
        `accessLogFile: ${folder}/mesh, accessLogFormat: "%REQ(:METHOD)% %RESPONSE_CODE% %UPSTREAM_CLUSTER% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"`,
      ),
    calls: [
      http(CALL, { status: 200 }, { path: "/x" }),
      http(CALL, { status: 418 }, { headers: { "x-fail": "418" } }),
      tcp("db.test:90", "ta"),
    ],
    run: async () => {
      assert.deepEqual(await logged("mesh", 3), [
        `GET 200 outbound|80||${SHOP} /x`,
        `GET 418 outbound|80||${SHOP} /`,
        "- 0 outbound|90||db.test -",
      ]);
      await forget("mesh");
    },
  },
  {
    name: "accessLogEncoding JSON, and a Telemetry that has errors alone written",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      mesh(`accessLogFile: ${folder}/json, accessLogEncoding: JSON`) +
      `
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: errors, namespace: istio-system }
spec: { accessLogging: [{ filter: { expression: "response.code >= 400" } }] }`,
    calls: [
      http(CALL, { status: 200 }, { path: "/fine" }),
      http(CALL, { status: 418 }, { path: "/bad", headers: { "x-fail": "418" } }),
    ],
    run: async () => {
      const lines = await logged("json", 1);
      assert.equal(lines.length, 1);
      const { path, response_code, method, duration, request_id } = JSON.parse(lines[0] ?? "") as Record<
        string,
        unknown
      >;
      assert.deepEqual(
        [path, response_code, method, typeof duration, typeof request_id],
        ["/bad", 418, "GET", "number", "string"],
      );
      await forget("json");
    },
  },
];
