/** The published types do not know this file, and those of the package lack options and force enums: see der.ts. */
declare module "node-forge/lib/asn1.js" {
  const asn1: unknown;
  export default asn1;
}
