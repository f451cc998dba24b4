import * as z from "zod";
import { isGroupPath } from "../../mesh/model/capture-owner.ts";

const port = z.int().min(1).max(65_535);
const workload = z.string().regex(/^[a-z0-9-]{1,63}\/[A-Za-z0-9_.-]{1,200}$/);
/** A user id of Linux; the last two numbers mean nobody at all. */
const uid = z.int().min(0).max(0xfffffffd);

/** Not of two lines, nor without end: it is printed. */
const path = z.string().regex(/^\/[^\0\r\n]{0,4000}$/);

const ownerSchema = z.discriminatedUnion("kind", [
  /** `user`: the name that was said for it. */
  z.object({ kind: z.literal("uid"), uid, user: z.string().max(64).optional() }),
  /** Below the root of the unified hierarchy. */
  z.object({ kind: z.literal("cgroup"), path: z.string().refine(isGroupPath, "is no control group") }),
]);

const schema = z.object({
  services: z
    .array(
      z.object({
        workload,
        /** Whose connections go to `outbound`; undefined: nobody's. */
        owner: ownerSchema.optional(),
        outbound: port,
        /** Where connections go that come to `place`; undefined: they are left alone. */
        inbound: port.optional(),
        place: z.object({ address: z.union([z.ipv4(), z.ipv6()]), port }),
        /** Its application listens at all addresses of the host. */
        everywhere: z.boolean(),
        ipv6: z.boolean(),
      }),
    )
    .max(200),
  /** Of the agent whose services these are. */
  runDir: path,
  /** Whose connections are the proxies' own. */
  meshUid: uid,
  /** Connections to these ports are nobody's to capture, whichever way they go. */
  keptPorts: z.array(port).min(1).max(200),
  /** Where questions to name servers (port 53) of captured owners go; undefined: where they were going. */
  dnsPort: port.optional(),
});

/** All that the rules of a host follow from, with users and groups looked up. */
export type CapturePlan = z.output<typeof schema>;
export type CapturedService = CapturePlan["services"][number];
export type PlannedOwner = z.output<typeof ownerSchema>;

/** Reads a plan that was kept. Throws a ZodError for what is none. */
export function parseCapturePlan(text: string): CapturePlan {
  return schema.parse(JSON.parse(text));
}
