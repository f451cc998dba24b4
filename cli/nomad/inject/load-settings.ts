import * as z from "zod";
import { type ConfigSources, loadConfig } from "../../../mesh/config/load-config.ts";
import { type SidecarSettings, sidecarSettingsSchema } from "./settings.ts";

/** The configuration of `lateen nomad`, of which an injection by hand needs one part. */
const schema = z.looseObject({ sidecar: sidecarSettingsSchema.prefault({}) });

/** Throws `config.invalid` with every violation. */
export function loadSidecarSettings(sources: Omit<ConfigSources, "prefix">): SidecarSettings {
  return loadConfig<z.output<typeof schema>>(schema, { ...sources, prefix: "LATEEN_NOMAD" }).sidecar;
}
