import { createHash } from "node:crypto";
import * as z from "zod";
import { MARK } from "./ruleset.ts";

/** What of `nft -j list` is looked at; other objects, and other fields, are let pass. */
const listing = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });
const protocol = z.union([z.string(), z.number()]);
const element = z.union([
  protocol,
  z.object({ elem: z.object({ val: protocol, expires: z.number().optional() }) }),
]);
const armedSet = z.object({ name: z.literal("armed"), elem: z.array(element).default([]) });
const groupSet = z.object({
  name: z.string().regex(/^owners_\d+$/),
  type: z.literal("cgroupsv2"),
  elem: z.array(z.union([z.string(), z.number()])).default([]),
});

const markSchema = z.object({ name: z.string().regex(new RegExp(`^${MARK}[0-9a-f]+$`)) });

/** How our table is in the kernel. */
export type CaptureLife =
  | { readonly kind: "on" }
  /** Until it ends by itself. */
  | { readonly kind: "ends"; readonly inSeconds: number }
  /** It is there, and captures nothing: it was not confirmed, or is being removed. */
  | { readonly kind: "over" };

export interface TableState {
  /** Tells one making of the table from another; empty: it is not of our making. */
  readonly mark: string;
  readonly life: CaptureLife;
  /** Of all rules, chains and other sets: equal for equal ones, however often and when they were written. */
  readonly digest: string;
  /** Names of sets with a control group that is gone. */
  readonly stale: readonly string[];
}

/** Where a host has no /etc/protocols, nft knows numbers alone. */
const TCP: ReadonlySet<unknown> = new Set(["tcp", 6, "6"]);

/** What moves by itself, or is given by the kernel, says nothing of whether somebody has changed the rules. */
const GIVEN = new Set(["handle", "expires", "packets", "bytes"]);

/**
 * Reads `nft -j list table inet lateen`. Throws a ZodError or SyntaxError for what is no listing. Pure.
 */
export function parseTable(json: string): TableState {
  const objects = listing.parse(JSON.parse(json)).nftables;
  const armed = objects.flatMap(({ set }) => armedSet.safeParse(set).data ?? [])[0];
  const groups = objects.flatMap(({ set }) => groupSet.safeParse(set).data ?? []);
  const names = new Set(["armed", ...groups.map(({ name }) => name)]);
  const rest = objects.filter(({ metainfo, set }) => {
    const { name } = (set ?? {}) as { readonly name?: string };
    return metainfo === undefined && !names.has(name ?? "");
  });
  const marks = objects.flatMap(
    ({ chain }) => markSchema.safeParse(chain).data?.name.slice(MARK.length) ?? [],
  );
  return {
    mark: marks[0] ?? "",
    life: lifeOf(armed),
    digest: createHash("sha256").update(JSON.stringify(rest, withoutGiven)).digest("hex"),
    // nft writes the path of a group that is there, and the number of one that is not.
    stale: groups
      .filter(({ elem }) => !elem.some((one) => !/^\d+$/.test(String(one))))
      .map(({ name }) => name),
  };
}

function lifeOf(set: z.output<typeof armedSet> | undefined): CaptureLife {
  const tcp = set?.elem.find((one) => TCP.has(typeof one === "object" ? one.elem.val : one));
  if (tcp === undefined) return { kind: "over" };
  const expires = typeof tcp === "object" ? tcp.elem.expires : undefined;
  return expires === undefined ? { kind: "on" } : { kind: "ends", inSeconds: expires };
}

function withoutGiven(key: string, value: unknown): unknown {
  return GIVEN.has(key) ? undefined : value;
}
