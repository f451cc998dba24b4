/**
 * What the CLI does with files alone, without a server: pure functions on texts that it has read. The door to
 * controlplane/ for that, beside `app.ts`.
 */

export { isUnparsable, schemaMessages, sorted as sortedMessages } from "./analyze/analyze.ts";
export { SEVERITIES, type Severity } from "./analyze/finding.ts";
export { isSuppressed, parseSuppression } from "./analyze/suppress.ts";
export { verifyAudit } from "./audit/verify-audit.ts";
export { analyzeFiles } from "./offline/analyze-files.ts";
export { checkAuthzInFiles, whoMayCallInFiles } from "./offline/authz-files.ts";
export { diffFiles } from "./offline/diff-files.ts";
export { explainFiles } from "./offline/explain-files.ts";
export { admitFiles } from "./offline/file-state.ts";
export { readFiles as parseFiles } from "./offline/read-files.ts";
export { type RenderedResource, type RenderedResources, renderWorkload } from "./offline/render-workload.ts";
export { parseQuestion } from "./simulate/call-question.ts";
