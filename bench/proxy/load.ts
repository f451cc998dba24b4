import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { benchTool } from "../../setup/find-bench-tool.ts";
import { percentile } from "../report.ts";
import { LOAD_CORE } from "./processes.ts";

/** What a load generator saw. */
export interface Load {
  /** Requests, connections or megabytes: what CPU is counted for. */
  readonly units: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface WrkOptions {
  readonly connections: number;
  readonly seconds: number;
  /** Each request on a connection of its own. */
  readonly close?: boolean;
  /** A unit is a megabyte of the answers, not a request. */
  readonly countMegabytes?: boolean;
}

/** HTTP/1.1 as fast as it goes. Throws when anything but 2xx was answered. */
export async function wrk(url: string, options: WrkOptions): Promise<Load> {
  const close = options.close ? ["-H", "connection: close"] : [];
  const args = [
    "-t1",
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    "--latency",
    "--timeout",
    "20s",
    ...close,
    url,
  ];
  const out = await run("wrk", args);
  const failures = [...out.matchAll(/^\s*(Non-2xx or 3xx responses|Socket errors): (.*)$/gm)].map(([line]) =>
    line.trim(),
  );
  // With `connection: close` wrk counts each end of a connection as a failed read.
  const real = options.close
    ? failures.filter((line) => !/connect 0, read \d+, write 0, timeout 0/.test(line))
    : failures;
  if (real.length > 0) throw new Error(`wrk ${url}: ${real.join("; ")}`);
  const requests = Number(/(\d+) requests in/.exec(out)?.[1]);
  const seconds = duration(/requests in ([\d.]+)(us|ms|s|m)/.exec(out));
  const megabytes = size(/requests in [^,]+, ([\d.]+)(KB|MB|GB) read/.exec(out));
  const units = options.countMegabytes ? megabytes : requests;
  return {
    units,
    perSecond: units / (seconds / 1000),
    p50Ms: duration(/50%\s+([\d.]+)(us|ms|s)/.exec(out)),
    p99Ms: duration(/99%\s+([\d.]+)(us|ms|s)/.exec(out)),
    maxMs: duration(/Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)/.exec(out)),
  };
}

export interface H2loadOptions {
  readonly connections: number;
  readonly streams: number;
  readonly seconds: number;
  readonly http1?: boolean;
  /** Requests a second of all connections; as fast as it goes otherwise. */
  readonly rate?: number;
  readonly body?: Buffer;
  readonly headers?: readonly string[];
}

/** HTTP/2 (prior knowledge), or a steady rate. Throws when anything but 2xx was answered. */
export async function h2load(url: string, options: H2loadOptions): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-bench-"));
  try {
    const log = join(folder, "log");
    const body = join(folder, "body");
    if (options.body) await writeFile(body, options.body);
    const out = await run("h2load", [
      "-t1",
      `-c${options.connections}`,
      `-m${options.streams}`,
      `-D${options.seconds}`,
      ...(options.http1 ? ["--h1"] : []),
      ...(options.rate ? [`--rps=${options.rate / options.connections}`] : []),
      ...(options.body ? [`--data=${body}`] : []),
      ...(options.headers ?? []).flatMap((header) => ["-H", header]),
      `--log-file=${log}`,
      url,
    ]);
    const [, done = 0, ok = 0] = /requests: .*?(\d+) done, (\d+) succeeded/.exec(out)?.map(Number) ?? [];
    if (ok === 0 || ok < done) throw new Error(`h2load ${url}: ${ok} of ${done} succeeded\n${out}`);
    // Start of the request in µs, status, time of the answer in µs.
    const times = (await readFile(log, "utf8")).split("\n").flatMap((line) => {
      const [, status, us] = line.split("\t");
      return status === undefined ? [] : [Number(us) / 1000];
    });
    const perSecond = Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(out)?.[1]);
    return {
      units: done,
      perSecond,
      p50Ms: percentile(times, 0.5),
      p99Ms: percentile(times, 0.99),
      maxMs: Math.max(...times),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(tool: "wrk" | "h2load", args: readonly string[]): Promise<string> {
  const { path, env } = benchTool(tool);
  const { stdout } = await promisify(execFile)("taskset", ["--cpu-list", String(LOAD_CORE), path, ...args], {
    env: { ...process.env, ...env },
    maxBuffer: 64 << 20,
    timeout: 120_000,
  });
  return stdout;
}

/** In milliseconds. */
function duration(match: RegExpExecArray | null): number {
  const factor = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[match?.[2] ?? ""] ?? Number.NaN;
  return Number(match?.[1]) * factor;
}

/** In megabytes. */
function size(match: RegExpExecArray | null): number {
  const factor = { KB: 1 / 1024, MB: 1, GB: 1024 }[match?.[2] ?? ""] ?? Number.NaN;
  return Number(match?.[1]) * factor;
}
