/**
 * Folders for what need not outlive a reboot: a short one of our own for sockets (OpenSSH's ControlPath has 104 bytes at most on macOS, 108 on
 * Linux), and those that Linux keeps in memory.
 */
import { isAbsolute, join } from "@std/path";

/**
 * Returns, and makes, a folder of mode 0700 that belongs to this account and is gone after a reboot: systemd's
 * `RUNTIME_DIRECTORY`, else `image-transfer` in `XDG_RUNTIME_DIR`, else `/tmp/it-<uid>`. One that belongs to another account, is a
 * symlink, or is too long for a socket is skipped; if none is left, a new folder with a random name is made.
 */
export async function runtimeFolder(): Promise<string> {
  if (Deno.build.os === "windows") {
    const folder = join(Deno.env.get("LOCALAPPDATA") ?? Deno.env.get("TEMP") ?? "C:\\Windows\\Temp", "image-transfer", "run");
    await Deno.mkdir(folder, { recursive: true });
    return folder;
  }
  const ofService = Deno.env.get("RUNTIME_DIRECTORY")?.split(":")[0];
  const ofSession = Deno.env.get("XDG_RUNTIME_DIR");
  const candidates = [ofService, ofSession && join(ofSession, "image-transfer"), `/tmp/it-${Deno.uid()}`];
  for (const folder of candidates) {
    if (folder && isAbsolute(folder) && folder.length <= LONGEST && await isOurs(folder)) return folder;
  }
  return random ??= await Deno.makeTempDir({ dir: "/tmp", prefix: "it-" });
}

/** A socket's address ends with a NUL; room for `/`, a letter or three, the 40 digits of `%C`, and the 17 bytes that ssh adds to bind. */
const LONGEST = (Deno.build.os === "linux" ? 108 : 104) - 1 - 1 - 3 - 40 - 17;

let random: string | undefined;

async function isOurs(folder: string): Promise<boolean> {
  try {
    await Deno.mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      if (error instanceof Error) return false;
      throw error;
    }
  }
  const facts = await Deno.lstat(folder);
  if (!facts.isDirectory || facts.uid !== Deno.uid()) return false;
  if (((facts.mode ?? 0) & 0o077) !== 0) await Deno.chmod(folder, 0o700);
  return true;
}

/** Any account may write there. */
export const EVERYBODYS_MEMORY = "/dev/shm";

/** True for `/dev/shm` and `/run`, where the folders of services and sessions are, and for what is below them. */
export function isInMemory(path: string): boolean {
  return /^\/(?:dev\/shm|run)(?:\/|$)/.test(path);
}
