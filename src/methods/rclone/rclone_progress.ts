/** Watches rclone while it sends: tells how far each file is, and ends what cannot succeed any more. */
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
  const { call, context: { system }, where } = remote;
  const group = system.randomHex(16);
  const indexOf = new Map(uploads.map((upload, index) => [nameOf(upload), index]));
  using over = anySignal(signal);
  const looking = (async () => {
    for (;;) {
      await system.sleep(LOOK_MS, over.signal);
      if (over.signal.aborted) return;
      try {
        const { transferring, lastError } = await call("core/stats", { group }, over.signal);
        for (const { name, bytes } of (transferring ?? []) as readonly { readonly name: string; readonly bytes: number }[]) {
          const index = indexOf.get(name);
          if (index !== undefined && bytes > 0) onBytes(index, Math.min(bytes, uploads[index]!.source.size));
        }
        if (typeof lastError !== "string") continue;
        const failure = rcloneFailure(lastError, `send files to ${where}`);
        if (concernsAll(failure)) over.abort(failure);
      } catch (error) {
        // The call itself will tell, if there is something to tell.
        if (!(error instanceof RcloneError || error instanceof Failure || over.signal.aborted)) throw error;
      }
    }
  })();
  try {
    return await send(group, over.signal);
  } finally {
    over.abort();
    await looking;
    // The answer to it matters to nobody.
    call("core/stats-delete", { group }, new AbortController().signal).catch(() => undefined);
  }
}

/** No other file would have more luck. */
export function concernsAll({ code, next }: Failure): boolean {
  return next === "hold" && code !== "permission_denied" || code === "unreachable";
}
