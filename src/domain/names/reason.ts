/** Why something failed, for people: without what the sentence around it says already. */
import { printable } from "./printable.ts";

/**
 * Without the number, the call and the path that Deno adds: `Permission denied` of
 * `Permission denied (os error 13): open '/data/a.fits'`, or of `EACCES: permission denied, open '/data/a.fits'`; anything else as it is.
 */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\.? \(os error \d+\).*$/s, "").replace(/^E[A-Z]+: (.*), [a-z]+( '.*')?$/s, "$1");
}

/**
 * What a message says beyond the name: `HDU 2 is damaged` of `Cannot send "a/b.fits": HDU 2 is damaged`, `cannot read it: …`
 * of `Cannot read "b.fits": …`. `path` is the file's, absolute or relative; a message about something else stays as it is.
 */
export function withoutName(message: string, path: string): string {
  const [begin, verb] = /^Cannot ([a-z ]{2,20}) "/.exec(message) ?? [];
  if (begin === undefined || verb === undefined) return message;
  const rest = message.slice(begin.length);
  const end = rest.indexOf('": ');
  const name = rest.slice(0, Math.max(end, 0));
  if (name === "" || ![path, printable(path)].some((one) => one.replaceAll("\\", "/").endsWith(name.replaceAll("\\", "/")))) {
    return message;
  }
  const reason = rest.slice(end + 3);
  return verb === "send" ? reason : `cannot ${verb} it: ${reason}`;
}
