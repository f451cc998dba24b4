import * as z from "zod";
import { isDnsSubdomain } from "./dns-names.ts";
import { annotations, labels } from "./labels.schema.ts";
import type { ObjectMeta } from "./object.ts";
import { dnsLabel, textThat } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";

/** What a server sets and an author does not; dropped, so that an exported object can be applied again. */
export const SERVER_SET_METADATA: readonly string[] = [
  "creationTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "selfLink",
  "uid",
];

const serverSet = Object.fromEntries(SERVER_SET_METADATA.map((field) => [field, z.unknown().optional()]));

export const objectName: z.ZodType<string> = textThat(
  isDnsSubdomain,
  "a valid name: small letters, digits, dashes and dots (RFC 1123)",
);

/** An object's metadata, with the namespace that it gets when it names none. */
export function objectMeta(defaultNamespace: string, name: z.ZodType<string>): z.ZodType<ObjectMeta> {
  return z
    .object({
      name,
      namespace: dnsLabel.default(defaultNamespace),
      labels,
      annotations,
      finalizers: notYet(),
      generateName: notYet(),
      ownerReferences: notYet(),
      ...serverSet,
    })
    .transform(({ name, namespace, labels, annotations }) => ({ name, namespace, labels, annotations }));
}
