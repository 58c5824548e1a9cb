/**
 * Files that are incomplete or rejected: they have no delivery, so the history does not contain them.
 *
 * @module
 */
import { pathField, printable } from "../../domain/names/printable.ts";
import { withoutName } from "../../domain/names/reason.ts";
import type { NotSent } from "../../reports/overview/status_json.ts";
import type { Tools } from "../command.ts";
import { reportOf } from "../service/service_daemon.ts";
import { wrapped } from "../../domain/wrapped.ts";

/** Which of them are asked for. */
interface NotSentAsk {
  readonly job?: string;
  /** Part of the path, any case. */
  readonly search?: string;
}

/** Those that the running daemon reports; null if no daemon responds. */
export async function notSentNow(
  { job, search = "" }: NotSentAsk,
  stateDirectory: string,
  tools: Tools,
): Promise<NotSent[] | null> {
  const report = await reportOf(stateDirectory, tools);
  if (report === null) return null;
  return report.jobs.filter(({ name }) => job === undefined || name === job).flatMap(({ not_sent }) => not_sent ?? [])
    .filter(({ path }) => path.toLowerCase().includes(search.toLowerCase()));
}

/** Each on a line of its own, below it why, and what to do; the first `most` of them. */
export function notSentLines(files: readonly NotSent[], columns: number, most: number): string[] {
  const lines = files.slice(0, most).flatMap(({ path, reason, message, hint }) => [
    `  NOT SENT (${reason}): ${pathField(path)}`,
    ...wrapped(printable(withoutName(message, path)), columns, HANGING, HANGING),
    ...(hint ? wrapped(printable(hint), columns, HANGING, HANGING) : []),
  ]);
  return files.length > most ? [...lines, "  … and more: the log lists them all"] : lines;
}

const HANGING = " ".repeat(6);
