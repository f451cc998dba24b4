import type { AgentConfig } from "../../agent/config.ts";
import type { Invitation } from "../../agent/identity/invitation.ts";
import { checkWithoutAgent } from "../../agent/offline.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext } from "../context.ts";
import { printable } from "../output/table.ts";

/** Joining is what mends them. */
const MENDED_BY_JOINING: ReadonlySet<string> = new Set(["host.certificate"]);

/**
 * Looks at a host before it joins, as `lateen check --pre` does; changes nothing. Warnings are told; what would keep the
 * host out of the mesh is thrown (`cli.host`), the first of it with its code and what to do. Services and their catalog keep
 * no host out: their directory may have to be made, and the agent tells what is wrong with them.
 */
export async function lookBefore(
  { signal, stderr }: CliContext,
  config: AgentConfig,
  { addresses, pin }: Pick<Invitation, "addresses" | "pin">,
): Promise<void> {
  const alone: AgentConfig = { ...config, discovery: { ...config.discovery, kind: "none" } };
  const all = await checkWithoutAgent({ config: alone, signal, servers: { addresses, known: { pin } } });
  signal.throwIfAborted();
  const findings = all.filter(({ code }) => !MENDED_BY_JOINING.has(code));
  for (const { code, severity, message, hint } of findings)
    if (severity === "warning") stderr.write(`${code}: ${printable(message)}\ntry: ${printable(hint)}\n`);
  const [first, ...more] = findings.filter(({ severity }) => severity === "error");
  if (first === undefined) return;
  const others = more.length === 0 ? "" : ` (and ${more.map(({ code }) => code).join(", ")})`;
  throw new MeshError("cli.host", `${first.code}: ${first.message}${others}`, {
    hint: `${first.hint}; lateen check --pre tells all of it, and --no-check joins nevertheless`,
  });
}
