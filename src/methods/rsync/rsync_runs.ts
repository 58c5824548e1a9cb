/**
 * Runs of rsync. Where names can be given later, one is started ahead: only the name of a finished file is missing then. Else a
 * run starts when it is needed.
 *
 * @module
 */
import type { Child, System } from "../../system/system.ts";
import { linkName, type Links, linkUploads, makeLinks, stagingOf } from "../links.ts";
import type { MethodContext, Upload } from "../method.ts";
import { untilAborted } from "../../async/abort.ts";
import { startedAhead, type Waiting } from "../ssh/started_ahead.ts";
import { PARTIAL } from "./rsync_failures.ts";

/** What became of a run. */
interface RsyncEnd {
  /** As in rsync's man page under EXIT VALUES: 0 all is there, 23 and 24 some files are not. */
  readonly code: number;
  readonly signal: string | null;
  readonly stderr: string;
}

/** The runs of one session. Several batches may be sent at a time. */
interface RsyncRuns {
  send(batch: Batch, signal: AbortSignal): Promise<RsyncEnd>;
  /** Starts a run without a limit ahead if there is none. Never throws. */
  startAhead(): void;
  /** Ends the runs that wait; to be called when no batch is under way any more. */
  close(): Promise<void>;
}

/** The local rsync and how it is called. */
interface RsyncProgram {
  /** Absolute. */
  readonly path: string;
  /** False where all must be known at the start. */
  readonly readsNames: boolean;
  /** Runs ahead at most. */
  readonly ahead: number;
  /** The arguments for a folder relative to the base path; `resumes` where parts lie there already; `limit` in bytes per second. */
  args(into: string, resumes: boolean, limit: number | null): string[];
}

interface Run extends Waiting {
  readonly links: Links;
  readonly child: Child;
}

/** The files of one run. */
interface Batch {
  readonly uploads: readonly Upload[];
  /** Resolves when their staging folder is there. */
  readonly prepared: Promise<void>;
  /** Bytes per second; null is no limit. */
  readonly limit: number | null;
  /** What rsync prints. */
  readonly onText: (text: string) => void;
}

/** Starts nothing before `send` or `startAhead`; links are made in the context's work folder. */
export function rsyncRuns(program: RsyncProgram, context: MethodContext): RsyncRuns {
  const { system, log, stagingRoot } = context;
  /** A run that is told the names later. */
  const startRun = async (resumes: boolean, limit: number | null) =>
    await start(await makeLinks(context), program, program.args(stagingRoot, resumes, limit), system);
  const ahead = startedAhead(
    program.readsNames ? program.ahead : 0,
    () => startRun(false, null),
    (message) => log("debug", message),
  );
  return {
    startAhead: ahead.startMore,
    close: ahead.close,
    async send(batch, signal) {
      const { uploads, limit, onText } = batch;
      const resumes = uploads.some(({ leftover }) => leftover !== undefined);
      if (!program.readsNames) return await sendFolder(program, context, batch, resumes, signal);
      const waiting = resumes || limit !== null ? undefined : await ahead.take();
      if (waiting) {
        let moved = false;
        const end = await sendNames(waiting, { ...batch, onText: (text) => onText((moved = true, text)) }, signal);
        // One that died while it waited says nothing about the files: they go with a new one.
        if (end.code === 0 || PARTIAL.has(end.code) || moved) return end;
        log("debug", `rsync started ahead ended with code ${end.code}: ${end.stderr.trim().split("\n").at(-1) ?? ""}`);
      }
      return await sendNames(await startRun(resumes, limit), batch, signal);
    },
  };
}

async function sendFolder(
  program: RsyncProgram,
  context: MethodContext,
  { uploads, prepared, limit, onText }: Batch,
  resumes: boolean,
  signal: AbortSignal,
): Promise<RsyncEnd> {
  const links = await linkUploads(uploads, context, signal);
  await prepared.catch(async (error) => {
    await links[Symbol.asyncDispose]();
    throw error;
  });
  await using run = await start(links, program, program.args(stagingOf(uploads), resumes, limit), context.system);
  await run.child.closeStdin();
  return await endOf(run.child, onText, signal);
}

/** Names are read as soon as they are written, so everything they stand for must be there before. */
async function sendNames(run: Run, { uploads, prepared, onText }: Batch, signal: AbortSignal): Promise<RsyncEnd> {
  await using it = run;
  const staging = stagingOf(uploads);
  const attempt = staging.slice(staging.lastIndexOf("/") + 1);
  // One after the other: where one failed, the folder of the links would be removed while they are made.
  await it.links.fill(uploads, signal, attempt);
  await prepared;
  const names = uploads.map((upload) => `${attempt}/${linkName(upload)}\n`).join("");
  // It may end before it has read them all; its exit code says why.
  const written = it.child.write(names).then(() => it.child.closeStdin()).catch(() => undefined);
  const end = await endOf(it.child, onText, signal);
  await written;
  return end;
}

async function start(
  links: Links,
  program: RsyncProgram,
  args: string[],
  system: Pick<System, "spawn">,
): Promise<Run> {
  const life = new AbortController();
  try {
    const child = await system.spawn({ program: program.path, args, cwd: links.folder, env: { LC_ALL: "C" } }, life.signal);
    let over = false;
    const ended = child.finished.then(() => over = true);
    return {
      links,
      child,
      get over() {
        return over;
      },
      async [Symbol.asyncDispose]() {
        // Also after it has exited: its pipes are closed here.
        await child.end();
        await ended;
        await links[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await links[Symbol.asyncDispose]();
    throw error;
  }
}

/** Reads to the end. Once aborted, ends the run and throws the signal's reason. */
async function endOf(child: Child, onText: (text: string) => void, signal: AbortSignal): Promise<RsyncEnd> {
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const piece of child.stdout) onText(decoder.decode(piece, { stream: true }));
    return await child.finished;
  })();
  try {
    const { code, signal: endedBy } = await untilAborted(reading, signal);
    return { code, signal: endedBy, stderr: child.stderr() };
  } catch (error) {
    await child.end();
    await reading.catch(() => undefined);
    throw error;
  }
}
