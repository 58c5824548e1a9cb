/** Everything that is wrong with a configuration, each problem with file, line and key. */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";

/** One thing that is wrong; line and column count from 1. */
export interface Problem {
  /** The server whose job contains the mistake. Such a job has no lines, so the line is 0. */
  readonly server?: string;
  readonly line: number;
  readonly column: number;
  /** The whole key, e.g. `jobs[0].destinations[1].remote_host`; empty if it concerns the whole file. */
  readonly key: string;
  readonly message: string;
}

/** Thrown for a configuration that cannot be used; the message has one line for each problem, as `file:line:column: …`, or `server: …`. */
export class ConfigError extends Failure {
  constructor(readonly file: string, readonly problems: readonly Problem[]) {
    super("configuration", problems.map((problem) => problemLine(file, problem)).join("\n"));
  }
}

/** `config.yaml:9:1: unknown key "file_patern"; did you mean "file_patterns"?` */
function problemLine(file: string, problem: Problem): string {
  const { server, line, column, message } = problem;
  return `${printable(server ?? `${file}:${line}:${column}`)}: ${printable(message)}`;
}
