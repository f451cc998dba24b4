import type { Target } from "../target.ts";
import { dnsQuery } from "./dns.ts";
import { clientHello } from "./first-bytes.ts";
import { http1Client, http1Differential, http1Server } from "./http1.ts";
import { hpack, http2Client, http2Server } from "./http2.ts";
import { muxClient, muxHeads, muxServer } from "./mux.ts";
import { cel, format, path } from "./texts.ts";
import { xdsTargets } from "./xds.ts";

export const TARGETS: readonly Target[] = [
  http1Server,
  http1Client,
  http1Differential,
  http2Server,
  http2Client,
  hpack,
  muxServer,
  muxClient,
  muxHeads,
  clientHello,
  dnsQuery,
  path,
  format,
  cel,
  ...xdsTargets,
];

export function targetNamed(name: string): Target {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined)
    throw new Error(`no target is named "${name}"; there are ${TARGETS.map((one) => one.name).join(", ")}`);
  return target;
}
