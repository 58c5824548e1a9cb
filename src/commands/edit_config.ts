/**
 * `config edit`: opens a draft of the configuration in an editor. It becomes the configuration only once it is valid.
 *
 * @module
 */
import { ConfigError } from "../config/read/config_error.ts";
import { readConfig } from "../config/read/load.ts";
import { findConfigFile } from "../config/read/search_path.ts";
import { Failure } from "../domain/failure.ts";
import { EXIT, type Tools } from "./command.ts";
import { EDITORS } from "./programs.ts";
import { seekQuietly } from "./seek_daemon.ts";

/** Exit code 2 where the draft has an error and the person gives up: it is kept, and the configuration stays as it was. */
export async function editConfig(named: string | undefined, tools: Tools): Promise<number> {
  const { system, prompt, stderr } = tools;
  const found = await findConfigFile(named, tools.cwd, system);
  if (prompt === undefined) {
    throw new Failure("configuration", "config edit needs a terminal", {
      hint: `Edit "${found}" yourself, then run: image-transfer config validate`,
    });
  }
  // A link stays a link.
  const path = await system.realPath(found) ?? found;
  const draft = path.replace(/(\.\w+)?$/, ".draft$1");
  const before = await system.readText(path);
  const editor = await editorOf(tools);
  if (await system.facts(draft) === null) await system.writeText(draft, before, 0o600);
  else stderr(`Continuing with the draft that was kept: ${draft}\n`);
  for (;;) {
    await edit(editor, draft, before, tools);
    const text = await system.readText(draft);
    if (text === before) {
      await system.remove(draft);
      stderr("Nothing was changed.\n");
      return EXIT.done;
    }
    const fault = await faultOf(draft, tools);
    if (fault === null) break;
    stderr(`${fault}\n`);
    const answer = await prompt("Edit again? (yes or no)");
    if (answer === null || !/^y(es)?$|^$/i.test(answer.trim())) {
      stderr(`The configuration is unchanged. Your draft is kept in ${draft}; config edit continues with it.\n`);
      return EXIT.usage;
    }
  }
  return await accept({ path, draft, before, named }, tools);
}

interface Draft {
  readonly path: string;
  readonly draft: string;
  /** What the configuration contained when the editor was opened. */
  readonly before: string;
  /** What `-c` says. */
  readonly named: string | undefined;
}

async function accept({ path, draft, before, named }: Draft, tools: Tools): Promise<number> {
  const { system, stderr } = tools;
  const facts = await system.facts(path);
  if (await system.readText(path) !== before) {
    throw new Failure("configuration", `"${path}" was changed by someone else in the meantime`, {
      hint: `Your draft is kept in "${draft}".`,
    });
  }
  await system.writeText(`${draft}.part`, await system.readText(draft), facts === null ? 0o600 : facts.mode & 0o777);
  await system.sync(`${draft}.part`);
  await system.rename(`${draft}.part`, path);
  await system.remove(draft);
  stderr(`Changed ${path}\n`);
  const { daemon } = await seekQuietly(named, tools);
  if (daemon === null) return EXIT.done;
  const { ok, message } = await daemon.ask("reload", {});
  stderr(`${message}\n`);
  return ok ? EXIT.done : EXIT.usage;
}

/** What is wrong with the draft, a line each; null where nothing is. */
async function faultOf(draft: string, { system }: Tools): Promise<string | null> {
  try {
    await readConfig(draft, system);
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

async function edit(
  [program = "", ...args]: readonly string[],
  draft: string,
  before: string,
  { system }: Tools,
): Promise<void> {
  let code: number | null = null;
  let isKept = true;
  try {
    code = await system.lend(program, [...args, draft]);
  } finally {
    // A draft that nobody changed would later replace what the configuration is by then.
    if (code !== 0 && await system.readText(draft) === before) {
      isKept = false;
      await system.remove(draft);
    }
  }
  if (code === 0) return;
  throw new Failure("configuration", `The editor "${program}" failed with exit code ${code}`, {
    hint: `The configuration is unchanged.${isKept ? ` Your draft is kept in "${draft}".` : ""}`,
  });
}

/** `$VISUAL` or `$EDITOR`, which may have arguments; else the first that is there. */
async function editorOf({ system }: Tools): Promise<readonly string[]> {
  const chosen = system.env("VISUAL") || system.env("EDITOR");
  if (chosen) return (chosen.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, "$1"));
  for (const name of EDITORS[system.platform]) if (await system.which(name) !== null) return [name];
  throw new Failure("tool_missing", "No editor was found", {
    hint: "Set EDITOR to your editor, for example: EDITOR=nano",
  });
}
