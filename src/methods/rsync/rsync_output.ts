/**
 * Reads what rsync prints: names and progress on its standard output, and on its standard error what it says of single
 * files. Names are the safe names of links, so a line is never ambiguous.
 *
 * @module
 */
import { failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { sourceFailureOf } from "../../system/source_failure.ts";
import type { Fault } from "../../system/system.ts";
import { linkName } from "../links.ts";
import type { Upload } from "../method.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import type { FileFailures, Sent } from "../shell/shell_session.ts";

/** Takes output piece by piece and tells how far which file is. */
export function rsyncProgress(names: ReadonlySet<string>, onBytes: Sent["bytes"]): (text: string) => void {
  let rest = "";
  let current: string | null = null;
  return (text) => {
    const lines = (rest + text).split(/[\r\n]/);
    rest = (lines.pop() ?? "").slice(-4096);
    for (const line of lines) {
      const bytes = /^\s*([\d,.]+)\s+\d+%/.exec(line)?.[1];
      if (bytes !== undefined && current !== null) onBytes(current, Number(bytes.replace(/\D/g, "")));
      else if (names.has(nameOf(line))) current = nameOf(line);
    }
  };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * What standard error says of single sources, by the name of their links.
 *
 * @throws {Failure} where a line tells of the destination as a whole (disk full, read-only…).
 */
export function rsyncFileFailures(
  stderr: string,
  uploads: readonly Upload[],
  destination: { readonly name: string },
): FileFailures {
  const byName = new Map(uploads.map((upload) => [linkName(upload), upload]));
  const failures = new Map<string, Failure>();
  for (const line of stderr.split(/\r?\n/)) {
    const [, quoted, reason = ""] = /"([^"]+)"(.*)$/.exec(line) ?? [];
    const upload = quoted === undefined ? undefined : byName.get(nameOf(quoted));
    if (upload && quoted && isSource(line)) {
      failures.set(nameOf(quoted), toldOfSource(upload.source.path, line, reason));
      continue;
    }
    // What a file system cannot keep is no reason to send the file again.
    if (/failed to set (times|permissions) on/.test(line)) continue;
    const meaning = meaningOf(line);
    if (meaning && !isSource(line)) {
      throw failure(meaning, `Cannot send to ${destination.name}`, { said: printable(line).slice(0, 200) });
    }
  }
  return failures;
}

function isSource(line: string): boolean {
  return /\[sender\]|has vanished|no referent|send_files failed|link_stat|readlink_stat|read errors mapping|non-regular file/
    .test(line);
}

/** Why a source was not sent, from what rsync or scp printed of it. */
export function toldOfSource(path: string, line: string, reason = line): Failure {
  return sourceFailureOf(faultIn(line), path, reason.replace(/^\W+/, "").trim());
}

function faultIn(line: string): Fault {
  if (/vanished|no referent|No such file/.test(line)) return "not_found";
  if (/non-regular|not a regular file|Is a directory/i.test(line)) return "is_a_folder";
  return /Permission denied|Operation not permitted/.test(line) ? "permission" : "other";
}
