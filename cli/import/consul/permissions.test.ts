import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../../../test/harness/run-cli.ts";
import { catalogOf } from "./testing/catalog.ts";

type Decision = "allow" | "deny";

interface Call {
  readonly source: string;
  readonly method: string;
  readonly path: string;
  readonly team?: string;
}

/** A permission, and by itself whether a call is like it: the reference that the policies are held against. */
interface Permission {
  readonly entry: Readonly<Record<string, unknown>>;
  readonly fits: (call: Call) => boolean;
}

const admin: Permission = {
  entry: { HTTP: { PathPrefix: "/admin" } },
  fits: ({ path }) => path.startsWith("/admin"),
};
const adminRead: Permission = {
  entry: { HTTP: { PathPrefix: "/admin", Methods: ["GET", "HEAD"] } },
  fits: ({ path, method }) => path.startsWith("/admin") && ["GET", "HEAD"].includes(method),
};
const health: Permission = {
  entry: { HTTP: { PathExact: "/health" } },
  fits: ({ path }) => path === "/health",
};
const pictures: Permission = {
  entry: { HTTP: { PathRegex: ".*\\.png" } },
  fits: ({ path }) => path.endsWith(".png"),
};
const ops: Permission = {
  entry: { HTTP: { Header: [{ Name: "x-team", Prefix: "ops" }] } },
  fits: ({ team }) => team?.startsWith("ops") === true,
};
const withoutTeam: Permission = {
  entry: { HTTP: { Header: [{ Name: "x-team", Present: true, Invert: true }] } },
  fits: ({ team }) => team === undefined,
};
const everything: Permission = { entry: { HTTP: { PathPrefix: "/" } }, fits: () => true };

type Said = readonly (readonly [Decision, Permission])[];

/** Of `web` the first that fits decides; of everybody else a plain ruling, for this service or for all of them. */
const CASES: readonly { readonly web: Said; readonly others?: Decision; readonly anywhere?: Decision }[] = [
  { web: [["allow", health]] },
  { web: [["deny", admin]], others: "allow" },
  {
    web: [
      ["allow", adminRead],
      ["deny", admin],
      ["allow", everything],
    ],
    others: "deny",
  },
  {
    web: [
      ["deny", adminRead],
      ["allow", ops],
      ["deny", pictures],
    ],
    others: "allow",
  },
  {
    web: [
      ["deny", withoutTeam],
      ["allow", pictures],
      ["allow", health],
    ],
    others: "deny",
  },
  {
    web: [
      ["deny", adminRead],
      ["allow", health],
    ],
    anywhere: "allow",
  },
  { web: [["allow", ops]], anywhere: "deny" },
];

const CALLS: readonly Call[] = ["web", "batch"].flatMap((source) =>
  ["GET", "POST"].flatMap((method) =>
    ["/health", "/admin/x", "/a.png"].flatMap((path) => [
      { source, method, path },
      { source, method, path, team: "ops-1" },
      { source, method, path, team: "shop" },
    ]),
  ),
);

const CATALOG = catalogOf(["web", "batch", "api"]);

function expected(call: Call, web: Said, others: Decision | undefined, otherwise: Decision): Decision {
  if (call.source === "web") return web.find(([, permission]) => permission.fits(call))?.[0] ?? otherwise;
  return others ?? otherwise;
}

for (const otherwise of ["allow", "deny"] as const) {
  for (const [index, { web, others, anywhere }] of CASES.entries()) {
    test(`permissions count in their order, case ${index} with default ${otherwise}`, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), "lateen-permissions-"));
      t.after(() => rmSync(directory, { recursive: true }));
      const Permissions = web.map(([Action, { entry }]) => ({ Action, ...entry }));
      const star = others === undefined ? [] : [{ Name: "*", Action: others }];
      const general = anywhere === undefined ? [] : [{ Name: "*", Action: anywhere }];
      const entries = [
        { Kind: "service-intentions", Name: "api", Sources: [...star, { Name: "web", Permissions }] },
        { Kind: "service-intentions", Name: "*", Sources: general },
      ];
      const { stdout, stderr, code } = await runCli(
        ["import", "consul", "-f", "-", "--default-policy", otherwise, "--strict"],
        { readStdin: async () => JSON.stringify(entries) },
      );
      assert.equal(code, 0, stderr);
      writeFileSync(join(directory, "catalog.yaml"), CATALOG + stdout);
      for (const call of CALLS) {
        const { source, method, path, team } = call;
        const header = team === undefined ? [] : ["-H", `x-team: ${team}`];
        const argv = [
          "authz",
          "check",
          `${source}-v1`,
          "api-v1",
          "--method",
          method,
          "--path",
          path,
          ...header,
        ];
        const ours = await runCli([...argv, "-f", directory]);
        const want = expected(call, web, others ?? anywhere, otherwise) === "allow" ? 0 : 1;
        assert.equal(ours.code, want, `${JSON.stringify(call)}\n${stdout}\n${ours.stdout}${ours.stderr}`);
      }
    });
  }
}
