/**
 * Watches rclone while it sends: tells how far each file is, and ends what cannot succeed any more.
 *
 * @module
 */
import { anySignal } from "../../async/abort.ts";
import { Failure } from "../../domain/failure.ts";
import type { Upload } from "../method.ts";
import { RcloneError } from "./rclone_daemon.ts";
import { rcloneFailure } from "./rclone_failures.ts";
import type { Remote } from "./rclone_remote.ts";

/** How often it is looked how far rclone is. */
const LOOK_MS = 500;

/** How far an upload is. */
export type OnBytes = (index: number, bytes: number) => void;

/** Does what sends these files, in this group of rclone's; `nameOf` is what rclone calls a file. */
export async function watched<R>(
  remote: Remote,
  uploads: readonly Upload[],
  nameOf: (upload: Upload) => string,
  onBytes: OnBytes,
  signal: AbortSignal,
  send: (group: string, signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const group = remote.context.system.randomHex(16);
  using over = anySignal(signal);
  const looking = lookUntilEnd(remote, group, uploads, nameOf, onBytes, (failure) => over.abort(failure), over.signal);
  try {
    return await send(group, over.signal);
  } finally {
    over.abort();
    await looking;
    // The answer to it matters to nobody.
    remote.call("core/stats-delete", { group }, new AbortController().signal).catch(() => undefined);
  }
}

/** Ends the call when an error of one file will be that of all. */
async function lookUntilEnd(
  remote: Remote,
  group: string,
  uploads: readonly Upload[],
  nameOf: (upload: Upload) => string,
  onBytes: OnBytes,
  end: (failure: Failure) => void,
  signal: AbortSignal,
): Promise<void> {
  const { call, context: { system }, where } = remote;
  const indexOf = new Map(uploads.map((upload, index) => [nameOf(upload), index]));
  for (;;) {
    await system.sleep(LOOK_MS, signal);
    if (signal.aborted) return;
    try {
      const { transferring, lastError } = await call("core/stats", { group }, signal);
      for (const { name, bytes } of (transferring ?? []) as readonly { readonly name: string; readonly bytes: number }[]) {
        const index = indexOf.get(name);
        if (index !== undefined && bytes > 0) onBytes(index, Math.min(bytes, uploads[index]!.source.size));
      }
      if (typeof lastError !== "string") continue;
      const failure = rcloneFailure(lastError, `send files to ${where}`);
      if (isOfAll(failure)) end(failure);
    } catch (error) {
      // The call itself will tell, if there is something to tell.
      if (!(error instanceof RcloneError || error instanceof Failure || signal.aborted)) throw error;
    }
  }
}

/** No other file would have more luck. */
export function isOfAll({ code, next }: Failure): boolean {
  return next === "hold" && code !== "permission_denied" || code === "unreachable";
}
