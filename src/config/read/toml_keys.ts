/**
 * Finds where the keys of a TOML text stand, which the TOML library does not tell. The text has been parsed
 * before, so this only follows its structure and checks nothing.
 *
 * @module
 */

/** A key or list item, where it begins, and its value where that is a bare word or number. */
export interface TomlKey {
  /** Keys as text, places in lists as numbers from 0, outermost first. */
  readonly path: readonly (string | number)[];
  /** From the beginning of the text, in UTF-16 units. */
  readonly offset: number;
  /** Empty for any other value. */
  readonly bare: string;
}

/** Every key, table head and list item of a TOML text that is known to be valid. */
export function tomlKeys(text: string): TomlKey[] {
  const found: TomlKey[] = [];
  const lists = new Map<string, number>();
  let table: (string | number)[] = [];
  let at = 0;

  const skip = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const match = pattern.exec(text)?.[0] ?? "";
    at += match.length;
    return match;
  };
  const blank = () => skip(/(?:[ \t\r\n]|#[^\n]*)*/y);

  const key = (): string[] => {
    const parts: string[] = [];
    do {
      skip(/[ \t]*\.?[ \t]*/y);
      parts.push(text[at] === '"' || text[at] === "'" ? quoted() : skip(/[A-Za-z0-9_-]+/y));
      skip(/[ \t]*/y);
    } while (text[at] === ".");
    return parts;
  };
  const quoted = (): string => {
    const raw = skip(/"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y);
    return raw.startsWith('"') ? unescaped(raw) : raw.slice(1, -1);
  };
  const value = (path: (string | number)[]): string => {
    const strings = /"""(?:[^\\]|\\[^])*?"{3,5}|'''[^]*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
    if (text[at] === "[") list(path);
    else if (text[at] === "{") inlineTable(path);
    else if (!skip(strings)) return skip(/[^,\]}\s#]+/y);
    return "";
  };
  const list = (path: (string | number)[]) => {
    at++;
    for (let index = 0;; index++) {
      skip(/(?:[ \t\r\n,]|#[^\n]*)*/y);
      if (at >= text.length || text[at] === "]") break;
      const offset = at;
      add([...path, index], offset, () => value([...path, index]));
    }
    at++;
  };
  const inlineTable = (path: (string | number)[]) => {
    at++;
    for (;;) {
      skip(/(?:[ \t\r\n,]|#[^\n]*)*/y);
      if (at >= text.length || text[at] === "}") break;
      pair(path);
    }
    at++;
  };
  const pair = (path: (string | number)[]) => {
    const offset = at;
    const whole = [...path, ...key()];
    skip(/[ \t]*=[ \t]*/y);
    add(whole, offset, () => value(whole));
    if (at === offset) at = text.length; // Not TOML after all: end rather than turn in circles.
  };
  const add = (path: readonly (string | number)[], offset: number, read: () => string) => {
    const place = found.length;
    found.push({ path, offset, bare: "" });
    const bare = read();
    if (bare !== "") found[place] = { path, offset, bare };
  };
  const head = () => {
    const double = skip(/\[\[/y) !== "";
    if (!double) at++;
    const offset = at + (/^[ \t]*/.exec(text.slice(at, at + 200))?.[0].length ?? 0);
    const parts = key();
    skip(/[ \t]*\]+/y);
    table = [];
    parts.forEach((part, index) => {
      table = [...table, part];
      const name = JSON.stringify(table);
      const last = index === parts.length - 1;
      if (last && double) lists.set(name, (lists.get(name) ?? -1) + 1);
      if (last) found.push({ path: table, offset, bare: "" });
      if (lists.has(name)) table = [...table, lists.get(name)!];
    });
    found.push({ path: table, offset, bare: "" });
  };

  for (blank(); at < text.length; blank()) {
    if (text[at] === "[") head();
    else pair(table);
  }
  return found;
}

function unescaped(raw: string): string {
  try {
    return JSON.parse(raw.replace(/\\U([0-9A-Fa-f]{8})/g, (_, hex) => String.fromCodePoint(parseInt(hex, 16)))) as string;
  } catch (error) {
    // TOML knows escapes that JSON does not; the position of such a key is then that of its table.
    if (error instanceof SyntaxError) return raw;
    throw error;
  }
}
