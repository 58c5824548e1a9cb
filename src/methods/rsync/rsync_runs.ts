/**
 * Runs of rsync, one of them started ahead: its connection, the login shell with its start-up files and the rsync at the
 * far end are there already when a file is finished, and only its name is missing. That takes a tenth of a second or
 * more, and several round trips, off every delivery. Where names cannot be given later, a run starts when it is needed.
 *
 * @module
 */
import type { Child, System } from "../../system/system.ts";
import { linkLot, type Links, type Lot, makeLinks } from "../links.ts";
import type { MethodContext } from "../method.ts";
import { untilAborted } from "../../async/abort.ts";

/** What became of a run. */
export interface RsyncEnd {
  /** As in rsync's man page under EXIT VALUES: 0 all is there, 23 and 24 some files are not. */
  readonly code: number;
  readonly signal: string | null;
  readonly stderr: string;
}

/** The runs of one session. Several lots may be sent at a time. */
export interface RsyncRuns {
  /** Sends a lot once `prepared` resolves; what rsync prints goes to `onText`. */
  send(lot: Lot, prepared: Promise<void>, onText: (text: string) => void, signal: AbortSignal): Promise<RsyncEnd>;
  /** Starts a run ahead if there is none. Never throws. */
  startAhead(): void;
  /** Ends the runs that wait; to be called when no lot is under way any more. */
  close(): Promise<void>;
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
  [Symbol.asyncDispose](): Promise<void>;
  readonly links: Links;
  readonly child: Child;
  readonly over: boolean;
}

/** Starts nothing before `send` or `startAhead`; links are made in the context's work folder. */
export function rsyncRuns(program: RsyncProgram, context: MethodContext): RsyncRuns {
  const { system, stagingRoot, log } = context;
  const spares: Run[] = [];
  let starting = 0;
  let pending: Promise<void> = Promise.resolve();
  let closed = false;

  async function send(lot: Lot, prepared: Promise<void>, onText: (text: string) => void, signal: AbortSignal): Promise<RsyncEnd> {
    const resumes = lot.uploads.some(({ upload }) => upload.leftover !== undefined);
    if (!program.readsNames) return await sendFolder(lot, prepared, resumes, onText, signal);
    const spare = resumes ? undefined : await takeSpare();
    if (spare) {
      let moved = false;
      const end = await sendNames(spare, lot, prepared, (text) => onText((moved = true, text)), signal);
      // One that died while it waited says nothing about the files: they go with a new one.
      if (end.code === 0 || end.code === 23 || end.code === 24 || moved) return end;
      log("debug", `rsync started ahead ended with code ${end.code}: ${end.stderr.trim().split("\n").at(-1) ?? ""}`);
    }
    const links = await makeLinks(context);
    return await sendNames(
      await start(links, program.args(stagingRoot, resumes), system, program.path),
      lot,
      prepared,
      onText,
      signal,
    );
  }

  async function takeSpare(): Promise<Run | undefined> {
    for (let run = spares.shift(); run; run = spares.shift()) {
      if (!run.over) return run;
      await run[Symbol.asyncDispose]();
    }
  }

  /** Names are read as soon as they are written, so everything they stand for must be there before. */
  async function sendNames(run: Run, lot: Lot, prepared: Promise<void>, onText: (text: string) => void, signal: AbortSignal) {
    await using it = run;
    const attempt = lot.staging.slice(lot.staging.lastIndexOf("/") + 1);
    await Promise.all([it.links.fill(lot, attempt), prepared]);
    const names = lot.uploads.map(({ name }) => `${attempt}/${name}\n`).join("");
    // It may end before it has read them all; its exit code says why.
    const written = it.child.write(names).then(() => it.child.closeStdin()).catch(() => undefined);
    const end = await endOf(it.child, onText, signal);
    await written;
    return end;
  }

  async function sendFolder(
    lot: Lot,
    prepared: Promise<void>,
    resumes: boolean,
    onText: (text: string) => void,
    signal: AbortSignal,
  ) {
    const links = await linkLot(lot, context);
    await prepared.catch(async (error) => {
      await links[Symbol.asyncDispose]();
      throw error;
    });
    await using run = await start(links, program.args(lot.staging, resumes), system, program.path);
    await run.child.closeStdin();
    return await endOf(run.child, onText, signal);
  }

  async function oneMore(): Promise<void> {
    const run = await start(await makeLinks(context), program.args(stagingRoot, false), system, program.path);
    if (closed) await run[Symbol.asyncDispose]();
    else spares.push(run);
  }

  return {
    send,
    startAhead() {
      const alive = spares.filter((run) => !run.over).length;
      if (!program.readsNames || closed || alive + starting >= program.ahead) return;
      starting++;
      const more = oneMore()
        .catch((error) => log("debug", `Cannot start rsync ahead: ${error instanceof Error ? error.message : error}`))
        .finally(() => starting--);
      pending = Promise.all([pending, more]).then(() => undefined);
    },
    async close() {
      closed = true;
      await pending;
      await Promise.all(spares.map((run) => run[Symbol.asyncDispose]()));
    },
  };
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
        // Also where it has ended by itself: its pipes are closed here.
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
