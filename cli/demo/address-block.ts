import { createServer } from "node:net";
import { MeshError } from "../../mesh/errors.ts";

/** The block that a person sees in the demo's output, when it is free. */
const FAVOURITE = "127.90.80";
const TRIES = 20;

/**
 * Finds a block of loopback addresses (`127.x.y`) in which nothing listens yet: the favourite one for a person, a
 * random one when several demos may run at once.
 */
export async function freeAddressBlock(options: { readonly random: boolean }): Promise<string> {
  const candidates = [
    ...(options.random ? [] : [FAVOURITE]),
    ...Array.from({ length: TRIES }, () => `127.${below(16, 200)}.${below(1, 250)}`),
  ];
  for (const block of candidates) {
    if ((await canBind(`${block}.200`, 15_012)) && (await canBind(`${block}.1`, 9080))) return block;
  }
  throw new MeshError("agent.port-taken", "find free loopback addresses for the demo's hosts", {
    hint: "end what listens on 127.0.0.0/8 port 9080 and 15012 (ss -ltnp shows it)",
  });
}

function below(from: number, to: number): number {
  return from + Math.floor(Math.random() * (to - from));
}

function canBind(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
