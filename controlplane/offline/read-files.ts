import { type ParsedFiles, parseFiles, type SourceFile } from "../../mesh/model/parse-files.ts";
import { parseConfig } from "../parse-config.ts";

/** The objects of files, as a server would take them. */
export function readFiles(
  files: readonly SourceFile[],
  options: { readonly defaultNamespace: string; readonly partial?: boolean },
): ParsedFiles {
  return parseFiles(files, options, parseConfig);
}
