import type { ConfigPatch } from "../../mesh/model/envoy-filter.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { Code } from "./codes.ts";
import type { Finding } from "./finding.ts";
import type { MeshFacts } from "./mesh-facts.ts";

/** Patches that cannot be applied, and those that depend on what another patch has done before. */
export function* envoyFilters(mesh: MeshFacts): Iterable<Finding> {
  /** Filters that a patch for one version of the proxy concerns, of all EnvoyFilters so far. */
  const versioned = new Set<string>();
  for (const subject of mesh.list("EnvoyFilter")) {
    for (const [index, patch] of subject.spec.configPatches.entries()) {
      const found = checkPatch(subject, patch, versioned);
      if (found !== undefined) yield { subject, path: ["spec", "configPatches", index], ...found };
      if (patch.match.proxy.version !== "") versioned.add(filterName(patch));
    }
  }
}

const REPLACEABLE: readonly string[] = ["HTTP_FILTER", "NETWORK_FILTER", "VIRTUAL_HOST"];

function checkPatch(
  { spec: { priority } }: StoredObject<"EnvoyFilter">,
  patch: ConfigPatch,
  versioned: ReadonlySet<string>,
): { readonly code: Code; readonly message: string } | undefined {
  const { operation, applyTo } = patch;
  const whole = applyTo === "ROUTE_CONFIGURATION" || applyTo === "HTTP_ROUTE";
  switch (operation) {
    case "ADD":
      return whole ? { code: "IST0153", message: `ADD does nothing for ${applyTo}` } : undefined;
    case "REMOVE":
      if (whole) return { code: "IST0154", message: `REMOVE does nothing for ${applyTo}` };
      break;
    case "REPLACE":
      if (!REPLACEABLE.includes(applyTo)) {
        return {
          code: "IST0152",
          message: `REPLACE is only for ${REPLACEABLE.join(", ")}, not ${applyTo}`,
        };
      }
      break;
    case "INSERT_BEFORE":
    case "INSERT_AFTER":
      break;
    default:
      return undefined;
  }
  if (priority !== 0) return undefined;
  return versioned.has(filterName(patch))
    ? {
        code: "IST0155",
        message: `${operation} meets a filter that another patch changes for one proxyVersion: without priority it may not apply after an upgrade`,
      }
    : {
        code: "IST0151",
        message: `${operation} depends on what is there already: without priority it may come too early`,
      };
}

/** The filter that a patch makes, or the one that it looks for. */
function filterName({ value, match }: ConfigPatch): string {
  const name = value?.["name"];
  return typeof name === "string" ? name : (match.listener?.filterChain?.filter?.name ?? "");
}
