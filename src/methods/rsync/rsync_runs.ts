/**
 * Runs of rsync, one of them started ahead: its connection, the login shell with its start-up files and the rsync at the
 * far end are there already when a file is finished, and only its name is missing. That takes a tenth of a second or
 * more, and several round trips, off every delivery. Where names cannot be given later, a run starts when it is needed.
 *
 * @module
 */
import type { Child, System } from "../../system/system.ts";
import { linkName, type Links, linkUploads, makeLinks, stagingOf } from "../links.ts";
import type { MethodContext, Upload } from "../method.ts";
import { untilAborted } from "../../async/abort.ts";
import { PARTIAL } from "./rsync_failures.ts";

/** What became of a run. */
export interface RsyncEnd {
  /** As in rsync's man page under EXIT VALUES: 0 all is there, 23 and 24 some files are not. */
  readonly code: number;
  readonly signal: string | null;
  readonly stderr: string;
}

/** The local rsync and how it is called. */
export interface RsyncProgram {
  /** Absolute. */
  readonly path: string;
  /** False where all must be known at the start. */
  readonly readsNames: boolean;
  /** Runs ahead at most. */
  readonly ahead: number;
  /** The arguments for a folder relative to the base path; `resumes` where parts lie there already. */
  args(into: string, resumes: boolean): string[];
}

interface Run extends AsyncDisposable {
  readonly links: Links;
  readonly child: Child;
  readonly over: boolean;
}

/** The files of one run. */
interface Batch {
  readonly uploads: readonly Upload[];
  /** Resolves when their staging folder is there. */
  readonly prepared: Promise<void>;
  /** What rsync prints. */
  readonly onText: (text: string) => void;
}

/** The runs of one session: nothing is started before `send` or `startAhead`, and several batches may be sent at a time. */
export class RsyncRuns {
  readonly #ahead: Run[] = [];
  #starting = 0;
  #pending: Promise<void> = Promise.resolve();
  #closed = false;

  /** Links are made in the context's work folder. */
  constructor(readonly program: RsyncProgram, readonly context: MethodContext) {}

  /** Sends files once `prepared` resolves; what rsync prints goes to `onText`. */
  async send(
    uploads: readonly Upload[],
    prepared: Promise<void>,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<RsyncEnd> {
    const resumes = uploads.some(({ leftover }) => leftover !== undefined);
    if (!this.program.readsNames) return await this.#sendFolder({ uploads, prepared, onText }, resumes, signal);
    const ahead = resumes ? undefined : await this.#takeAhead();
    if (ahead) {
      let moved = false;
      const end = await sendNames(ahead, { uploads, prepared, onText: (text) => onText((moved = true, text)) }, signal);
      // One that died while it waited says nothing about the files: they go with a new one.
      if (end.code === 0 || PARTIAL.has(end.code) || moved) return end;
      this.context.log("debug", `rsync started ahead ended with code ${end.code}: ${end.stderr.trim().split("\n").at(-1) ?? ""}`);
    }
    return await sendNames(await this.#start(resumes), { uploads, prepared, onText }, signal);
  }

  /** Starts a run ahead if there is none. Never throws. */
  startAhead(): void {
    const alive = this.#ahead.filter((run) => !run.over).length;
    if (!this.program.readsNames || this.#closed || alive + this.#starting >= this.program.ahead) return;
    this.#starting++;
    const more = this.#startOneAhead()
      .catch((error) => this.context.log("debug", `Cannot start rsync ahead: ${error instanceof Error ? error.message : error}`))
      .finally(() => this.#starting--);
    this.#pending = Promise.all([this.#pending, more]).then(() => undefined);
  }

  /** Ends the runs that wait; to be called when no batch is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pending;
    await Promise.all(this.#ahead.map((run) => run[Symbol.asyncDispose]()));
  }

  async #startOneAhead(): Promise<void> {
    const run = await this.#start(false);
    if (this.#closed) await run[Symbol.asyncDispose]();
    else this.#ahead.push(run);
  }

  async #takeAhead(): Promise<Run | undefined> {
    for (let run = this.#ahead.shift(); run; run = this.#ahead.shift()) {
      if (!run.over) return run;
      await run[Symbol.asyncDispose]();
    }
  }

  /** A run that is told the names later. */
  async #start(resumes: boolean): Promise<Run> {
    const { program, context } = this;
    return await start(await makeLinks(context), program.args(context.stagingRoot, resumes), context.system, program.path);
  }

  async #sendFolder({ uploads, prepared, onText }: Batch, resumes: boolean, signal: AbortSignal): Promise<RsyncEnd> {
    const { program, context } = this;
    const links = await linkUploads(uploads, context);
    await prepared.catch(async (error) => {
      await links[Symbol.asyncDispose]();
      throw error;
    });
    await using run = await start(links, program.args(stagingOf(uploads), resumes), context.system, program.path);
    await run.child.closeStdin();
    return await endOf(run.child, onText, signal);
  }
}

/** Names are read as soon as they are written, so everything they stand for must be there before. */
async function sendNames(run: Run, { uploads, prepared, onText }: Batch, signal: AbortSignal): Promise<RsyncEnd> {
  await using it = run;
  const staging = stagingOf(uploads);
  const attempt = staging.slice(staging.lastIndexOf("/") + 1);
  await Promise.all([it.links.fill(uploads, attempt), prepared]);
  const names = uploads.map((upload) => `${attempt}/${linkName(upload)}\n`).join("");
  // It may end before it has read them all; its exit code says why.
  const written = it.child.write(names).then(() => it.child.closeStdin()).catch(() => undefined);
  const end = await endOf(it.child, onText, signal);
  await written;
  return end;
}

async function start(links: Links, args: string[], system: Pick<System, "spawn">, program: string): Promise<Run> {
  const life = new AbortController();
  try {
    const child = await system.spawn({ program, args, cwd: links.folder, env: { LC_ALL: "C" } }, life.signal);
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
