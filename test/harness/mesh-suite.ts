import { after, afterEach, before, describe } from "node:test";
import { DATA_PLANES, type DataPlaneKind, type Mesh, type MeshOptions, startMesh } from "./mesh.ts";
import { skipWithout } from "./tools.ts";

/** Far beyond what a suite needs: what hangs fails. */
const SUITE_LIMIT_MS = 120_000;

/**
 * Defines the same tests for each data plane, or those that are given: a mesh for all of them, whose objects are removed after each test.
 * Without Envoy its half is skipped by name.
 */
export function describeMesh(
  title: string,
  options: Omit<MeshOptions, "dataPlane"> & { readonly dataPlanes?: readonly DataPlaneKind[] },
  define: (mesh: () => Mesh) => void,
): void {
  for (const dataPlane of options.dataPlanes ?? DATA_PLANES) {
    const missing =
      (dataPlane === "envoy" && skipWithout("envoy")) ||
      (options.catalog === "consul" && skipWithout("consul"));
    describe(`${title}, ${dataPlane}`, { skip: missing, timeout: SUITE_LIMIT_MS }, () => {
      let mesh: Mesh | undefined;
      before(async () => {
        mesh = await startMesh({ ...options, dataPlane });
      });
      afterEach(async () => {
        await mesh?.deleteAll();
      });
      after(async () => {
        await mesh?.[Symbol.asyncDispose]();
      });
      define(() => {
        if (mesh === undefined) throw new Error("the mesh is not up");
        return mesh;
      });
    });
  }
}
