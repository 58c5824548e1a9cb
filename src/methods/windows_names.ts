/**
 * The names that Windows does not take, or takes for something else (`CON`, `a:b`, `name.`).
 *
 * @module
 */

/** True where one part of a path cannot be the name of a file or folder on Windows. */
export function refusedByWindows(name: string): boolean {
  return FORBIDDEN.test(name) || /[. ]$/.test(name) || RESERVED.test(name);
}

// deno-lint-ignore no-control-regex
const FORBIDDEN = /[<>:"|?*\\\x00-\x1f]/;
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?$/i;
