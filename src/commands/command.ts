/**
 * What a command is: a name, one line of help, a parser for the words behind its name, and what it does.
 * Commands return their exit code ({@linkcode EXIT}); what a person can act on is thrown as a `Failure`.
 */
import { map } from "@optique/core/modifiers";
import { type Message, message, text } from "@optique/core/message";
import type { Parser } from "@optique/core/parser";
import { command } from "@optique/core/primitives";
import { fitted } from "../domain/wrapped.ts";
import type { LedgerAccess, OnNotice } from "../ledger/ledger.ts";
import type { System } from "../system/system.ts";
import { EXIT } from "./text/failure_text.ts";

export { EXIT };

/** What a command may use, handed over by `main.ts`. */
export interface Tools extends LedgerAccess {
  readonly system: System;
  /** The folder the program was called in; relative paths of the command line begin there. */
  readonly cwd: string;
  /** The command line, without the program's own name. */
  readonly argv: readonly string[];
  /** Writes data to standard output as it is; the caller ends its lines. False if its reader is gone (`| head`). */
  readonly stdout: (text: string) => boolean;
  /** Writes messages for people to standard error as they are; the caller ends the lines. */
  readonly stderr: (text: string) => void;
  /** True when a person sits at standard input and standard error. */
  readonly isTerminal: boolean;
  /** Asks a person; null at the end of input. Only there on a terminal. */
  readonly prompt?: (question: string) => Promise<string | null>;
  /** Aborted when the program is asked to end (Ctrl+C, SIGTERM). */
  readonly signal: AbortSignal;
}

/** How long a line on standard output may be: unlimited if it is not a terminal, as other programs expect. */
export function columnsOf({ system }: Pick<Tools, "system">): number {
  return (system.isTerminal("stdout") ? system.columns() : null) ?? Infinity;
}

/** Prints text for people, wrapped on a terminal. */
export function say(text: string, tools: Pick<Tools, "system" | "stdout">): void {
  tools.stdout(fitted(text, columnsOf(tools)));
}

/** The outcome of a command: for programs as JSON on standard output, for people a sentence on standard error. */
export function tell(json: boolean, outcome: unknown, text: string, { stdout, stderr }: Pick<Tools, "stdout" | "stderr">): void {
  if (json) stdout(`${JSON.stringify(outcome)}\n`);
  else stderr(text);
}

/** Says why a command does nothing as it is given; returns the exit code. */
export function refused(why: string, { stderr }: Pick<Tools, "stderr">): number {
  stderr(`${why}\n`);
  return EXIT.usage;
}

export function notices({ stderr }: Pick<Tools, "stderr">): OnNotice {
  return (notice) => stderr(`${notice}\n`);
}

/** A command as it is written, with its own kind of input. */
interface CommandDefinition<T> {
  readonly name: string;
  /** One line without a full stop, shown in lists. */
  readonly help: string;
  /** Shown by `--help` of the command, when there is more to say than `help`. */
  readonly description?: string;
  readonly parser: Parser<"sync", T, unknown>;
  readonly run: (input: T, tools: Tools) => Promise<number>;
}

export type Runnable = (tools: Tools) => Promise<number>;

export interface Command {
  readonly name: string;
  readonly help: string;
  /** Name and all that follows it. */
  readonly parser: Parser<"sync", Runnable, unknown>;
  /** Only what follows the name: how `run` works without being named. */
  readonly unnamed: Parser<"sync", Runnable, unknown>;
}

/** Commands by name, in the order of the help; each is loaded when it is needed. */
export type CommandList = Readonly<Record<string, () => Promise<Command>>>;

export function defineCommand<T>(definition: CommandDefinition<T>): Command {
  const unnamed = map(definition.parser, (input: T): Runnable => (tools) => definition.run(input, tools));
  const parser = command(definition.name, unnamed, {
    brief: plain(definition.help),
    ...(definition.description === undefined ? {} : { description: plain(definition.description) }),
  });
  return { name: definition.name, help: definition.help, parser, unnamed };
}

/** One of the words that may follow the name of a command, with its own options; the command runs what it is given. */
export function subcommand<T>(
  name: string,
  brief: string,
  parser: Parser<"sync", T, unknown>,
  run: (input: T, tools: Tools) => Promise<number>,
) {
  return command(name, map(parser, (input): Runnable => (tools) => run(input, tools)), { brief: plain(brief) });
}

/** Text for people as the command line library expects it, without markup. */
export function plain(words: string): Message {
  return message`${text(words)}`;
}
