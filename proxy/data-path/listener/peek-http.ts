const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~\u0080-\u00ff]+ HTTP\/1\.([01])\r?$/;
/** What could still become a request line. */
const BEGINNING = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [!-~\u0080-\u00ff]*(?: [HTP/1.0]*\r?)?)?$/;
/** As Envoy's HTTP inspector has it. */
const LONGEST_LINE = 8192;

/** Which HTTP the first bytes of a connection are, as ALPN would name it; none when they are something else. */
export function peekHttp(bytes: Buffer): readonly string[] | "incomplete" {
  const text = bytes.toString("latin1", 0, LONGEST_LINE);
  if (text.startsWith(PREFACE)) return ["h2c"];
  if (PREFACE.startsWith(text)) return "incomplete";
  const end = text.indexOf("\n");
  if (end >= 0) {
    const minor = REQUEST_LINE.exec(text.slice(0, end))?.[1];
    return minor === undefined ? [] : [`http/1.${minor}`];
  }
  return text.length < LONGEST_LINE && BEGINNING.test(text) ? "incomplete" : [];
}
