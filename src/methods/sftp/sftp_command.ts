/**
 * Lines for `sftp -b -`: quoting of paths, and the answers' texts. The one place that knows sftp's little language.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";

/** sftp reads lines into 2,048 bytes, and takes the rest of a longer one for the next command. */
const LONGEST_LINE = 2040;

/** One command whose failure does not end the batch. @throws {Failure} `name_refused` where a path cannot be said. */
export function sftpCommand(words: string, ...paths: readonly string[]): string {
  const line = `-${words} ${paths.map((path) => words.startsWith("ls") ? braced(quoted(path)) : quoted(path)).join(" ")}`;
  const path = paths.at(-1) ?? "";
  if (/[\n\0]/.test(line)) throw refused(path, "sftp cannot name a file with a line break");
  if (new TextEncoder().encode(line).length > LONGEST_LINE) throw refused(path, "the path is too long for sftp");
  return line;
}

/** As sftp's own parser reads it back; wildcards in quotes are plain characters. */
function quoted(path: string): string {
  return `"${path.replace(/[\\"]/g, "\\$&")}"`;
}

/** Of all commands only `ls` takes braces for alternatives, even in quotes. */
function braced(word: string): string {
  return word.replace(/[{}]/g, "\\$&");
}

function refused(path: string, reason: string): Failure {
  return new Failure("name_refused", `Cannot use "${printable(path)}" at the destination: ${reason}`, {
    hint: "Rename the file, or use transfer_method rsync or scp where the server gives a shell.",
  });
}

/** What `ls -ln path` said of one path. */
export type Listed = { readonly kind: "nothing" } | { readonly kind: "file" | "folder" | "other"; readonly bytes: number };

/** Reads the answer to `ls -ln` of one exact path; null where it cannot be understood. */
export function listed(path: string, { output, errors }: { readonly output: string; readonly errors: string }): Listed | null {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) {
    if (NOT_THERE.test(errors)) return { kind: "nothing" };
    // An empty folder: nothing to list, and no complaint.
    return errors.trim() === "" ? { kind: "folder", bytes: 0 } : null;
  }
  const match = lines.length === 1 ? LONG_LINE.exec(lines[0]!) : null;
  // The content of a folder is listed with the folder's path in front: one slash more than was asked for.
  if (!match || slashes(lines[0]!) > slashes(path)) return { kind: "folder", bytes: 0 };
  return { kind: match[1] === "-" ? "file" : "other", bytes: Number(match[2]) };
}

/** Kibibytes that the account may still write, from the answer to `df`; null where the server cannot tell. */
export function freeBytes(output: string): number | null {
  const match = /Avail[^\n]*\n\s*\d+\s+\d+\s+(\d+)\s/.exec(output);
  return match ? Number(match[1]) * 1024 : null;
}

/** Error texts that mean that there is nothing at the path; sftp cuts long ones off, reason and all. */
export const NOT_THERE = /not found|No such file|no such (path|directory)|^Can't ls: "|^File "/im;

function slashes(text: string): number {
  return text.split("/").length;
}

/** Type and size of a long listing: the size comes before the date, whatever the owners are called. */
const LONG_LINE = /^([-a-zA-Z])[-a-zA-Z]{9}\S*\s.*?\s(\d+)\s+\S{3,9}\.?\s+\d{1,2}\s+(?:\d{1,2}:\d{2}|\d{4})\s/;
