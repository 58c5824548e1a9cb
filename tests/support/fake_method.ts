/**
 * A destination in memory, held to the same contract as the real methods, with switches for every fault that a
 * destination can have.
 */
import { createHash } from "node:crypto";
import { Failure, type FailureCode, type FailureRecord, failureRecord } from "../../src/domain/failure.ts";
import type { Destination } from "../../src/config/settings.ts";
import { formerName } from "../../src/domain/names/file_name.ts";
import type { Digest } from "../../src/domain/receipt.ts";
import { sameFile } from "../../src/domain/source_file.ts";
import type {
  Method,
  MethodContext,
  Mount,
  Publication,
  PublishOutcome,
  PutOutcome,
  Removal,
  RemovalOutcome,
  Session,
  Upload,
} from "../../src/methods/method.ts";
import { fakeParts } from "./fake_parts.ts";
import { checkTrashFolder, notRemoved } from "../../src/methods/removal.ts";

/** A file at the destination. */
interface FakeFile {
  readonly bytes: Uint8Array;
  readonly mtimeMs: number;
  readonly mode: number | null;
}

export type Step =
  | "connect"
  | "attach"
  | "survey"
  | "digest"
  | "put"
  | "publish"
  | "flush"
  | "parts"
  | "remove"
  | "emptyTrash"
  | "leftovers"
  | "sweep";

/** The destination and the switches of a test. Paths are relative to the base path. */
export interface FakeDestination {
  readonly method: Method;
  readonly files: Map<string, FakeFile>;
  /** How often each step was called, and with how many paths the last time. */
  readonly calls: Record<Step, number>;
  /** Sessions opened and not closed. */
  sessions: number;
  /** The base path is there. */
  attached: boolean;
  freeBytes: number | null;
  device: string | null;
  proof: Session["proof"];
  durability: Session["durability"];
  sendsStagedAgain: boolean;
  hashesSource: boolean;
  resumes: boolean;
  /** Called at the beginning of every step; throws to make it fail, or waits. */
  before: (step: Step, signal: AbortSignal) => void | Promise<void>;
  /** Called after a step has done its work and before it answers: a lost answer. */
  after: (step: Step) => void;
  /** The failure of one upload, or null. */
  refuse: (upload: Upload) => FailureRecord | null;
  /** Turns the bytes of a upload into what arrives. */
  garble: (upload: Upload, bytes: Uint8Array) => Uint8Array;
  /** Turns a chunk that is written into what is there of it. */
  garbleChunk: (chunk: number, bytes: Uint8Array) => Uint8Array;
  /** So many flushes of parts fail. */
  failFlushes: number;
  /** The failure of one publication, or null. */
  refusePublication: (item: Publication) => FailureRecord | null;
  /** Final names only: path → text. */
  texts(): Record<string, string>;
}

/** A failure as a method would throw it. */
export function aFailure(code: FailureCode, message = `Cannot go on: ${code}`): Failure {
  return new Failure(code, message);
}

export function fakeDestination(): FakeDestination {
  const files = new Map<string, FakeFile>();
  const calls: Record<Step, number> = {
    connect: 0,
    attach: 0,
    survey: 0,
    digest: 0,
    put: 0,
    publish: 0,
    flush: 0,
    parts: 0,
    remove: 0,
    emptyTrash: 0,
    leftovers: 0,
    sweep: 0,
  };
  const fake: FakeDestination = {
    files,
    calls,
    sessions: 0,
    attached: false,
    freeBytes: null,
    device: "fake:1",
    proof: "checksum",
    durability: "flushed",
    sendsStagedAgain: false,
    hashesSource: false,
    resumes: true,
    before: () => {},
    after: () => {},
    refuse: () => null,
    garble: (_parcel, bytes) => bytes,
    garbleChunk: (_chunk, bytes) => bytes,
    failFlushes: 0,
    refusePublication: () => null,
    texts: () =>
      Object.fromEntries(
        [...files].filter(([path]) => !path.startsWith(".image-transfer-"))
          .sort(([a], [b]) => a < b ? -1 : 1)
          .map(([path, file]) => [path, new TextDecoder().decode(file.bytes)]),
      ),
    method: {
      name: "local",
      async connect(_destination, context, signal) {
        await step(fake, "connect", signal, () => undefined);
        fake.sessions += 1;
        return session(fake, context, _destination);
      },
    },
  };
  return fake;
}

async function step<T>(fake: FakeDestination, name: Step, signal: AbortSignal, work: () => T | Promise<T>): Promise<T> {
  fake.calls[name] += 1;
  signal.throwIfAborted();
  await fake.before(name, signal);
  signal.throwIfAborted();
  const result = await work();
  fake.after(name);
  return result;
}

/** What is kept of a source besides its bytes. */
type Kept = Pick<Destination, "preserveTimestamps" | "preservePermissions">;

function session(fake: FakeDestination, context: MethodContext, to: Kept): Session {
  let open = true;
  return {
    proof: fake.proof,
    durability: fake.durability,
    sendsStagedAgain: fake.sendsStagedAgain,
    hashesSource: fake.hashesSource,
    resumes: fake.resumes,
    parts: fakeParts(fake, context, to.preserveTimestamps),
    method: "local",
    about: "a destination in memory",
    attach: (create, signal) =>
      step(fake, "attach", signal, (): Mount => {
        if (!fake.attached && !create) throw aFailure("device_missing", "Cannot find the base path");
        fake.attached = true;
        return { freeBytes: fake.freeBytes, device: fake.device };
      }),
    survey: (paths, signal) =>
      step(fake, "survey", signal, () =>
        paths.map((path) => {
          const file = fake.files.get(path);
          if (file) return { bytes: file.bytes.length, kind: "file" as const };
          return isFolder(fake, path) ? { bytes: 0, kind: "folder" as const } : null;
        })),
    digest: (paths, signal) =>
      step(fake, "digest", signal, () =>
        paths.map((path) => {
          const file = fake.files.get(path);
          return file ? digestOf(file.bytes) : null;
        })),
    put: (uploads, onBytes, signal) =>
      step(fake, "put", signal, async () => {
        const outcomes: PutOutcome[] = [];
        for (const [index, upload] of uploads.entries()) outcomes.push(await putOne(upload, index, onBytes, signal));
        return outcomes;
      }),
    publish: (items, signal) => step(fake, "publish", signal, () => items.map((item) => publishOne(fake, item))),
    flush: (paths, signal) =>
      step(fake, "flush", signal, () => {
        const missing = paths.find((path) => !fake.files.has(path));
        if (missing !== undefined) throw aFailure("interrupted", `"${missing}" is not there`);
      }),
    remove: (items, signal) => step(fake, "remove", signal, () => items.map((item) => removeOne(fake, item))),
    emptyTrash: (folders, signal) =>
      step(fake, "emptyTrash", signal, () => {
        folders.forEach(checkTrashFolder);
        for (const path of [...fake.files.keys()]) {
          if (folders.some((folder) => path.startsWith(`${folder}/`))) fake.files.delete(path);
        }
      }),
    modifiedAt: () => Promise.resolve(null),
    leftovers: (signal) =>
      step(fake, "leftovers", signal, () => {
        const prefix = `${context.stagingRoot}/`;
        const names = [...fake.files.keys()].filter((path) => path.startsWith(prefix)).map((path) =>
          path.slice(prefix.length).split("/")[0]!
        );
        return [...new Set(names)];
      }),
    sweep: (attempts, signal) =>
      step(fake, "sweep", signal, () => {
        const prefixes = attempts === null
          ? [`${context.stagingRoot}/`]
          : attempts.map((name) => `${context.stagingRoot}/${name}/`);
        for (const path of [...fake.files.keys()]) {
          if (prefixes.some((prefix) => path.startsWith(prefix))) fake.files.delete(path);
        }
      }),
    [Symbol.asyncDispose]() {
      if (open) fake.sessions -= 1;
      open = false;
      return Promise.resolve();
    },
  };

  async function putOne(
    upload: Upload,
    index: number,
    onBytes: (index: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<PutOutcome> {
    signal.throwIfAborted();
    const refused = fake.refuse(upload);
    if (refused) return { put: false, failure: refused };
    const path = upload.source.absolutePath;
    const facts = await context.system.facts(path);
    if (facts?.kind !== "file" || facts.identity !== upload.source.identity) {
      const code = facts ? "source_changed" : "source_gone";
      return { put: false, failure: failureRecord(new Failure(code, `Cannot read "${path}": it is not there`)) };
    }
    if (upload.leftover !== undefined) fake.files.delete(upload.leftover);
    for (let left = facts.size; left > 0 && context.pace; left -= context.pace.atOnce) {
      await context.pace.next(Math.min(left, context.pace.atOnce), signal);
    }
    const read = await context.system.read(sameFile(upload.source), 0, facts.size);
    const bytes = fake.garble(upload, read);
    fake.files.set(upload.staged, {
      bytes,
      mtimeMs: to.preserveTimestamps ? facts.mtimeMs : context.system.now(),
      mode: to.preservePermissions ? facts.mode & 0o777 : 0o644,
    });
    onBytes(index, bytes.length);
    return fake.hashesSource ? { put: true, sent: digestOf(read) } : { put: true };
  }
}

function digestOf(bytes: Uint8Array): Digest {
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function publishOne(fake: FakeDestination, item: Publication): PublishOutcome {
  const refused = fake.refusePublication(item);
  if (refused) return { published: false, failure: refused };
  const staged = fake.files.get(item.staged);
  if (!staged) return refusal("mismatch", `"${item.staged}" is not staged`);
  if (isFolder(fake, item.target)) return refusal("exists", `a folder has the name "${item.target}"`);
  if (ancestors(item.target).some((path) => fake.files.has(path))) {
    return refusal("exists", `a file is where "${item.target}" needs a folder`);
  }
  const former = fake.files.get(item.target);
  const different = former !== undefined && !equal(former.bytes, staged.bytes);
  if (different && (item.onConflict === "skip" || item.onConflict === "fail")) {
    return refusal("exists", `"${item.target}" is there and different`);
  }
  const kept = different && item.onConflict === "version" ? freeVersion(fake, item.target) : undefined;
  if (kept !== undefined) fake.files.set(kept, former!);
  fake.files.set(item.target, { ...staged, mode: item.fileMode ?? staged.mode });
  fake.files.delete(item.staged);
  return kept === undefined ? { published: true } : { published: true, former: kept };
}

function removeOne(fake: FakeDestination, item: Removal): RemovalOutcome {
  const kept = (why: Parameters<typeof notRemoved>[2]) => ({ removed: false as const, failure: notRemoved(item, "fake", why) });
  const file = fake.files.get(item.path);
  if (!file) return kept(isFolder(fake, item.path) ? "not a file" : "gone");
  if (file.bytes.length !== item.bytes) return kept("changed");
  if (item.to !== null && fake.files.has(item.to)) return kept("taken");
  if (item.to !== null) fake.files.set(item.to, file);
  fake.files.delete(item.path);
  return { removed: true };
}

function refusal(code: FailureCode, message: string): PublishOutcome {
  return { published: false, failure: failureRecord(aFailure(code, message)) };
}

function freeVersion(fake: FakeDestination, target: string): string {
  for (let n = 1;; n++) {
    const name = formerName(target, n);
    if (!fake.files.has(name)) return name;
  }
}

function ancestors(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

function isFolder(fake: FakeDestination, path: string): boolean {
  return [...fake.files.keys()].some((name) => name.startsWith(`${path}/`));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
