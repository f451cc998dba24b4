import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "../mesh/errors.ts";
import { createLogger, type LogFormat, type LogLevel } from "./logging.ts";

interface Capture {
  readonly logger: ReturnType<typeof createLogger>;
  readonly lines: string[];
}

function capture(format: LogFormat, level: LogLevel = "info"): Capture {
  const lines: string[] = [];
  return { logger: createLogger({ level, format, write: (line) => void lines.push(line) }), lines };
}

function last(lines: readonly string[]): Record<string, unknown> {
  return JSON.parse(lines.at(-1) ?? "") as Record<string, unknown>;
}

test("a line is JSON with time, level, component and msg", () => {
  const { logger, lines } = capture("json");
  logger
    .child("server")
    .child("xds")
    .warn("the push was refused", { workload: "default/reviews-v1", attempt: 2 });
  const { time, ...rest } = last(lines);
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    level: "warn",
    component: "server.xds",
    msg: "the push was refused",
    workload: "default/reviews-v1",
    attempt: 2,
  });
});

test("what is below the level is not written", () => {
  const { logger, lines } = capture("json", "warn");
  logger.child("x").info("quiet");
  logger.debug("quieter");
  assert.deepEqual(lines, []);
});

test("the level changes for a logger and the children that it already has", () => {
  const { logger, lines } = capture("json");
  const child = logger.child("x");
  logger.setLevel("debug");
  child.debug("seen");
  logger.setLevel("error");
  child.warn("unseen");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
    ["seen"],
  );
});

test("on a terminal a line is short", () => {
  const { logger, lines } = capture("console");
  logger.child("xds").error("refused", { workload: "default/a", why: "two words" });
  assert.match(
    lines[0] ?? "",
    /^[\d:.]{12} {2}ERROR {2}xds {2}refused {2}workload=default\/a {2}why="two words"\n$/,
  );
});

test("secrets are redacted by their name and by their look, at any depth", () => {
  const { logger, lines } = capture("json");
  const pem = "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----";
  logger.info("joining", {
    joinToken: "x",
    headers: { Authorization: "Bearer abc", "X-Consul-Token": "y", accept: "Bearer abc" },
    nested: [{ private_key: "k" }, `use ${pem} now`, new Map([["password", "p"]])],
    said: "lateen join lateen1.eyJ.pin.sec-ret please",
    tokenId: "t1",
  });
  const { time: _, ...rest } = last(lines);
  assert.deepEqual(rest, {
    level: "info",
    msg: "joining",
    joinToken: "[redacted]",
    headers: { Authorization: "[redacted]", "X-Consul-Token": "[redacted]", accept: "Bearer [redacted]" },
    nested: [{ private_key: "[redacted]" }, "use [redacted] now", { password: "[redacted]" }],
    said: "lateen join [redacted] please",
    tokenId: "t1",
  });
});

test("an error is told with its code and causes; what is circular is cut", () => {
  const { logger, lines } = capture("json");
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const cause = new Error("Bearer hush");
  logger.error("failed", { error: new MeshError("ca.unavailable", "sign", { cause }), circular, big: 1n });
  const { error, big } = last(lines) as { error: { code: string; cause: { message: string } }; big: string };
  assert.deepEqual([error.code, error.cause.message, big], ["ca.unavailable", "Bearer [redacted]", "1"]);
  assert.doesNotMatch(lines.join(""), /hush/);
});
