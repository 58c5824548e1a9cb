/**
 * What rsync, scp and tar have in common: a connection with a shell, and a Session whose `put` prepares the staging folder,
 * sends a batch, and finds out which file it was when the tool reports trouble.
 */
import { mapLimit } from "../../async/map_limit.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { linkName, stagingOf } from "../links.ts";
import { FAILED } from "./remote_shell.ts";
import { shellQuote, shellWords, wordGroups } from "./shell_quote.ts";
import type { MethodContext, PartFiles, PutOutcome, Session, Upload } from "../method.ts";
import { shellParts } from "./shell_parts.ts";
import { type ShellFiles, shellFiles } from "./shell_files.ts";
import { aboutTools, durabilityOf, probeShell, type ShellTools } from "./shell_tools.ts";
import { sourceFault } from "../../system/fault.ts";
import { connectSsh, type SshConnection } from "../ssh/ssh_connection.ts";

export interface Sender {
  readonly method: "rsync" | "scp" | "tar";
  readonly about: string;
  readonly resumes: boolean;
  readonly hashesSource: boolean;
  /**
   * Sends the files once `prepared` says that its staging folder is there. Gives null when all went well, else what the tool
   * said of single files by name; files it said nothing about are looked for at the destination.
   *
   * @throws {Failure} when the batch as a whole is lost.
   */
  send(
    uploads: readonly Upload[],
    prepared: Promise<void>,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<FileFailures | null>;
  readonly streams?: () => number;
  /** How it writes into parts of files that are still being written; null or absent where it cannot. */
  readonly writing?: Pick<PartFiles, "append" | "replace"> | null;
  readonly finish?: (uploads: readonly Upload[], signal: AbortSignal) => Promise<void>;
  /** Called when nothing urgent is to be done: after attaching, and after each publication. Never throws. */
  readonly makeReady?: () => void;
  readonly close?: () => Promise<void>;
}

/** What is told while files are sent, by the last part of their staged names. */
export interface Sent {
  bytes(name: string, bytes: number): void;
  /** It waits for others: nothing hangs. */
  alive(): void;
  digest(name: string, digest: Digest): void;
  /** SHA-256 of what the destination has now. */
  there(name: string, sha256: string): void;
}

/** What a tool said of single files, by the name of their link. */
export type FileFailures = ReadonlyMap<string, Failure>;

export interface SenderParts {
  readonly destination: SshDestination;
  readonly context: MethodContext;
  readonly connection: SshConnection;
  readonly tools: ShellTools;
  readonly files: ShellFiles;
}

export async function openShellSession(
  destination: SshDestination,
  context: MethodContext,
  signal: AbortSignal,
  senderOf: (parts: SenderParts) => Promise<Sender>,
): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  const connection = stack.use(await connectSsh(destination, context, signal));
  const tools = await probeShell(connection, signal);
  const files = shellFiles(connection, tools, context);
  const sender = await senderOf({ destination, context, connection, tools, files });
  if (sender.close) stack.defer(sender.close);
  const rest = stack.move();
  return {
    ...files,
    async attach(create, signal, probe) {
      const mount = await files.attach(create, signal, probe);
      sender.makeReady?.();
      return mount;
    },
    async publish(items, signal) {
      const outcomes = await files.publish(items, signal);
      sender.makeReady?.();
      return outcomes;
    },
    ...(sender.writing ? { parts: shellParts(files, tools, { destination, system: context.system }, sender.writing) } : {}),
    method: sender.method,
    resumes: sender.resumes,
    proof: "checksum",
    durability: durabilityOf(tools),
    // The program that flushes there removes what it cannot flush, whether or not anybody is still listening.
    sendsStagedAgain: false,
    hashesSource: sender.hashesSource,
    about: `${sender.about}; ${aboutTools(tools)}`,
    ...(sender.streams ? { streams: sender.streams } : {}),
    async put(uploads, onBytes, signal) {
      if (uploads.length === 0) return [];
      // What is not resumed stays where it is: a server of that attempt may still be writing into it.
      const prepared = files.prepare(sender.resumes ? uploads : uploads.map(({ staged }) => ({ staged })), signal);
      prepared.catch(() => undefined); // Awaited by the sender, when its own preparations are done as well.
      const indices = new Map(uploads.map((upload, index) => [linkName(upload), index]));
      const digests = new Map<string, Digest>();
      const there = new Map<string, string>();
      const sent: Sent = {
        bytes(name, bytes) {
          const index = indices.get(name);
          if (index !== undefined) onBytes(index, bytes);
        },
        alive: () => onBytes(0, 0),
        digest: (name, digest) => digests.set(name, digest),
        there: (name, sha256) => there.set(name, sha256),
      };
      const failures = await sender.send(uploads, prepared, sent, signal);
      const faults = failures === null ? [] : await faultsAmong(uploads, failures, signal);
      const outcomes = uploads.map((upload, index): PutOutcome => {
        const fault = faults[index] ?? null;
        if (fault !== null) return { put: false, failure: failureRecord(fault) };
        onBytes(index, upload.source.size);
        const digest = digests.get(linkName(upload));
        if (!digest) return { put: true };
        // Another hash is looked into by who asks for the digest.
        return { put: true, sent: digest, ...(there.get(linkName(upload)) === digest.sha256 ? { there: digest } : {}) };
      });
      await sender.finish?.(uploads.filter((_, index) => outcomes[index]!.put), signal);
      return outcomes;
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };

  /** After trouble: what the tool said of a file decides, or else whether all of it is there; null for what is. */
  async function faultsAmong(
    uploads: readonly Upload[],
    failures: FileFailures,
    signal: AbortSignal,
  ): Promise<(Failure | null)[]> {
    const found = await files.survey(uploads.map(({ staged }) => staged), signal);
    return await mapLimit(uploads, 1, async ({ source, staged }, index) => {
      const said = failures.get(linkName({ staged }));
      const stat = found[index];
      if (said === undefined && stat?.kind === "file" && stat.bytes === source.size) return null;
      // A tool passes over what is no file any more without a word, and finds no copy of what is another file now.
      const known = said && said.code !== "source_gone" ? said : await sourceFault(source, false, context.system, signal) ?? said;
      // The tool may have left it out without naming it.
      const words = { method: sender.method };
      return known ?? failure(CAUSES.not_all_sent, `Cannot send "${printable(source.path)}"`, { words });
    });
  }
}

/**
 * Asks the disk there itself when a tool broke off without a reason: SFTP only says "Failure" when a disk is full, and what an rsync
 * there said of it may be lost with the connection that it closed. Gives what is wrong with the disk, or `told`, the failure so far, where nothing is
 * or nothing can be learned.
 */
export async function diskTrouble(
  told: Failure,
  uploads: readonly Upload[],
  files: ShellFiles,
  signal: AbortSignal,
): Promise<Failure> {
  const probe = shellQuote(`${stagingOf(uploads)}/.probe`);
  const write = `dd if=/dev/zero of=${probe} bs=65536 count=1 2>&1 || { rm -f ${probe}; exit ${FAILED}; }\nrm -f ${probe}`;
  try {
    await files.inBase("write below the base path", write, signal);
    const stat = await files.survey(uploads.map(({ staged }) => staged), signal);
    const missing = uploads.map(({ source }, index) => source.size - (stat[index]?.bytes ?? 0));
    const freeBytes = await files.freeBytes(signal);
    if (freeBytes === null || freeBytes >= Math.max(0, ...missing)) return told;
    return failure(CAUSES.disk_full, told.message, { cause: told });
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Failure && error.next === "hold" ? error : told;
  }
}

/** Gives what has arrived the modes of new files there: without "who", chmod allows what the umask does. */
export const PLAIN_MODES = ["chmod", "=rw"];

/** Runs a command on all of these staged files: scp and rsync give modes and times of their own that were not asked for. */
export async function changeAll(
  command: readonly string[],
  uploads: readonly Pick<Upload, "staged">[],
  files: Pick<ShellFiles, "inBase">,
  signal: AbortSignal,
): Promise<void> {
  if (uploads.length === 0) return;
  const lines = wordGroups(uploads.map(({ staged }) => staged)).map((group) => `${shellWords([...command, ...group])} 2>&1\n`);
  await files.inBase("set times and modes at the destination", `${lines.join("")}:`, signal);
}
