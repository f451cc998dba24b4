/**
 * What the CLI does with files alone, without a server: pure functions on texts that it has read. The door to
 * controlplane/ for that, beside `app.ts`.
 */

export { parseFiles } from "../mesh/model/parse-files.ts";
export { type MeshConfigFile, parseMeshConfigFile } from "./offline/mesh-config-file.ts";
export { type RenderedResource, type RenderedResources, renderWorkload } from "./offline/render-workload.ts";
