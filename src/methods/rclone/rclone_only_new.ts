/**
 * Tells a store to put a file only where nothing has its name. Not every S3 store can; some ignore it. So it is tried once in a session, in
 * our staging folder: a store that puts the same name twice cannot.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { RcloneError } from "./rclone_daemon.ts";
import type { Remote } from "./rclone_remote.ts";

/** For `_config` of a call that puts (RFC 9110, section 13.1.2). */
export const ONLY_NEW = { UploadHeaders: [{ Key: "If-None-Match", Value: "*" }] };
/** How S3 says that something has the name. */
const TAKEN = /\b412\b|PreconditionFailed/;

/** Tries it with the first call. */
export function canPutOnlyNew(remote: Remote): (signal: AbortSignal) => Promise<boolean> {
  if (!remote.putsWhole || remote.type !== "s3") return () => Promise.resolve(false);
  let known: Promise<boolean> | null = null;
  return (signal) =>
    known ??= tryTwice(remote, signal).catch((error) => {
      known = null;
      throw error;
    });
}

async function tryTwice(remote: Remote, signal: AbortSignal): Promise<boolean> {
  const { context: { system, workFolder, stagingRoot } } = remote;
  const name = system.randomHex(16);
  const folder = `${stagingRoot}/only-new-${name}`;
  const put = () =>
    remote.call("operations/copyfile", {
      srcFs: { type: "local", _root: workFolder },
      srcRemote: name,
      dstFs: remote.fs("", "quick"),
      dstRemote: `${folder}/once`,
      _config: { NoCheckDest: true, IgnoreTimes: true, ...ONLY_NEW },
    }, signal);
  await system.makeFolder(workFolder, 0o700);
  await system.writeText(join(workFolder, name), "");
  try {
    await put();
    return await put().then(() => false, (error) => error instanceof RcloneError && TAKEN.test(error.message));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RcloneError || error instanceof Failure) return false;
    throw error;
  } finally {
    await system.remove(join(workFolder, name));
    // What stays is swept with the rest, by the next start at the latest.
    await remote.call("operations/purge", { fs: remote.fs(), remote: folder }, signal).catch(() => undefined);
  }
}
