import { createHash } from "node:crypto";
import type { AttestationMethod } from "./attestor.ts";

/** The id that a host has each time that it proves the same of itself: its placements and a ban stay with it. */
export function agentIdFor(method: AttestationMethod, subject: string): string {
  const hex = createHash("sha256").update(`${method}\0${subject}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}
