/**
 * Which state directory belongs to which configuration, recorded at every start of a daemon, so that commands find the daemon and
 * its ledger even if the file was damaged or deleted since.
 */
import { join } from "@std/path";
import type { Settings } from "../settings.ts";
import type { ConfigFiles } from "./search_path.ts";

/** What recording one needs. */
type Writing = {
  makeFolder(path: string, mode?: number): Promise<void>;
  writeText(path: string, text: string, mode?: number): Promise<void>;
};

/** Records it in the usual state directory `usual`. @throws what prevents writing. */
export async function rememberState(
  { file, stateDirectory }: Pick<Settings, "file" | "stateDirectory">,
  usual: string,
  system: Writing,
): Promise<void> {
  if (file === null) return;
  const folder = join(usual, FOLDER);
  await system.makeFolder(folder, 0o700);
  await system.writeText(join(folder, await nameOf(file)), `${JSON.stringify({ configuration: file, stateDirectory })}\n`, 0o600);
}

/** The state directory of a configuration, as recorded in one of these folders; null if it is in none. */
export async function rememberedState(
  file: string,
  folders: readonly string[],
  system: Pick<ConfigFiles, "read">,
): Promise<string | null> {
  const name = await nameOf(file);
  for (const folder of folders) {
    const note = await system.read(join(folder, FOLDER, name), 0, MOST_BYTES).then(parsed, () => null);
    if (note?.configuration === file) return note.stateDirectory;
  }
  return null;
}

/** Two paths, each of 4,096 bytes at most on every system, and more where JSON escapes them. */
const MOST_BYTES = 65_536;
const FOLDER = "configurations";

/** Paths are too long for file names, and contain characters that those cannot have. */
async function nameOf(file: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(file));
  return `${new Uint8Array(hash, 0, 8).toHex()}.json`;
}

function parsed(bytes: Uint8Array): { readonly configuration: string; readonly stateDirectory: string } | null {
  try {
    const { configuration, stateDirectory } = JSON.parse(new TextDecoder().decode(bytes)) ?? {};
    return typeof configuration === "string" && typeof stateDirectory === "string" ? { configuration, stateDirectory } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
