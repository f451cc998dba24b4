import { flagsText, type HttpRecord, type TcpRecord } from "./records.ts";

/** One line in Envoy's (Istio's) default text format, with its line end. */
export function httpLogLine(record: HttpRecord, durationMs: number): string {
  const { ends, upstream } = record;
  return line([
    `[${new Date(record.startedAt).toISOString()}]`,
    `"${quoted(record.method)} ${quoted(record.path)} ${record.protocol}"`,
    record.status,
    flagsText(record.flags),
    dash(record.details),
    "-",
    `"${dash(quoted(upstream.failure))}"`,
    record.bytesReceived,
    record.bytesSent,
    Math.round(durationMs),
    record.upstreamMs === undefined ? "-" : Math.round(record.upstreamMs),
    `"${dash(quoted(record.requestHeaders.get("x-forwarded-for") ?? ""))}"`,
    `"${dash(quoted(record.requestHeaders.get("user-agent") ?? ""))}"`,
    `"${dash(quoted(record.requestId))}"`,
    `"${dash(quoted(record.authority))}"`,
    `"${dash(upstream.host)}"`,
    dash(upstream.cluster),
    "-",
    ends.localAddress,
    ends.remoteAddress,
    dash(quoted(ends.serverName)),
    dash(record.route),
  ]);
}

export function tcpLogLine(record: TcpRecord, durationMs: number): string {
  const { ends, upstream } = record;
  return line([
    `[${new Date(record.startedAt).toISOString()}]`,
    '"- - -"',
    0,
    flagsText(record.flags),
    "-",
    "-",
    `"${dash(quoted(upstream.failure))}"`,
    record.bytesReceived,
    record.bytesSent,
    Math.round(durationMs),
    "-",
    '"-"',
    '"-"',
    '"-"',
    '"-"',
    `"${dash(upstream.host)}"`,
    dash(upstream.cluster),
    "-",
    ends.localAddress,
    ends.remoteAddress,
    dash(quoted(ends.serverName)),
    "-",
  ]);
}

function line(fields: readonly (string | number)[]): string {
  return `${fields.join(" ")}\n`;
}

function dash(text: string): string {
  return text === "" ? "-" : text;
}

/** What others wrote must not end the field or the line. */
function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
