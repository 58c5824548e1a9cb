/**
 * The mark that an installed definition carries: what commands need to know later, even when the configuration is gone. One line of
 * JSON that comments of units and XML can hold. By it the services of this computer are found.
 */
import { extname, join } from "@std/path/posix";
import * as z from "zod";
import { jsonOf } from "../../domain/json.ts";
import type { ConfigFiles } from "../resolve/expand_path.ts";

const mark = z.object({
  program: z.string(),
  copied: z.boolean(),
  config: z.string(),
  account: z.string(),
  home: z.string(),
  state: z.string(),
  log: z.string(),
});

/** See the module. */
export type Mark = z.infer<typeof mark>;

const BEGIN = "image-transfer-service: ";

/** A comment of XML may not hold `--`, so no two hyphens follow each other. */
export function writeMark(content: Mark): string {
  return BEGIN + JSON.stringify(content).replaceAll("-", "\\u002d");
}

/** The mark in a definition; null when it has none: somebody else's, or changed by hand. */
export function readMark(definition: string): Mark | null {
  const at = definition.indexOf(BEGIN);
  if (at < 0) return null;
  const line = /^.*\}/.exec(definition.slice(at + BEGIN.length))?.[0] ?? "";
  for (const text of [line, xmlPlain(line)]) {
    const { data } = mark.safeParse(jsonOf(text));
    if (data) return data;
  }
  return null;
}

/** An installed service of ours. */
export interface InstalledService {
  /** The definition, absolute. */
  readonly file: string;
  /** Without the ending that the manager adds. */
  readonly name: string;
  /** The computer's, or an account's. */
  readonly scope: "system" | "user";
  readonly mark: Mark;
}

/** Where definitions are: the computer's, and those of an account below its home folder. */
const FOLDERS = {
  linux: { computer: "/etc/systemd/system", account: ".config/systemd/user", ending: ".service" },
  darwin: { computer: "/Library/LaunchDaemons", account: "Library/LaunchAgents", ending: ".plist" },
} as const;

/**
 * The services that install-service has made: the computer's first, in the order of their names, then those of the accounts with these
 * home folders. On Windows, Task Scheduler has them, and none are found.
 */
export async function installedServices(
  system: Pick<ConfigFiles, "platform" | "list" | "read">,
  homes: readonly string[] = [],
): Promise<InstalledService[]> {
  if (system.platform === "windows") return [];
  const { computer, account, ending } = FOLDERS[system.platform];
  const found: InstalledService[] = [];
  const own = [...new Set(homes)].map((home) => ({ folder: join(home, account), scope: "user" as const }));
  for (const { folder, scope } of [{ folder: computer, scope: "system" as const }, ...own]) {
    const { entries } = await system.list?.(folder).catch(() => null) ?? { entries: [] };
    const files = entries.filter(({ name, facts }) => facts.kind === "file" && extname(name) === ending);
    for (const file of files.map(({ name }) => join(folder, name)).toSorted()) {
      const text = new TextDecoder().decode(await system.read(file, 0, MOST_BYTES).catch(() => new Uint8Array()));
      const mark = readMark(text);
      if (mark !== null) found.push({ file, scope, name: file.slice(folder.length + 1, -ending.length), mark });
    }
  }
  return found;
}

/** A larger file is no definition of ours. */
const MOST_BYTES = 65_536;

/** Takes the escapes of XML back. */
export function xmlPlain(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => Object.keys(XML).find((char) => XML[char] === entity)!);
}

/** What XML writes for these characters. */
export const XML: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };
