/**
 * Proof where the server gives no shell: files are fetched back and hashed here.
 *
 * @module
 */
import { join } from "@std/path";
import { mapLimit } from "../../async/map_limit.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { Files } from "../../system/system.ts";
import { pathOf, refusal, type SftpBase } from "./sftp_base.ts";
import { NOT_THERE, sftpCommand } from "./sftp_command.ts";

/** Each file fetched back costs several round trips. */
const READ_AT_ONCE = 3;

/** What `Session.digest` does. */
export async function digest(base: SftpBase, paths: readonly string[], signal: AbortSignal): Promise<(Digest | null)[]> {
  const { system, workFolder, spoolFolder = workFolder } = base.context;
  await system.makeFolder(spoolFolder, 0o700);
  return await mapLimit(paths, READ_AT_ONCE, async (relative) => {
    const local = join(spoolFolder, crypto.randomUUID());
    try {
      return await readBack(base, relative, local, signal);
    } finally {
      await system.remove(local);
    }
  });
}

async function readBack(base: SftpBase, relative: string, local: string, signal: AbortSignal): Promise<Digest | null> {
  const { channels, destination, context: { system } } = base;
  // sftp takes a slash on every system; a backslash would be an escape.
  const to = system.platform === "windows" ? local.replaceAll("\\", "/") : local;
  const [reply] = await channels.run([sftpCommand("get", pathOf(base, relative), to)], signal, {
    idleTimeoutMs: destination.timeoutMs,
    moving: growing(local, system),
  });
  const errors = reply?.errors ?? "";
  if (errors === "") return await system.hash(local, signal);
  if (NOT_THERE.test(errors) || /not a regular file|non-regular/i.test(errors)) return null;
  const what = `read "${printable(relative)}" back from ${destination.name}`;
  if (/No space left/i.test(errors)) {
    throw new Failure("local_disk_full", `Cannot ${what}: this computer's disk is full`, {
      hint: "Free space on the disk of state_directory.",
    });
  }
  const failure = refusal(what, errors);
  if (failure.code !== "permission_denied") throw failure;
  // This file's own trouble (servers say "Failure" for a bad sector): it must not hold all others.
  throw new Failure("mismatch", failure.message, {
    hint: "Give the remote account permission to read it, or move it away; if its permissions are right, check the disk there.",
  });
}

/** Whether a file here has grown since this was last asked. */
function growing(file: string, system: Pick<Files, "facts">): () => Promise<boolean> {
  let before = -1;
  return async () => {
    const size = (await system.facts(file))?.size ?? -1;
    const grown = size > before;
    before = size;
    return grown;
  };
}
