/**
 * Which state directory belongs to which configuration, noted at every start of a daemon: a file that was spoilt or deleted since
 * can tell it no more, and commands still find the daemon and its ledger.
 *
 * @module
 */
import { join } from "@std/path";
import type { Settings } from "../settings.ts";
import type { ConfigFiles } from "./search_path.ts";

/** What it takes to note one. */
type Writing = {
  makeFolder(path: string, mode?: number): Promise<void>;
  writeText(path: string, text: string, mode?: number): Promise<void>;
};

/** Notes it in the usual state directory `usual`. @throws what keeps it from being written. */
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

/** The state directory of a configuration, as it was noted in one of these folders; null where none is. */
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

/** Paths are too long and too odd to be names. */
async function nameOf(file: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(file));
  return `${[...new Uint8Array(hash).slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}.json`;
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
