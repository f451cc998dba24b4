import type { AnalysisMessage } from "../../mesh/admin-api/replies.ts";
import { formatPath } from "../../mesh/model/finding.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { byPrecedence } from "../../mesh/model/object.ts";
import type { ObjectPlace } from "../../mesh/model/parse-documents.ts";
import { checkObject } from "../../mesh/model/parse-object.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import type { PublishReport } from "../snapshot/publish-report.ts";
import { byText } from "../snapshot/text-order.ts";
import { ANALYZERS } from "./analyzers.ts";
import { CODES, documentationUrl } from "./codes.ts";
import { type Finding, originOf, SEVERITIES } from "./finding.ts";
import { SUPPRESS_ANNOTATION } from "./istio-annotations.ts";
import { MeshFacts } from "./mesh-facts.ts";
import { translationFindings } from "./translation.ts";

/** Where an object of a file is. */
export interface FilePlace {
  readonly file: string;
  readonly place: Pick<ObjectPlace, "lineOf" | "isUnread">;
}

export interface AnalysisInput {
  readonly objects: readonly StoredObject[];
  /** A snapshot that has these objects. */
  readonly snapshot: MeshSnapshot;
  /** Of the objects that are from files. */
  readonly places: ReadonlyMap<StoredObject, FilePlace>;
  /** Of the translation of the snapshot, where there was one. */
  readonly report?: PublishReport;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What all analyzers find, the worst first. */
export function analyze({
  objects,
  snapshot,
  places,
  now,
  report,
}: AnalysisInput): readonly AnalysisMessage[] {
  const mesh = new MeshFacts(objects.toSorted(byPrecedence), snapshot, now);
  const analyzed = ANALYZERS.flatMap((analyzer) => [...analyzer(mesh)]);
  const wrong = new Set(analyzed.filter(({ code }) => CODES[code] === "Error").map(({ subject }) => subject));
  const translated =
    report === undefined
      ? []
      : translationFindings(report, objects, snapshot, (subject) => wrong.has(subject));
  const found = [
    ...storedNotices(objects.filter((object) => !places.has(object))),
    ...analyzed,
    ...translated,
  ];
  const wanted = found.filter((finding) => isWanted(finding) && !isUnread(finding, places));
  return sorted(wanted.map((finding) => toMessage(finding, places)));
}

/** What the schemas warn about in stored objects; for those of files, who parsed them has it already. */
function* storedNotices(stored: readonly StoredObject[]): Iterable<Finding> {
  for (const subject of stored) {
    const { findings } = checkObject(subject.written, { defaultNamespace: subject.metadata.namespace });
    for (const { severity, path, message } of findings) {
      const text = path.length === 0 ? message : `${formatPath(path)} ${message}`;
      if (severity === "warning") yield { code: "IST0133", subject, path, message: text };
    }
  }
}

/** What is no object at all has no kind: there is nothing to say a message about. */
export function isUnparsable({ kind, severity }: LocatedViolation): boolean {
  return kind === "" && severity === "error";
}

/** What the schemas say, as messages: errors are IST0106, warnings IST0133. What is not the mesh's is no message. */
export function schemaMessages(violations: readonly LocatedViolation[]): readonly AnalysisMessage[] {
  const told = violations.filter(({ severity }) => severity !== "info");
  return told.map(({ kind, namespace, name, path, message, severity, file, line }) => {
    const code = severity === "error" ? "IST0106" : "IST0133";
    return {
      ...aboutCode(code),
      origin: originOf({ kind, metadata: { namespace, name } }),
      ...(file === undefined ? {} : { file, line }),
      message: path === "" ? message : `${path} ${message}`,
    };
  });
}

/** The worst first, then in the order of the files. */
export function sorted(messages: readonly AnalysisMessage[]): readonly AnalysisMessage[] {
  return messages.toSorted(
    (a, b) =>
      SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
      byText(a.file ?? "", b.file ?? "") ||
      (a.line ?? 0) - (b.line ?? 0) ||
      byText(a.code, b.code) ||
      byText(a.origin, b.origin) ||
      byText(a.message, b.message),
  );
}

/** False when the object itself says that it is not to be told for this. */
function isWanted({ code, subject }: Finding): boolean {
  const annotations = "annotations" in subject.metadata ? subject.metadata.annotations : undefined;
  const listed = (annotations as Readonly<Record<string, string>> | undefined)?.[SUPPRESS_ANNOTATION] ?? "";
  return !listed.split(",").some((one) => one.trim() === "*" || one.trim() === code);
}

/** What an object in part does not have may be there, in a form that was refused. */
function isUnread({ subject, path }: Finding, places: AnalysisInput["places"]): boolean {
  return places.get(subject as StoredObject)?.place.isUnread?.(path) ?? false;
}

function toMessage(
  { code, subject, path, message }: Finding,
  places: AnalysisInput["places"],
): AnalysisMessage {
  const at = places.get(subject as StoredObject);
  return {
    ...aboutCode(code),
    origin: originOf(subject),
    ...(at === undefined ? {} : { file: at.file, line: at.place.lineOf(path) }),
    message,
  };
}

function aboutCode(code: Finding["code"]): Pick<AnalysisMessage, "code" | "severity" | "documentationUrl"> {
  const url = documentationUrl(code);
  return { code, severity: CODES[code], ...(url === undefined ? {} : { documentationUrl: url }) };
}
