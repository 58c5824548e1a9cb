/**
 * Text from outside (file names, remote answers) made fit for a log line, a terminal or a message: nothing in it
 * can move a cursor, start a new line or turn the reading direction.
 */

/** The text with control, format and unpaired surrogate characters as escapes (`\n`, `\x1b`, `\u202e`). */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const short = SHORT[character];
    if (short) return short;
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** A path as one field of a log line: printable, in double quotes where it holds a space or a quote. */
export function pathField(path: string): string {
  const text = printable(path);
  return /[\s"]/.test(text) ? `"${text.replaceAll('"', '\\"')}"` : text;
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A host as it stands before a colon, in URLs and for scp: an IPv6 address is put in brackets (RFC 3986, 3.2.2). */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
